"""What a cell of a frozen feature takes beside its fits: the real Whisper on EmoDB."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import programs, recordings, tiny
from benchmarks.measurement import Measurement
from benchmarks.recordings import Recordings

_ROOT = Path(__file__).resolve().parents[2]

_MODEL, _CHECKPOINT = "whisper", "whisper-tiny.en"
#: One that is there before, so that the tracker has its database, and the one that is measured.
_FIRST, _CELL = f"{_MODEL}-cross_entropy", f"{_MODEL}-focal"

_WAYS: Mapping[str, Sequence[str]] = {
    "ser train": (*programs.SER, "train", _CELL),
    "dvc repro --single-item": (*programs.DVC, "repro", "--single-item", f"train@{_CELL}"),
}

#: Of the copy of the project: the function that a cell calls for each fold, with a clock.
_FITS = "fits.txt"
_CLOCK = f"""

def _timed(do):
    import time

    def timed(*arguments):
        start = time.perf_counter()
        result = do(*arguments)
        with open({_FITS!r}, "a") as file:
            file.write(f"{{time.perf_counter() - start}}\\n")
        return result

    return timed


train_fold = _timed(train_fold)
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a cell took, in seconds.

    Args:
        whole_s: From the start of the command to its end.
        fits: Of these, each of its fits: training, choosing and predicting.
    """

    whole_s: float
    fits: Sequence[float]

    @property
    def beside_s(self) -> float:
        """All that was no fit."""
        return self.whole_s - sum(self.fits)


def run(quick: bool) -> list[Measurement]:
    """Train one cell again and again, each time as if for the first."""
    corpus = recordings.load(quick=quick)
    taken: dict[str, list[Taken]] = {way: [] for way in _WAYS}
    with tempfile.TemporaryDirectory() as name:
        root, before = Path(name) / "project", Path(name) / "before"
        _make(root, corpus, quick=quick)
        _keep(root, before)
        for _ in range(1 if quick else 5):
            for way, command in _WAYS.items():
                _go_back(root, before)
                taken[way].append(_measure(root, command))
    data = f"Whisper tiny.en, frozen; {corpus.name}"
    return [
        Measurement(
            name=f"one cell, beside its {len(found[0].fits)} fits: {way} ({data})",
            value=statistics.median(one.beside_s for one in found),
            unit="seconds",
            better="lower",
            alternative="the fits themselves",
            alternative_value=statistics.median(sum(one.fits) for one in found),
            threads=1,
        )
        for way, found in taken.items()
    ]


def _make(root: Path, corpus: Recordings, *, quick: bool) -> None:
    """Make a project whose feature is extracted, and in which one cell has been trained."""
    tiny.copy_code(_ROOT, root)
    with (root / "ser/training/fold.py").open("a", encoding="utf-8") as file:
        file.write(_CLOCK)
    params = _params(corpus, quick=quick)
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    wanted = {Path(utterance.audio).name for utterance in corpus.utterances}

    def others(_: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(name).suffix == ".flac" and name not in wanted]

    # With little data the corpus is taken in part; else it must be whole.
    ignore = others if quick else None
    shutil.copytree(corpus.root, root / "data/raw" / corpus.name, ignore=ignore)
    weights = Path("data/weights", _CHECKPOINT)
    shutil.copytree(_ROOT / weights, root / weights)
    programs.init_dvc(root)
    programs.call(root, *programs.DVC, "repro", "tune")
    programs.call(root, *programs.SER, "train", _FIRST)


def _params(corpus: Recordings, *, quick: bool) -> dict[str, Any]:
    """Return the preset `emodb` with two cells of its Whisper, and nothing else."""
    content: dict[str, Any] = yaml.safe_load((_ROOT / "configs/emodb.yaml").read_text("utf-8"))
    content["corpus"] = corpus.params.model_dump(mode="json")
    if quick:
        if "allow_partial" in content["corpus"]:
            content["corpus"]["allow_partial"] = True
        content["features"][_MODEL]["copies"] = ["clean"]
        content["recipes"][_MODEL] |= {"num_epochs": 2, "copies": None}
    cells = {cell: content["cells"][cell] for cell in (_FIRST, _CELL)}
    of_model = {name: {_MODEL: content[name][_MODEL]} for name in ("features", "models", "recipes")}
    return (
        content
        | of_model
        | {
            "synthetic_weights": {},
            "extracted": {_MODEL: content["extracted"][_MODEL]},
            "baselines": {"feature": _MODEL},
            "cells": cells,
            "tuning": {"cells": {}},
            "robustness": {"without_copies": {}},
        }
    )


#: What a command that trains a cell changes, beside the cell's own folders.
_CHANGED = ("mlruns", "dvc.lock")


def _keep(root: Path, before: Path) -> None:
    before.mkdir()
    for name in _CHANGED:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, before / name)


def _go_back(root: Path, before: Path) -> None:
    """Bring the moment back in which the feature was there and the cell was not."""
    # Kept folds, and results in DVC's run cache, would be taken over.
    for name in (*(f"{place}/{_CELL}" for place in ("data/trained", "runs")), "work/folds"):
        shutil.rmtree(root / name, ignore_errors=True)
    shutil.rmtree(root / ".dvc/cache/runs", ignore_errors=True)
    shutil.rmtree(root / "mlruns")
    shutil.copytree(before / "mlruns", root / "mlruns")
    shutil.copy(before / "dvc.lock", root / "dvc.lock")
    (root / _FITS).unlink(missing_ok=True)


def _measure(root: Path, command: Sequence[str]) -> Taken:
    start = time.perf_counter()
    programs.call(root, *command)
    whole_s = time.perf_counter() - start
    return Taken(whole_s, [float(line) for line in (root / _FITS).read_text("utf-8").split()])
