"""Which finished folds the cells of params.yaml use, trained already or still to be trained."""

from ser.errors import FileError, StaleFeaturesError
from ser.grid import cross_corpus, crossings, runners, variants
from ser.params import read
from ser.project import Project
from ser.tracking.memory_tracker import MemoryExperiment
from ser.workflow.preset import Preset


def keys(project: Project) -> set[str]:
    """Return the run keys of every fold and seed of the cells of params.yaml.

    Args:
        project: The checkout. A key depends on the data, so manifest, folds and features
            must be those of params.yaml.

    Raises:
        ParamsError: params.yaml is wrong.
        StaleFeaturesError: The data are missing, or not those of params.yaml.
    """
    params = read(project.params, Preset)
    wanted = [(name, "") for name in params.cells]
    wanted += [(name, variants.UNTUNED) for name in params.tuning.cells]
    wanted += [(name, variants.WITHOUT_COPIES) for name in params.robustness.without_copies]
    found: set[str] = set()
    for name, variant in wanted:
        try:
            runner = runners.make(
                project.params,
                name,
                project,
                is_tuned=variants.is_tuned(variant),
                variant=variant,
                experiment=MemoryExperiment(),
            )
        except (FileError, StaleFeaturesError) as error:
            raise StaleFeaturesError(
                f"which folds {name} uses follows from its data: {error}"
            ) from error
        found |= set(runner.keys().values())
    return found | _of_crossings(project, params)


def _of_crossings(project: Project, params: Preset) -> set[str]:
    """Return those of cells across corpora; a corpus that is not prepared yet has none."""
    section, found = params.cross_corpus, set[str]()
    for crossing in crossings.of_section(section, project):
        sides = (crossing.trained_on, crossing.tested_on)
        if all(side.project.corpus_card.is_file() for side in sides):
            made = cross_corpus.runner(
                project.params, crossing, project, section, experiment=MemoryExperiment()
            )
            found |= set(made.keys().values())
    return found
