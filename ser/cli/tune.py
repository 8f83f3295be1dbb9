"""The command that searches params of cells."""

import sys
from typing import Annotated

import typer

from ser.project import Project


def tune(
    cells: Annotated[
        list[str] | None,
        typer.Argument(help="Some of `tuning.cells` in params.yaml; all of them if none."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, instead of tuning.num_workers.")
    ] = None,
) -> None:
    """Run the trials of tuning, without DVC's bookkeeping.

    The trials are kept in the storage of `tuning.storage`, where `dvc repro` finds them
    finished and writes data/tuned without running any again. Features must have been
    extracted. On several machines, give each the same storage.

    Example: ser tune lstm-focal --workers 2
    """
    import shlex
    import subprocess

    from ser.params import read
    from ser.workflow import commands, current
    from ser.workflow.preset import Preset

    project = Project()
    preset = read(project.params, Preset)
    command = commands.tune(preset, cells or [], workers)
    current.require_data(project, read(project.params, current.DataParams))
    typer.echo(shlex.join(command))
    sys.stdout.flush()
    raise typer.Exit(subprocess.run(command, check=False).returncode)
