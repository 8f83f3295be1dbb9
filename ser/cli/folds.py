"""The command that shows and removes finished folds that are kept."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ser.grid.kept_folds import KeptFold


def kept_folds(
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove those that no cell of params.yaml uses.")
    ] = False,
) -> None:
    """Show what the finished folds take that are kept for cells which need them again.

    A fold under a seed is kept by the key of everything that decides its result, so another
    seed, or the way back to former params, trains what is new and nothing else. Space that a
    file shares with a results folder is not counted: removing the fold would not free it.

    Example: ser kept-folds --remove
    """
    from ser.grid import kept_folds as folds
    from ser.project import Project
    from ser.workflow import used_folds

    project = Project()
    kept = folds.survey(project, used_folds.keys(project))
    unused = [fold for fold in kept if not fold.is_used]
    typer.echo(
        f"{project.kept_folds}: {len(kept)} folds, {_size(kept)}; cells of params.yaml do not "
        f"use {len(unused)} of them, {_size(unused)}"
    )
    if remove:
        typer.echo(f"{folds.remove_unused(kept)} removed")
    elif unused:
        typer.echo("`ser kept-folds --remove` removes those that are not used")


def _size(kept: list["KeptFold"]) -> str:
    megabytes = sum(fold.num_bytes for fold in kept) / 1e6
    return f"{megabytes:.1f} MB"
