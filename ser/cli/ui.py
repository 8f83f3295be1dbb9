"""The command that shows the runs: MLflow's user interface, opened on the leaderboard."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ser.cli import ports
from ser.errors import SerError

_HOST = "127.0.0.1"
# Its job runner would start a dozen processes that this project has no use for.
_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser",
            help="Open the address in a browser; default: on a desktop, from a terminal.",
        ),
    ] = None,
) -> None:
    """Show the cells in MLflow's user interface, best first, with the columns that matter.

    The address that is printed, and opened, is the leaderboard of params.yaml's corpus, classes
    and protocol: one row per cell, ordered by its test score, with the params that differ.
    Exit status 1 where something else listens at the port.

    Example: ser ui --port 5001
    """
    import subprocess

    from ser.tracking import store
    from ser.wording import without_password

    uri = store.default_uri(Path())
    store.connect(uri)
    is_local = store.database_path(uri) is not None
    base = f"http://{_HOST}:{port}" if is_local else without_password(uri)
    if is_local:
        ports.require_free(_HOST, port, command="ser ui")
    address = _leaderboard(uri, base)
    if not is_local:
        typer.echo(f"{address}: the runs are on a server that has a user interface of its own")
        return
    typer.echo(f"{address} shows {uri}; Ctrl-C ends it")
    sys.stdout.flush()
    if _is_on_a_desktop() if browser is None else browser:
        # In a process of its own, which waits for the server: this one becomes the server.
        subprocess.Popen([sys.executable, "-m", "ser.cli.browser", base, address])
    # Replaced, not called: signals then reach the server itself.
    os.execve(sys.executable, ui_command(uri, port), {**os.environ, **_ENVIRONMENT})


def ui_command(uri: str, port: int) -> list[str]:
    """Return the command line of MLflow's user interface over a store, one worker."""
    server = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    return [*server, "--host", _HOST, "--port", str(port), "-w", "1"]


def _leaderboard(uri: str, base: str) -> str:
    """Return the leaderboard's address; that of the list of experiments where there is none."""
    from ser.data import task
    from ser.params import read
    from ser.project import Project
    from ser.tracking import leaderboard, views
    from ser.workflow.preset import Preset

    try:
        params = read(Project().params, Preset)
    except SerError as error:
        typer.echo(f"{error}; so all experiments are shown", err=True)
        return base
    of_task = task.of_section(params.corpus.model_dump(mode="json"))
    name = f"ser/{of_task}/{params.split.protocol}"
    found = leaderboard.find(uri, name)
    if found is None:
        typer.echo(f"{name}: no run yet, so all experiments are shown; `dvc repro` records runs")
        return base
    return views.address(found, base=base)


def _is_on_a_desktop() -> bool:
    """Whether a browser would open in a window, and somebody is there to see it."""
    has_windows = sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return has_windows and sys.stdout.isatty()
