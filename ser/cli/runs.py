"""Commands that train a cell, show results and keep the tracker complete."""

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ser import runtime
from ser.cell_folders import CellFolder
from ser.cli import completion, outputs
from ser.errors import FileError, LineageError
from ser.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from ser.tracking.known_runs import KnownExperiment


_CELL = typer.Argument(
    help="One of `cells` in params.yaml, e.g. lstm-focal.", autocompletion=completion.cells
)


class Format(StrEnum):
    """Of a table for a paper; the names of `ser.report.paper.FORMATS`."""

    LATEX = "latex"
    MARKDOWN = "markdown"
    CSV = "csv"


def train(
    cell: Annotated[str, _CELL],
) -> None:
    """Train one cell by the command of its stage, without DVC's bookkeeping, and score it.

    Its own feature must have been extracted, and manifest, folds, feature and tuned values be of
    params.yaml, which is checked; no other feature and no other model's weights are asked for. DVC
    does not learn of the result; `dvc repro` does, and finds the same runs already tracked.

    Where several machines train one fit, only the first has something to score; on the others this
    ends after training, and says where the result is.

    Example: ser train lstm-focal
    """
    import os
    import shlex

    with runtime.importing():
        from ser.engine.launcher_params import other_machine
        from ser.params import read
        from ser.tracking.mlflow_tracker import open_experiment
        from ser.workflow import commands, current, programs, trained_cells
        from ser.workflow.preset import Preset

    project = Project()
    preset = read(project.params, Preset)
    is_tuned = bool(preset.tuning.trials_of(cell))
    command = commands.train(preset, cell, is_tuned=is_tuned)
    current.require_data(project, read(project.params, current.DataParams))
    if is_tuned:
        trained_cells.require_tuned(project, preset.cells[cell])
    typer.echo(shlex.join(command))
    sys.stdout.flush()
    # Another Python would import for seconds what this one has, and needs for the scores.
    _python, _option, program, *words = command
    if status := programs.run_here(program, words):
        raise typer.Exit(status)
    if (first := other_machine(preset.launcher, os.environ)) is not None:
        typer.echo(f"{cell}: trained; its result is in the project on {first}, which scores it")
        return
    scores = trained_cells.publish(project, cell, open_experiment)
    typer.echo(trained_cells.sentence(cell, scores))
    typer.echo("`ser results` shows all cells that are there")


def protocol_gap(
    cell: Annotated[str, _CELL],
    protocol: Annotated[
        str, typer.Option(help="What is compared: random, text, superb, speaker.")
    ] = "random",
    reference: Annotated[str, typer.Option(help="With what.")] = "session",
) -> None:
    """Train one cell under two protocols: what a split is worth.

    `random` deals utterances to folds, so that test speakers are heard in training, as in
    the study. `text` tests on sentences that nobody trained on. Same features, model and loss;
    the difference is of the utterances that both tested. Runs are tracked in an experiment
    per protocol; the table is written to reports/protocol_gap.csv, and the next `dvc repro`
    shows it in the report.

    Example: ser protocol-gap lstm-cross_entropy --protocol text
    """
    from ser import tables
    from ser.evaluation import protocol_cost
    from ser.params import read
    from ser.workflow import current, protocol_gap

    project = Project()
    current.require_data(project, read(project.params, current.DataParams))
    cost = protocol_gap.measure(cell, root=Path(), protocols=(reference, protocol))
    tables.write_csv(project.protocol_gap, cost.table())
    cost.write(project.protocol_gaps / f"{cell}-{reference}-{protocol}.json")
    typer.echo(protocol_cost.as_text(cost))
    typer.echo("`make repro` shows it in the report, under Data")


