"""What a cell does on another corpus, asked for by a command: nothing that DVC manages is touched.

The other corpus is prepared, the cell trained and scored by what the stages run. Features and
finished folds are found again where the stages, or an earlier command, have made them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ser import components, cross_folders, tables
from ser.contracts import Experiment
from ser.cross_folders import Crossing, Side
from ser.data.corpora._base import CorpusParams
from ser.errors import ParamsError
from ser.evaluation import cross_corpus as scores
from ser.evaluation import scored_cell
from ser.features import other_corpus
from ser.grid import cross_corpus, crossings, variants
from ser.grid.params import AcrossNormalisation
from ser.params import params_class_of, parse, read
from ser.progress import Progress
from ser.project import Project
from ser.report.cross_corpus import within
from ser.workflow import current_cell
from ser.workflow.preset import Preset


@dataclass(frozen=True, slots=True)
class CrossQuestion:
    """What is asked.

    Args:
        cell: A name among `cells` in params.yaml; its features are extracted, it is trained.
        corpus: The other corpus: a name of `cross_corpus.corpora`, or a parser, whose defaults
            then hold.
        is_tested: Whether the other corpus is tested on; else it is trained on.
        normalisation: Instead of that of params.yaml, see `CrossCorpusParams`.
    """

    cell: str
    corpus: str
    is_tested: bool = True
    normalisation: AcrossNormalisation | None = None


def measure(
    question: CrossQuestion,
    project: Project,
    open_: Callable[..., Experiment],
    *,
    progress: Progress = iter,
) -> dict[str, object]:
    """Train a cell on all of one corpus, test it on the other, and write the table.

    Args:
        question: The cell and the corpora.
        project: The checkout.
        open_: Opens an experiment, see `ser.tracking.cells.restore`.
        progress: Wraps iterations, e.g. `tqdm`.

    Returns:
        What was found, see `ser.evaluation.cross_corpus.row`.

    Raises:
        ParamsError: There is no such cell or corpus.
        LineageError: The grid's cell is of other data than those in data/.
        LeakageError: A recording is in both corpora; the message names it.
        SerError: Another thing that the stages would say.
    """
    preset = read(project.params, Preset)
    name, corpus = question.cell, question.corpus
    if name not in preset.cells:
        known = ", ".join(preset.cells)
        raise ParamsError(f"there is no cell {name!r} in params.yaml; there are: {known}")
    variant = variants.UNTUNED if name in preset.tuning.cells else ""
    now = read(project.params, current_cell.CellsNow)
    current_cell.require_cell(project, project.trained(name, variant), now, variant=variant)
    grid = within(project, name, preset.tuning.cells)
    feature, folder = preset.cells[name].feature, cross_folders.unversioned(project, corpus)
    other_corpus.make(
        corpus,
        corpus_params(preset, corpus),
        {feature: preset.features[feature]},
        preset.audio,
        project=project,
        folder=folder,
        progress=progress,
    )
    sides = [crossings.own_side(project), Side(corpus, folder)]
    crossing = Crossing(name, feature, *(sides if question.is_tested else sides[::-1]))
    said = {} if question.normalisation is None else {"normalisation": question.normalisation}
    section = preset.cross_corpus.model_copy(update=said)
    made = cross_corpus.runner(project.params, crossing, project, section)
    made.run(progress)
    joined = cross_folders.joined(project, crossing.pair)
    scored_cell.publish_crossing(name, joined, project, open_)
    found = scores.row(crossing, joined, grid)
    tables.write_csv(cross_folders.asked_table(project, crossing), scores.table([found]))
    return found


def corpus_params(preset: Preset, name: str) -> CorpusParams:
    """Return how another corpus is read.

    Args:
        preset: The content of params.yaml.
        name: A name of `cross_corpus.corpora`, or a parser.

    Raises:
        ParamsError: It is neither, or it is the corpus of params.yaml.
        TypeError: A parser's params are none of a corpus, a fault of ours.
    """
    if name == preset.corpus.name:
        raise ParamsError(
            f"{name} is the corpus of params.yaml; name another one to train or test on"
        )
    said = preset.cross_corpus.corpora.get(name)
    if isinstance(said, CorpusParams):
        return said
    params_class = params_class_of(components.CORPORA, name)
    found = parse({"name": name}, params_class, where=f"corpus {name}")
    if not isinstance(found, CorpusParams):
        raise TypeError(f"{components.source(components.CORPORA, name)}: expected CorpusParams")
    return found
