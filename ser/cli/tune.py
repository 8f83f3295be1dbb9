"""The command that searches params of cells."""

import sys
from pathlib import Path
from typing import Annotated

import typer


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
    finished and writes data/tuned.json without running any again. Features must have been
    extracted. On several machines, give each the same storage.

    Example: ser tune lstm-focal --workers 2
    """
    import shlex
    import subprocess

    command = tune_command(cells or [], workers)
    typer.echo(shlex.join(command))
    sys.stdout.flush()
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def tune_command(cells: list[str], workers: int | None) -> list[str]:
    """Return the command of the stage as dvc.yaml has it, but one that only fills the storage.

    Args:
        cells: Some cells, or none for all.
        workers: Processes, or None for what params.yaml says.

    Raises:
        ParamsError: A cell is not tuned, or params.yaml or dvc.yaml cannot be read.
    """
    from ser.errors import ParamsError
    from ser.params import load_mapping, read
    from ser.workflow.preset import Preset

    preset = read(Path("params.yaml"), Preset)
    unknown = [cell for cell in cells if cell not in preset.tuning.cells]
    if unknown:
        known = ", ".join(preset.tuning.cells) or "none"
        raise ParamsError(
            f"params.yaml: tuning.cells has no {', '.join(unknown)}; there are: {known}"
        )
    words: list[str] = load_mapping(Path("dvc.yaml"))["stages"]["tune"]["cmd"].split()
    out = words.index("--out")
    kept = words[1:out] + words[out + 2 :]
    options = ["--workers", str(workers)] if workers else []
    return [sys.executable, *kept, *options, *cells]
