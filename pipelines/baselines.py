"""Stage baselines: folds and one feature -> reports/baselines.csv and reports/shortcut.json."""

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ser import runtime
from ser.baselines import reference_rows, shortcut
from ser.baselines.cross_validation import Task
from ser.baselines.reference_rows import BaselineParams
from ser.baselines.shortcut import Material
from ser.data import manifest, splits
from ser.data.card import CorpusCard
from ser.data.splits import PARTS, Fold
from ser.errors import SplitError
from ser.features.store import FeatureStore
from ser.params import StageParams, read
from ser.utterance import Utterance

logger = logging.getLogger("baselines")


class Params(StageParams):
    """Sections read: baselines."""

    baselines: BaselineParams


@dataclass(frozen=True, slots=True)
class Paths:
    """What the stage reads.

    Args:
        manifest: data/manifest.jsonl.
        card: data/corpus.json.
        splits: data/splits.csv.
        features: The store of the feature.
    """

    manifest: Path
    card: Path
    splits: Path
    features: Path


def run(params: Params, paths: Paths, *, out: Path) -> None:
    """Compute the rows of the baselines, then look for the shortcut."""
    used = [u for u in manifest.read(paths.manifest) if u.emotion is not None]
    folds = splits.read(paths.splits)
    _check_folds(folds, used, paths)
    emotions = CorpusCard.read(paths.card).emotions
    store = FeatureStore(paths.features, {"extractor": params.baselines.feature})
    inputs = reference_rows.frame_statistics(store, [u.id for u in used])
    task = Task(
        inputs, {u.id: str(u.emotion) for u in used}, {u.id: u.speaker for u in used}, emotions
    )
    rows = reference_rows.table(task, folds, reference_rows.baselines(params.baselines))
    found = shortcut.examine(
        Material(used, inputs, emotions, folds), c_grid=params.baselines.c_grid
    )
    out.mkdir(parents=True, exist_ok=True)
    reference_rows.write(out / "baselines.csv", rows)
    shortcut.write(out / "shortcut.json", found)
    for row in rows.to_dict("records"):
        logger.info("%s: UAR %.1f %%, %s", row["name"], 100 * row["uar"], row["description"])


def _check_folds(folds: Sequence[Fold], used: Sequence[Utterance], paths: Paths) -> None:
    """Refuse folds of another manifest."""
    known = {utterance.id for utterance in used}
    unknown = {id_ for fold in folds for part in PARTS for id_ in fold.part(part)} - known
    if unknown:
        raise SplitError(
            f"{paths.splits}: utterance {min(unknown)!r} has no emotion in {paths.manifest}, or "
            f"is not there; `dvc repro split` makes the folds of this manifest"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--card", type=Path, required=True, help="data/corpus.json")
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument(
        "--features", type=Path, required=True, help="the store of baselines.feature"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of both outputs")
    options = parser.parse_args(argv)
    paths = Paths(options.manifest, options.card, options.splits, options.features)
    return runtime.run_main(lambda: run(read(options.params, Params), paths, out=options.out))


if __name__ == "__main__":
    raise SystemExit(main())
