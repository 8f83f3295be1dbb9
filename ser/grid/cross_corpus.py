"""A cell trained on all of one corpus, and tested on another: by the runner of every cell."""

from dataclasses import replace
from pathlib import Path

from ser import cross_folders, files
from ser.contracts import Experiment
from ser.cross_folders import CorpusFolder, Crossing
from ser.data import pair
from ser.features import joined
from ser.features.store import FeatureStore
from ser.grid import runners, variants
from ser.grid.cell import CellRunner
from ser.grid.crossings import trained, upstream
from ser.grid.params import CrossCorpusParams
from ser.progress import Progress
from ser.project import Project


def join(crossing: Crossing, project: Project) -> CorpusFolder:
    """Write the two corpora of a crossing as one, features included; they take no space.

    Args:
        crossing: The cell and the corpora.
        project: The checkout.

    Returns:
        Where they are.

    Raises:
        SerError: See `ser.data.pair.write` and `ser.features.joined.join`.
    """
    sides = (crossing.trained_on, crossing.tested_on)
    folder = cross_folders.joined(project, crossing.pair)
    pair.write(crossing, folder)
    stores = {side.name: FeatureStore(side.project.features(crossing.feature)) for side in sides}
    joined.join(folder.features(crossing.feature), stores)
    return replace(folder, stages=upstream(crossing, project))


def runner(
    params_file: Path,
    crossing: Crossing,
    project: Project,
    section: CrossCorpusParams,
    *,
    experiment: Experiment | None = None,
) -> CellRunner:
    """Return what trains and tests a crossing.

    Args:
        params_file: params.yaml.
        crossing: The cell and the corpora.
        project: The checkout.
        section: `cross_corpus` of params.yaml: how inputs are normalised.
        experiment: Where runs are recorded; None opens one of their own.

    Raises:
        SerError: See `join` and `ser.grid.runners.make`.
    """
    return runners.make(
        params_file,
        crossing.cell,
        join(crossing, project),
        is_tuned=False,
        variant=variants.CROSS_CORPUS,
        experiment=experiment,
        normalisation=None if section.normalisation == "recipe" else section.normalisation,
    )


def keep(made: CellRunner, crossing: Crossing, project: Project) -> CorpusFolder:
    """Give what a finished runner has left a place that DVC versions.

    Args:
        made: It has run.
        crossing: The cell and the corpora.
        project: The checkout.

    Returns:
        The place: manifest, card, fold and predictions; the features stay where they are.
    """
    source = made.project
    kept = cross_folders.trained(project, crossing.cell, crossing.pair)
    place = trained(kept, crossing.cell).folder.relative_to(kept.folder)
    with files.replacing_folder(kept.folder) as part:
        for path in (source.manifest, source.corpus_card, source.splits, source.split_report):
            files.link(path, part / path.name)
        files.link_tree(trained(source, crossing.cell).folder, part / place)
    return kept


def train(
    made: CellRunner, crossing: Crossing, project: Project, progress: Progress = iter
) -> CorpusFolder:
    """Train what is not trained yet, and keep it; see `keep`."""
    made.run(progress)
    return keep(made, crossing, project)
