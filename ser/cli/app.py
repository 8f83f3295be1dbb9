"""The command `ser`. Heavy modules are imported inside the commands that need them."""

import inspect
import io
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ser import runtime
from ser.cli import (
    checks,
    corpora,
    dependencies,
    folds,
    grid,
    monitor,
    pages,
    presets,
    registry,
    repro,
    runs,
    serving,
    tune,
    ui,
)
from ser.cli.several import SeveralValues

app = typer.Typer(
    name="ser",
    help="Speech emotion recognition: corpora, tracked runs, the registry and its models.\n\n"
    "Run it in the project's root. The main job is `make repro` (or `dvc repro`).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"ser, version {version('ser')}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    pass


#: Heading of the help page -> its commands.
_COMMANDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Corpora and weights": (
        corpora.demo_corpus,
        corpora.link_corpus,
        corpora.download_corpus,
        corpora.download_weights,
        presets.use,
        presets.new_preset,
    ),
    "Training and results": (
        repro.repro,
        runs.train,
        grid.grid,
        tune.tune,
        runs.protocol_gap,
        runs.cross_corpus,
        runs.results,
        runs.restore_runs,
        folds.kept_folds,
        ui.ui,
    ),
    "Registry and serving": (
        registry.register,
        registry.promote,
        registry.rollback,
        serving.predict,
        serving.predict_batch,
        serving.serve,
        serving.export,
        monitor.monitor,
    ),
    "Checks": (
        checks.verify,
        checks.doctor,
        dependencies.dependencies,
        pages.params_page,
        pages.api_page,
    ),
}


def _help_of(command: Callable[..., Any]) -> str:
    """Return a docstring with one line a paragraph: a terminal has its own width."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for panel, commands in _COMMANDS.items():
    for command in commands:
        app.command(help=_help_of(command), rich_help_panel=panel, cls=SeveralValues)(command)


def main() -> None:
    """Run the command line.

    Raises:
        SystemExit: Always; the status is 0 done, 1 refused or failed, 2 wrong usage.
    """
    runtime.configure()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text, and not every terminal has every letter.
        sys.stdout.reconfigure(errors="backslashreplace")
    raise SystemExit(runtime.run_main(_run, has_imported=False))


def _run() -> None:
    """Run the command; an interrupt comes out as it went in, SIGTERM as itself."""
    try:
        app()
    except SystemExit as ended:
        # Typer makes exit status 130 of Ctrl-C and of SIGTERM alike, and says nothing.
        cause = ended.__context__ and ended.__context__.__cause__
        if isinstance(cause, KeyboardInterrupt):
            raise cause from None
        raise
