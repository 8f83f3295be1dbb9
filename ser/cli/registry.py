"""Commands of the model registry: register a cell, judge it, promote it, go back."""

from pathlib import Path
from typing import Annotated

import typer

from ser.errors import RegistryError
from ser.project import Project

_MODEL = typer.Option(help="Registered model; default: that of params.yaml's corpus and protocol.")


def register(
    cell: Annotated[str, typer.Argument(help="A trained cell, e.g. lstm-focal.")],
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

    params = read(Project().params, AnswerParams)
    project = Project()
    trained = TrainedCell(project, cell)
    if not trained.folder.is_dir():
        known = ", ".join(path.name for path in sorted(project.runs.glob("*-*"))) or "none"
        raise RegistryError(f"{trained.folder}: no such trained cell; there are: {known}")
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
    model: Annotated[str | None, _MODEL] = None,
) -> None:
    """Judge the challenger by every gate; make it champion if it passes all.

    The decision is tracked as a run with its reasons, either way. Exit status 1, and
    nothing moved, if a gate is not passed. Limits: section `gates` of params.yaml.

    Example: ser promote --allow-synthetic
    """
    from ser.params import read
    from ser.promotion import decision
    from ser.promotion.measuring import Workplace
    from ser.registry import gates, versions
    from ser.workflow.preset import Preset

    params = read(Project().params, Preset)
    place = Workplace(versions.open_registry(Path()), Path(), allow_synthetic)
    name = model or default_model()
    reference = versions.CHALLENGER if version is None else version
    typer.echo(f"judging {name}, {reference}: its model is asked in a process of its own ...")
    decided = decision.decide(name, reference, params=params.gates, place=place)
    typer.echo(gates.as_table(decided.verdicts))
    title = f"{name} {decided.challenger.title}"
    if decided.failed:
        raise RegistryError(f"{title} is refused by: {', '.join(decided.failed)}; nothing moved")
    before = "none" if decided.champion is None else decided.champion.title
    typer.echo(f"{title} is champion; before: {before}")


def rollback(model: Annotated[str | None, _MODEL] = None) -> None:
    """Give the alias champion back to the version that had it before.

    Example: ser rollback
    """
    from ser.registry import versions

    name = model or default_model()
    left, now = versions.open_registry(Path()).rollback(name)
    typer.echo(f"{name}: {now.title} is champion again; {left.title} was")


def default_model() -> str:
    """Return the registered model of the corpus and protocol in params.yaml."""
    from ser.params import read
    from ser.registry import versions
    from ser.workflow.preset import Preset

    params = read(Project().params, Preset)
    return versions.model_name(params.corpus.name, params.split.protocol)
