"""Commands of the model registry: register a cell, judge it, promote it, go back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser.cli import completion
from ser.errors import RegistryError
from ser.project import Project

if TYPE_CHECKING:
    from ser.promotion.champion import ChampionLine
    from ser.workflow.preset import Preset

_MODEL = typer.Option(
    help="Registered model; default: that of params.yaml's corpus, classes and protocol."
)


def register(
    cell: Annotated[
        str,
        typer.Argument(help="A trained cell, e.g. lstm-focal.", autocompletion=completion.cells),
    ],
    fold: Annotated[int | None, typer.Option(help="Serve the weights of this fold.")] = None,
    seed: Annotated[int | None, typer.Option(help="Serve the weights of this seed.")] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Train once more, on all parts, and serve that.")
    ] = False,
) -> None:
    """Register a trained cell as a new version and make it the challenger.

    Without options the weights of the fold and seed with the highest dev UAR are served.

    Example: ser register lstm-cross_entropy
    """
    import tempfile

    from ser.params import read
    from ser.promotion import registration
    from ser.promotion.params import AnswerParams
    from ser.registry.packing import TrainedCell
    from ser.workflow import current, current_cell

    params = read(Project().params, AnswerParams)
    project = Project()
    trained = TrainedCell(project, cell)
    if not trained.folder.is_dir():
        known = ", ".join(path.name for path in sorted(project.runs.glob("*-*"))) or "none"
        raise RegistryError(f"{trained.folder}: no such trained cell; there are: {known}")
    current.require_data(project, read(project.params, current.DataParams))
    current_cell.require_cell(project, trained.files, read(project.params, current_cell.CellsNow))
    if refit and fold is not None:
        raise RegistryError("--refit trains on all parts, --fold serves one: say one of them")
    with tempfile.TemporaryDirectory() as scratch:
        if refit:
            from ser.promotion import refit as refitting

            packed = refitting.pack(trained, params, scratch=Path(scratch), seed=seed)
        else:
            packed = registration.pack_fold(trained, params, fold=fold, seed=seed)
        done = registration.register(
            trained, packed, root=Path(), embed_checkpoint=params.serving.embed_checkpoint
        )
    said = "registered" if done.is_new else "was registered before"
    typer.echo(f"{done.name} version {done.version}: {cell}, {done.weights}; {said}, challenger")


def promote(
    version: Annotated[
        int | None, typer.Option(help="Judge this version instead of the challenger.")
    ] = None,
    allow_synthetic: Annotated[
        bool, typer.Option("--allow-synthetic", help="Promote a model of synthetic speech.")
    ] = False,
    new_line: Annotated[
        str | None,
        typer.Option("--new-line", help="Why it is not compared with the present champion."),
    ] = None,
    model: Annotated[str | None, _MODEL] = None,
) -> None:
    """Judge the challenger by every gate; make it champion if it passes all.

    The decision is tracked as a run with its reasons, either way. Exit status 1, and
    nothing moved, if a gate is not passed. Limits: section `gates` of params.yaml.

    Challenger and champion are compared on the utterances that both tested. Where these are too
    few, --new-line "why" begins a new line of champions; all other gates hold.

    Example: ser promote --allow-synthetic
    """
    from ser.params import read
    from ser.promotion import champion, decision
    from ser.promotion.measuring import Workplace
    from ser.registry import versions
    from ser.registry.verdicts import as_table
    from ser.registry.version import CHALLENGER
    from ser.workflow.preset import Preset

    params = read(Project().params, Preset)
    if new_line is not None and not new_line.strip():
        raise RegistryError(
            '--new-line needs a reason, e.g. --new-line "the corpus was recorded anew"'
        )
    registry = versions.open_registry(Path())
    place = Workplace(registry, Path(), allow_synthetic, new_line)
    reference = CHALLENGER if version is None else version
    name = model or champion.require(line_of(params), registry, reference).name
    typer.echo(f"judging {name}, {reference}: its model is asked in a process of its own ...")
    decided = decision.decide(name, reference, params=params.gates, place=place)
    typer.echo(as_table(decided.verdicts))
    title = f"{name} {decided.challenger.title}"
    if decided.failed:
        raise RegistryError(f"{title} is refused by: {', '.join(decided.failed)}; nothing moved")
    before = "none" if decided.champion is None else decided.champion.title
    typer.echo(f"{title} is champion; before: {before}")


def rollback(model: Annotated[str | None, _MODEL] = None) -> None:
    """Give the alias champion back to the version that had it before; that is tracked as a run.

    Example: ser rollback
    """
    from ser.params import read
    from ser.promotion import champion
    from ser.promotion import rollback as rolling_back
    from ser.registry import versions
    from ser.registry.version import CHAMPION
    from ser.workflow.preset import Preset

    registry = versions.open_registry(Path())
    name = model
    if name is None:
        params = read(Project().params, Preset)
        name = champion.require(line_of(params), registry, CHAMPION).name
    left, now = rolling_back.go_back(name, registry, root=Path())
    typer.echo(f"{name}: {now.title} is champion again; {left.title} was")


def line_of(params: "Preset") -> "ChampionLine":
    """Return the line of versions of the corpus, classes and protocol in params.yaml."""
    from ser.promotion.champion import ChampionLine

    return ChampionLine.of(params.corpus.model_dump(mode="json"), params.split.protocol)
