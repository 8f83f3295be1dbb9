"""What a request may say: one recording per row, by its bytes, its samples or its path."""

import gc
import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import AudioInputError, SerError
from ser.serving import audio_input
from ser.serving.audio_input import InputLimits, Waveform
from ser.wording import shown

#: Fields of a row: exactly one of audio, samples (with sampling_rate) and path.
COLUMNS = ("audio", "samples", "sampling_rate", "path")

#: The column that MLflow makes of what is no table: `predict("some.wav")`, or a list of such.
BARE = 0

#: Modules of which a process that answers the requests of others has at least one: MLflow's own
#: servers all import the first, and other frameworks are run by one of the rest, or are one. The
#: last are the servers of Flask, of Tornado and of aiohttp; `aiohttp` and `tornado` alone are
#: clients and loops as well, and a notebook has the latter.
_SERVERS = (
    *("mlflow.pyfunc.scoring_server", "mlserver"),
    *("uvicorn", "gunicorn", "hypercorn", "waitress", "daphne", "granian", "cheroot"),
    *("werkzeug.serving", "tornado.httpserver", "aiohttp.web"),
)
#: Python's own server, and who imports it to show counts alone, which no request can change.
_WSGIREF, _SHOWS_COUNTS = "wsgiref.simple_server", "prometheus_client"

_RULE = (
    "a row has one of: `audio` (base64 of WAV, FLAC, OGG or MP3), `samples` with `sampling_rate`, "
    "or `path` where the server allows it"
)
_MAX_ROWS = 256


def rows_of(table: object) -> list[dict[str, Any]]:
    """Return the rows of a request, fields that are null left out.

    Args:
        table: A DataFrame, as MLflow makes it of the request.

    Raises:
        AudioInputError: No rows, too many, or fields that nobody reads.
    """
    if not isinstance(table, pd.DataFrame):
        raise AudioInputError(f"the request holds no table of recordings; {_RULE}")
    if len(table) == 0:
        # Fields that the signature does not name are gone by now.
        raise AudioInputError(f"the request names no recording; {_RULE}")
    if len(table) > _MAX_ROWS:
        raise AudioInputError(
            f"the request holds {len(table)} rows; at most {_MAX_ROWS} are answered, send the rest "
            f"in further requests"
        )
    return [
        {str(key): value for key, value in record.items() if not _is_null(value)}
        for record in table.to_dict("records")
    ]


def read_rows(
    rows: Sequence[Mapping[str, Any]], limits: InputLimits, *, folder: Path | None
) -> list[Waveform]:
    """Return the recordings of a request, which are together no longer than one may be.

    Args:
        rows: See `rows_of`.
        limits: What each may hold; `max_duration_s` is for all of them together, too.
        folder: See `read_row`.

    Raises:
        AudioInputError: Names the row, where there are several, and what is wrong with it.
    """
    waveforms: list[Waveform] = []
    duration_s = 0.0
    for number, row in enumerate(rows):
        try:
            waveforms.append(read_row(row, limits, folder=folder))
            duration_s += waveforms[-1].duration_s
            if duration_s > limits.max_duration_s:
                raise AudioInputError(
                    f"the recordings up to here last {duration_s:.0f} s together, and a request "
                    f"holds at most {limits.max_duration_s:g} s; send the rest in further requests"
                )
        except SerError as error:
            where = f"row {number}: " if len(rows) > 1 else ""
            raise AudioInputError(f"{where}{error}") from error
    return waveforms


def is_bare(table: object) -> bool:
    """Return whether recordings were given alone, and not in the fields of a request."""
    return isinstance(table, pd.DataFrame) and table.columns.equals(pd.Index([BARE]))


def read_bare(table: pd.DataFrame, limits: InputLimits) -> list[Waveform]:
    """Return recordings that are given by their paths or bytes alone.

    A string may have come over the wire, so files are read only where nothing is loaded that
    answers requests.

    Args:
        table: See `is_bare`.
        limits: What each may hold.

    Raises:
        AudioInputError: This process may be a server, or a recording cannot be used; names which.
    """
    if serving := _server():
        raise AudioInputError(
            f"paths are refused: this process may be a server (it has loaded {serving}), which "
            f"reads no files; {_RULE}"
        )
    waveforms = []
    for number, given in enumerate(table[BARE]):
        try:
            waveforms.append(_read_bare(given, limits))
        except AudioInputError as error:
            where = f"recording {number}: " if len(table) > 1 else ""
            raise AudioInputError(f"{where}{error}") from error
    return waveforms


def _server() -> str | None:
    """Return which server this process has loaded; None where it has none."""
    if loaded := [name for name in _SERVERS if name in sys.modules]:
        return loaded[0]
    if _WSGIREF not in sys.modules:
        return None
    # What is frozen cannot be looked through: a server may be in there.
    if _SHOWS_COUNTS not in sys.modules or gc.get_freeze_count():
        return _WSGIREF
    # Then the import alone says nothing, and it is asked whether another server is there.
    kind = sys.modules[_WSGIREF].WSGIServer
    # By type: to ask an object itself for its class makes some of torch's warn.
    servers = (one for one in map(type, gc.get_objects()) if issubclass(one, kind))
    others = [one for one in servers if one.__module__.partition(".")[0] != _SHOWS_COUNTS]
    return _WSGIREF if others else None


def _read_bare(given: object, limits: InputLimits) -> Waveform:
    if isinstance(given, bytes):
        return audio_input.from_bytes(given, limits)
    if isinstance(given, str | PathLike):
        return audio_input.from_path(Path(given), limits)
    raise AudioInputError(f"a recording given alone is its path or its bytes, got {shown(given)}")


def read_row(row: Mapping[str, Any], limits: InputLimits, *, folder: Path | None) -> Waveform:
    """Return the recording of a row.

    Args:
        row: Its fields, see `COLUMNS`.
        limits: What it may hold.
        folder: Recordings below it may be named by `path`; None: no path is read.

    Raises:
        AudioInputError: A field is missing, wrong or one too many, a path is refused, or
            the recording cannot be used.
    """
    given = [name for name in ("audio", "samples", "path") if name in row]
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise AudioInputError(f"unknown field {shown(unknown[0])}; {_RULE}")
    if len(given) != 1:
        raise AudioInputError(f"got {' and '.join(given) or 'none of them'}; {_RULE}")
    if given == ["samples"]:
        if "sampling_rate" not in row:
            raise AudioInputError("samples need their sampling_rate, in Hz")
        return audio_input.from_samples(row["samples"], row["sampling_rate"], limits)
    if "sampling_rate" in row:
        raise AudioInputError(
            f"sampling_rate belongs to samples; a recording given as {given[0]} has its own"
        )
    if given == ["audio"]:
        return audio_input.from_base64(row["audio"], limits)
    return audio_input.from_path(_allowed(row["path"], folder), limits)


def _allowed(name: object, folder: Path | None) -> Path:
    """Return a path below the folder, whatever links and dots it is made of."""
    if folder is None:
        raise AudioInputError(
            "paths are refused: this server reads no files; send the recording's bytes as `audio`"
        )
    if not isinstance(name, str) or "\0" in name:
        raise AudioInputError(f"path must be text, got {shown(name)}")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise AudioInputError(f"path {shown(name)} leads out of the folder that this server reads")
    return path


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))
