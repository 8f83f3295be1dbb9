"""The log of a server: one JSON line per recording that was answered.

A line holds numbers about the recording and the answer. It holds no audio, no name of a file
and nothing about who asked.
"""

import fcntl
import json
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, ValidationError

from ser.errors import FileError, MonitoringError
from ser.params import Section
from ser.serving.prediction import Prediction

#: File that the served model appends to; unset: none. `ser serve --log` needs no variable.
LOG_FILE = "SER_SERVING_LOG"

_LOGGER = logging.getLogger(__name__)


class Line(Section):
    """One answered recording.

    Args:
        format: Of the line.
        time: When it was answered, UTC.
        model, version: As registered; empty where it was not.
        bundle_sha256: Of the bundle that answered.
        duration_s, level_dbfs, snr_db, rolloff_hz: See `ser.serving.observing.sound`.
        emotion: The most probable one, also where the model abstained.
        abstained: Whether it did.
        probabilities: Emotion -> calibrated probability.
        confidence: The largest of them.
        distance: Of the embedding from training; None where the bundle does not know it.
        reason: Why no emotion was given; None where one was.
    """

    format: Literal[1] = 1
    time: datetime
    model: str
    version: str
    bundle_sha256: str
    duration_s: float = Field(gt=0.0)
    level_dbfs: float
    snr_db: float
    rolloff_hz: float = Field(gt=0.0)
    emotion: str
    abstained: bool
    probabilities: Mapping[str, float]
    confidence: float = Field(ge=0.0, le=1.0)
    distance: float | None = Field(None, gt=0.0)
    reason: str | None = None


class RequestLog:
    """Appends lines to a file that several processes may share.

    The file is opened for every request, so that it may be renamed and made anew at any time
    (logrotate), and all lines of a request are one write at the end of the file. Where the disk is
    full, what was written of them is taken away again: no half of a line stays.

    Args:
        path: The file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._has_failed = False

    @classmethod
    def from_environment(cls) -> Self | None:
        """Return the log that the environment names, or None."""
        named = os.environ.get(LOG_FILE)
        return cls(Path(named)) if named else None

    def require_writable(self) -> None:
        """Make the file where it is missing.

        Raises:
            FileError: It cannot be written to.
        """
        try:
            os.close(self._open())
        except OSError as error:
            raise FileError(
                f"{self.path}: cannot be written to ({error.strerror}); name a file in a folder "
                f"that is there and may be written to"
            ) from error

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Append lines; a failure is a warning, never an error of the request.

        Args:
            lines: The fields of `Line` without `format` and `time`.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            texts = [json.dumps({"format": 1, "time": now, **line}) + "\n" for line in lines]
            file = self._open()
            try:
                is_whole = _write_whole(file, "".join(texts).encode())
            finally:
                os.close(file)
            self._say("" if is_whole else "the disk is full; free some space, nothing else to do")
        except OSError as error:
            self._say(str(error))

    def _say(self, failure: str) -> None:
        """Warn once, until it works again: a full disk must not fill the other log, too."""
        if failure and not self._has_failed:
            _LOGGER.warning("%s: requests are answered and not logged: %s", self.path, failure)
        self._has_failed = bool(failure)

    def _open(self) -> int:
        # O_APPEND: every write goes to the end, whoever else writes.
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def _write_whole(file: int, content: bytes) -> bool:
    """Write at the end of a file, or leave it as it was; return whether it was written."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed: nobody writes behind what may go
        is_alone = True
    except OSError:  # not every file system has locks
        is_alone = False
    size = os.fstat(file).st_size
    is_whole = os.write(file, content) == len(content)
    if not is_whole and is_alone:
        os.ftruncate(file, size)
    return is_whole


def read(path: Path, *, bundle_sha256: str) -> tuple[pd.DataFrame, int]:
    """Read the log of a server.

    Args:
        path: Of the file.
        bundle_sha256: Only its answers are wanted.

    Returns:
        One row per recording, in order, with the fields of `Line`; and the number of lines
        that are of other bundles.

    Raises:
        FileError: There is no such file, or it cannot be read.
        MonitoringError: A line is not of such a log, named by its number, or no line is of
            the bundle.
    """
    try:
        with path.open(encoding="utf-8") as file:
            lines = [_parsed(text, f"{path}:{n}") for n, text in enumerate(file, 1) if text.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: neither a folder nor a readable log ({error})") from error
    own = [line for line in lines if line.bundle_sha256 == bundle_sha256]
    if not lines:
        raise MonitoringError(f"{path}: the log is empty; `ser serve --log` writes it")
    if not own:
        versions = sorted({f"{line.model} version {line.version}" for line in lines})
        raise MonitoringError(
            f"{path}: no line is of this model; the lines are of {', '.join(versions)}: name it "
            f"with --model models:/<name>/<version>"
        )
    # What one bundle knows, it knows of every recording: a field is filled in all lines or none.
    rows = [line.model_dump(exclude_none=True) for line in own]
    return pd.DataFrame(rows), len(lines) - len(own)


def _parsed(text: str, where: str) -> Line:
    try:
        return Line.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = f"{place}: {first['msg']}" if place else str(first["msg"])
        raise MonitoringError(
            f"{where}: not a line of `ser serve --log` ({said}); take this line out, or name "
            f"another file"
        ) from error


def line_of(
    prediction: Prediction, heard: Mapping[str, Any], *, origin: Mapping[str, str]
) -> dict[str, Any]:
    """Return the line for one answer.

    Args:
        prediction: The answer.
        heard: See `ser.serving.observing.of_prediction`.
        origin: `model`, `version` and `bundle_sha256`.
    """
    whole = prediction.whole
    return {
        **origin,
        **heard,
        "abstained": whole.abstained,
        "reason": whole.reason,
        "probabilities": dict(whole.probabilities),
    }
