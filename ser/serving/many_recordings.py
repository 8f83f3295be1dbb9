"""Answers for many recordings, into one table; an interruption loses one chunk at most."""

import csv
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser import files, lineage, tables
from ser.data import recordings
from ser.errors import AudioInputError, CorpusError
from ser.progress import Progress
from ser.registry.identity import identity_of
from ser.serving import answer_tables
from ser.serving.predictor import Predictor
from ser.serving.sound import LongFile

logger = logging.getLogger(__name__)

_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_CHUNK = 64


def find(source: Path) -> list[Path]:
    """Return the recordings that a batch is made of.

    Args:
        source: A folder, searched to its depths, linked folders too, each once; or a CSV with
            a column `path`; relative paths are those from the CSV's folder.

    Raises:
        AudioInputError: Neither, or it names no recordings, or none that is there.
    """
    if source.is_dir():
        try:
            names = recordings.below(source, root=source, suffixes=_SUFFIXES)
            num_hidden = recordings.num_hidden(source, suffixes=_SUFFIXES)
        except CorpusError as error:
            raise AudioInputError(str(error)) from error
        if num_hidden:
            logger.warning(
                "%s: %d hidden files are passed over, such as the ._ twins that macOS leaves",
                *(source, num_hidden),
            )
        found = [source / name for name in names]
        if not found:
            raise AudioInputError(f"{source}: holds no {', '.join(_SUFFIXES)} files")
        return found
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AudioInputError(f"{source}: neither a folder nor a readable CSV ({error})") from error
    paths = [row.get("path") or "" for row in rows]
    if not rows or not all(paths):
        raise AudioInputError(f"{source}: expected a CSV with a column `path`, filled in each row")
    found = [source.parent / path for path in paths]
    missing = [path for path in found if not recordings.is_file(path)]
    if len(missing) == len(found):
        raise AudioInputError(
            f"{missing[0]}: there is no such file, nor any other of the {len(found)} recordings "
            f"that {source} names; relative paths are those from the table's folder"
        )
    if missing:
        logger.warning(
            "%s: %d of %d recordings are not there, e.g. %s; each has its reason in the result",
            *(source, len(missing), len(found), _shown(missing[0])),
        )
    return found


def is_answers(path: Path) -> bool:
    """Return whether a file is a table that `predict` wrote."""
    return answer_tables.columns_of(path) >= {"path", "error", "emotion", "bundle_sha256"}


def predict(
    paths: Sequence[Path],
    predictor: Predictor,
    *,
    out: Path,
    model: str,
    registered: Mapping[str, Any] | None = None,
    progress: Progress = iter,
) -> pd.DataFrame:
    """Answer for recordings and write the table.

    Args:
        paths: The recordings.
        predictor: Who answers.
        out: File, whose ending says what it is (`ser.serving.answer_tables`); answers are
            collected in `<out>.partial` until all are there.
        model: MLflow's address of the model, for the table.
        registered: Its `model_name` and `model_version`; None where it is not registered.
        progress: Wraps the iteration over recordings.

    Returns:
        One row per recording: `path` (bytes that are no UTF-8 with a backslash, as hex),
        `error` (null where it is answered), `duration_s`, `emotion`, `abstained`,
        `reason`, `speech_share`, `familiarity`, `probability_<emotion>`, `windows` (JSON),
        `model`, `bundle_sha256`, `name` and `version` of the registered model (null where it has
        none), `cell`, `synthetic` (whether the model learnt from synthetic speech).
    """
    answer_tables.require_ending(out)
    partial = out.with_name(f"{out.name}.partial")
    plan = {"paths": [_shown(path) for path in paths], "bundle": predictor.bundle.sha256}
    digest = lineage.sha256_text(lineage.canonical_json(plan))
    if not (partial / digest).exists():
        files.remove_folder(partial)
        files.write_text(partial / digest, "")
    bar = iter(progress(range(len(paths))))
    answered = []
    for number, members in enumerate(_chunks(paths)):
        file = partial / f"{number:06d}.parquet"
        if not file.exists():
            rows = []
            for path in members:
                rows.append(_row(path, predictor, model))
                next(bar, None)
            tables.write_parquet(file, pd.DataFrame(rows, columns=_columns(predictor)))
        else:
            for _ in members:
                next(bar, None)
        answered.append(tables.read_parquet(file, cure=f"remove {partial}"))
    next(bar, None)
    table = pd.concat([table.astype(object) for table in answered], ignore_index=True)
    table = table.astype(dict.fromkeys(_numbers(predictor), "float64"))
    who = identity_of(predictor.bundle, registered or {})
    version = None if who["version"] is None else str(who["version"])
    table["name"] = pd.Series(who["name"], index=table.index, dtype="object")
    table["version"] = pd.Series(version, index=table.index, dtype="object")
    table["cell"], table["synthetic"] = who["cell"], who["synthetic"]
    answer_tables.write(out, table)
    files.remove_folder(partial)
    return table


def _shown(path: Path) -> str:
    """Return a path as text that a table can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _chunks(paths: Sequence[Path]) -> list[Sequence[Path]]:
    return [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]


def _numbers(predictor: Predictor) -> list[str]:
    heard = ["duration_s", "speech_share", "familiarity"]
    return [*heard, *(f"probability_{name}" for name in predictor.bundle.emotions)]


def _columns(predictor: Predictor) -> list[str]:
    head = ["path", "error", "emotion", "abstained", "reason"]
    return [*head, *_numbers(predictor), "windows", "model", "bundle_sha256"]


def _row(path: Path, predictor: Predictor, model: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": _shown(path),
        "model": model,
        "bundle_sha256": predictor.bundle.sha256,
    }
    try:
        prediction = predictor.predict(LongFile(path, predictor.limits))
    except AudioInputError as error:
        return {**row, "error": str(error)}
    answer = prediction.to_json()
    return {
        **row,
        "duration_s": prediction.duration_s,
        "emotion": prediction.whole.emotion,
        "abstained": prediction.whole.abstained,
        "reason": prediction.whole.reason,
        "speech_share": prediction.whole.speech_share,
        "familiarity": prediction.whole.familiarity,
        **{f"probability_{k}": v for k, v in prediction.whole.probabilities.items()},
        "windows": json.dumps(answer["windows"]),
    }
