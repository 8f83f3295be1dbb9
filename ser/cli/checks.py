"""Commands that check the installation, the store and where a run came from."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser import runtime
from ser.cli import completion, extras
from ser.errors import LineageError, SerError

if TYPE_CHECKING:
    from ser.workflow.finding import Finding


def verify(
    run: Annotated[
        str,
        typer.Argument(
            help="A cell, e.g. lstm-focal, or MLflow's id of a run, as its page shows it.",
            autocompletion=completion.cells,
        ),
    ],
) -> None:
    """Check that a run still leads back to its data, features, code, lock and commit.

    A cell must be that of params.yaml, too; the id of a run may name one of other params. Exit
    status 1 if anything differs.

    Example: ser verify lstm-focal
    """
    from ser.tracking import verify as verification

    run_id = verification.find_id(run, Path())
    checks = verification.verify(run_id, Path())
    rows = [
        ("ok" if check.ok else "DIFFERS", check.name, check.recorded, check.found, check.where)
        for check in checks
    ]
    _table(("", "what", "recorded", "found", "where"), rows)
    differing = [check.name for check in checks if not check.ok]
    if differing:
        raise LineageError(f"run {run_id} differs from the workspace in: {', '.join(differing)}")
    if run_id != run:
        _require_current(run)
    typer.echo(f"run {run_id}: all {len(checks)} checks agree")


def _require_current(cell: str) -> None:
    """Refuse a cell that is another than that of params.yaml."""
    from ser.params import read
    from ser.project import Project
    from ser.workflow import current, current_cell

    project = Project()
    current.require_data(project, read(project.params, current.DataParams))
    now = read(project.params, current_cell.CellsNow)
    current_cell.require_cell(project, project.run(cell), now)


def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Mend what kills, a full disk or a move left, without loss."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what is not well.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a Ray cluster: do its nodes have what is here?"),
    ] = None,
) -> None:
    """Report what is wrong with the installation, the corpus or the store, with the cure.

    With --cluster, only whether its nodes have the code, versions and data that are here, and
    reach the stores of runs and studies.

    Exit status 1 if something will make a command fail.
    """
    with runtime.importing():
        from ser.workflow import diagnosis

    findings = _nodes(cluster) if cluster else diagnosis.diagnose(Path(), fix=fix)
    for finding in findings:
        if quiet and finding.level == "ok":
            continue
        typer.echo(f"{finding.level:4}  {finding.what}: {finding.detail}")
        if finding.cure:
            typer.echo(f"      cure: {finding.cure}")
    failed = sorted({finding.what for finding in findings if finding.level == "fail"})
    if failed:
        raise SerError(f"something is wrong with: {', '.join(failed)}")


def _nodes(address: str) -> "list[Finding]":
    """Compare the nodes of a cluster with this machine."""
    extras.require_ray("--cluster")
    from ser.engine import cluster
    from ser.tracking import place
    from ser.workflow import cluster_diagnosis

    root = Path()
    tracking, studies = place.server(root), cluster_diagnosis.studies_server(root)
    with cluster.connected(address):
        answers = cluster.ask_all(cluster_diagnosis.answer, tracking)
    here = cluster_diagnosis.state(root)
    return list(cluster_diagnosis.examine(here, answers, tracking=tracking, studies=studies))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, digests shortened so that a line fits a terminal."""
    shown = [[cell if len(cell) <= 44 else f"{cell[:16]}..." for cell in row] for row in rows]
    lines = [list(header), *shown]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
