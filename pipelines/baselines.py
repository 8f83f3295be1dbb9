"""Stage baselines: folds, a feature, recordings -> reports/: baselines, functionals, shortcut."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import stage_program
from ser.baselines import functionals, rating_rows, reference_rows, shortcut
from ser.baselines.cross_validation import Task
from ser.baselines.params import BaselineParams
from ser.baselines.reference_rows import Baseline
from ser.baselines.shortcut import Material
from ser.data import manifest, splits
from ser.data.card import CorpusCard
from ser.data.protocols import PARTS
from ser.data.splits import Fold
from ser.errors import SplitError
from ser.features.extraction import AudioParams
from ser.features.store import FeatureStore
from ser.params import StageParams
from ser.project import Project, Words
from ser.utterance import Utterance, used_of

logger = logging.getLogger("baselines")


class Params(StageParams):
    """Sections read: audio, baselines."""

    audio: AudioParams
    baselines: BaselineParams


def reads(project: Project, words: Words) -> list[Path]:
    """Return manifest, corpus card, folds, the feature and the recordings."""
    feature, raw = project.features(words["baselines.feature"]), project.raw(words["corpus.name"])
    return [project.manifest, project.corpus_card, project.splits, feature, raw]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the rows, which of them openSMILE made, and what scripted speech predicts."""
    return [project.baselines, project.functional_rows, project.shortcut]


def run(params: Params, project: Project) -> None:
    """Compute the rows of the baselines, then look for the shortcut."""
    used = used_of(manifest.read(project.manifest))
    folds = splits.read(project.splits)
    _check_folds(folds, used, project)
    emotions = CorpusCard.read(project.corpus_card).emotions
    feature = params.baselines.feature
    store = FeatureStore(project.features(feature), {"extractor": feature})
    inputs = reference_rows.frame_statistics(store, [u.id for u in used])
    project.reports.mkdir(parents=True, exist_ok=True)
    if not emotions:
        rating_rows.write(project, used, folds, inputs, feature=feature)
        return
    task = Task(
        inputs, {u.id: str(u.emotion) for u in used}, {u.id: u.speaker for u in used}, emotions
    )
    facts = reference_rows.functional_rows(params.baselines)
    more = [_of_functionals(row, params, used, project) for row in facts.present]
    baselines = [*reference_rows.baselines(params.baselines), *more]
    rows = reference_rows.table(task, folds, baselines)
    found = shortcut.examine(
        Material(used, inputs, emotions, folds), c_grid=params.baselines.c_grid
    )
    reference_rows.write(project.baselines, rows)
    facts.write(project.functional_rows)
    shortcut.write(project.shortcut, found)
    for row in rows.to_dict("records"):
        logger.info("%s: UAR %.1f %%, %s", row["name"], 100 * row["uar"], row["description"])


def _of_functionals(row: str, params: Params, used: list[Utterance], project: Project) -> Baseline:
    """Return the row of one set of functionals, computed or found where they are kept."""
    name = params.baselines.sets[row]
    inputs = functionals.extract(
        used,
        name,
        corpus=project.raw(used[0].corpus),
        sampling_rate=params.audio.sampling_rate,
        folder=project.kept_functionals(name),
        progress=partial(tqdm, desc=f"functionals {name}", unit="utt", disable=None),
    )
    return reference_rows.of_functionals(row, inputs, params.baselines)


def _check_folds(folds: Sequence[Fold], used: Sequence[Utterance], project: Project) -> None:
    """Refuse folds of another manifest."""
    known = {utterance.id for utterance in used}
    unknown = {id_ for fold in folds for part in PARTS for id_ in fold.part(part)} - known
    if unknown:
        raise SplitError(
            f"{project.splits}: utterance {min(unknown)!r} is not used in "
            f"{project.manifest}, or is not there; `dvc repro split` makes the folds of this "
            f"manifest"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