def cross_corpus(
    cell: Annotated[str, _CELL],
    to: Annotated[str | None, typer.Option(help="The corpus to test on.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="The corpus to train on, instead.")
    ] = None,
    normalisation: Annotated[
        Literal["recipe", "corpus"] | None,
        typer.Option(help="Instead of cross_corpus.normalisation."),
    ] = None,
) -> None:
    """Train one cell on all of one corpus and test it on another.

    One of the two is the corpus of params.yaml; the other one is a name of
    `cross_corpus.corpora`, or a parser, and its recordings lie in data/raw. Beside it stands what
    the grid says of the cell on its own corpus, among the same classes. Runs are tracked in an
    experiment of their own; the table is written to reports/. Given again, it trains nothing.

    Example: ser cross-corpus lstm-cross_entropy --to ravdess
    """
    from tqdm import tqdm

    from ser.evaluation import cross_corpus as scores
    from ser.params import read
    from ser.tracking.mlflow_tracker import open_experiment
    from ser.workflow import cross_corpus as workflow
    from ser.workflow import current

    corpus = to or from_
    if corpus is None or (to is not None and from_ is not None):
        raise typer.BadParameter("say either --to or --from: the other one is that of params.yaml")
    project = Project()
    current.require_data(project, read(project.params, current.DataParams))
    question = workflow.CrossQuestion(
        cell,
        corpus,
        is_tested=to is not None,
        normalisation=normalisation,
    )
    found = workflow.measure(
        question, project, open_experiment, progress=partial(tqdm, desc=cell, disable=None)
    )
    typer.echo(scores.as_text(found))


def restore_runs(
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what was restored.")] = False,
) -> None:
    """Record again the runs whose results lie in runs/ but which the store does not have.

    For results that DVC restored from its cache, or a store that was lost. Scores and figures
    are added to the runs that lack them, and the leaderboard shows what the cells differ in. The
    report's own run comes back, too, where reports/ is of these cells and of params.yaml.

    Example: dvc checkout && ser restore-runs
    """
    from ser import cross_folders
    from ser.evaluation import scored_cell
    from ser.grid import variants
    from ser.tracking import cells, leaderboard, place
    from ser.tracking.known_runs import opening_once

    project, open_ = Project(), opening_once(Path())
    total = 0
    scored = project.scored_cells()
    for cell in scored:
        count = cells.restore(cell, open_, trained=project.trained(cell.folder.name))
        cells.add_figures(cell, project.cell_figures(cell.folder.name), open_)
        if count or not quiet:
            said = f"{count} runs restored" if count else "complete"
            typer.echo(f"{cell.folder}: {said}")
        total += count
    for name in sorted({cells.read(cell).experiment for cell in scored}):
        # Which cells differ in what is known when all are there.
        leaderboard.find(place.default_uri(Path()), name)
    for variant in (variants.UNTUNED, variants.WITHOUT_COPIES):
        for cell in project.trained_cells(variant):
            _restore_variant(cell, project, variant, open_)
    for folder in cross_folders.trained_pairs(project):
        scored_cell.publish_crossing(folder.folder.parent.name, folder, project, open_)
    _restore_comparison(project, open_, quiet=quiet)
    if not quiet:
        typer.echo(f"{total} runs restored from {len(scored)} cells")


def _restore_comparison(
    project: Project, open_: "Callable[..., KnownExperiment]", *, quiet: bool
) -> None:
    """Bring the run of the report back, if there is one and it is the report of these cells."""
    from ser.report import results as comparison

    if not project.page.is_file():
        return
    said = "complete"
    try:
        if not comparison.is_recorded(project, open_):
            _record_comparison(project)
            said = "1 run restored"
    except (FileError, LineageError) as error:
        said = f"its run is not restored: {error}"
    if said != "complete" or not quiet:
        typer.echo(f"{project.reports}: {said}")


def _record_comparison(project: Project) -> None:
    # Imported here: most often there is nothing to restore.
    from ser.params import read
    from ser.report import results as comparison
    from ser.tracking.mlflow_tracker import open_experiment
    from ser.workflow import current, current_cell

    current.require_data(project, read(project.params, current.DataParams))
    current.require_reports(project, read(project.params, current_cell.CellsNow))
    comparison.restore(project, open_experiment)


def _restore_variant(
    cell: CellFolder, project: Project, variant: str, open_: "Callable[..., KnownExperiment]"
) -> None:
    """Bring the runs of a cell beside the grid back; it is scored only where it was not before."""
    from ser.data import manifest, votes
    from ser.data.card import CorpusCard
    from ser.evaluation import scored_cell
    from ser.tracking import cells

    name = cell.folder.name
    scored = project.scored(name, variant)
    if cells.is_of(scored, cell):
        cells.restore(scored, open_, trained=cell)
    else:
        utterances = manifest.read(project.manifest)
        speaker_of = {u.id: u.speaker for u in utterances}
        said = votes.of_corpus(utterances, CorpusCard.read(project.corpus_card))
        scored_cell.publish(cell, scored, speaker_of, open_, said)
    cells.add_figures(cell, project.cell_figures(name, variant), open_)


def results(
    into: Annotated[
        Path | None, typer.Option(help="Also write the table into this Markdown file.")
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="Print the table alone, for a paper.")
    ] = None,
    methods: Annotated[
        bool, typer.Option("--methods", help="Print how the scores came about, for a paper.")
    ] = False,
) -> None:
    """Show the grid's scores and where the report is; without a report, the cells that are there.

    Refused where what lies in data/, runs/ or reports/ is not of params.yaml's corpus, classes,
    folds, cells and settings, or was made by other source than there is now.

    With --into, the table replaces what stands between the file's markers
    `<!-- results:<corpus>-<number of emotions> -->` and `<!-- /results -->`.

    With --format, cells and baselines with their intervals, and a mark at what is not told apart
    from the best; `latex` needs the package booktabs. With --methods, a paragraph that says
    corpus, folds, selection, seeds, tests, versions and the commit that recorded it.

    Example: ser results --into README.md
    """
    from ser.params import read
    from ser.report import paper
    from ser.report import results as tables
    from ser.workflow import current, current_cell, trained_cells

    project = Project()
    if into is not None:
        outputs.require_place(into)
    current.require_data(project, read(project.params, current.DataParams))
    now = read(project.params, current_cell.CellsNow)
    try:
        current.require_reports(project, now)
    except (FileError, LineageError) as error:
        if into is not None or format_ is not None or methods:
            raise
        there = trained_cells.look(project, now)
        if not there.scores:
            raise
        typer.echo(trained_cells.as_text(there, project))
        typer.echo(f"no report of these cells: {error}")
        return
    found = tables.read(project)
    if format_ is not None:
        typer.echo(paper.table(found, format_))
    if methods:
        typer.echo(tables.methods(project))
    if format_ is None and not methods:
        typer.echo(tables.as_text(found))
        typer.echo(f"report: {project.page.resolve()}")
    if into is not None:
        tables.write_into(into, found, project)
        typer.echo(f"{into}: the table {found.name} is up to date")
