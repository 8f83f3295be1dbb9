"""The main job: everything from recordings to report, in one process."""

from pathlib import Path
from typing import Annotated

import typer

from ser.cli import checks, grid, runs

#: In DVC's own words.
_UP_TO_DATE = "Data and pipelines are up to date."


def repro(
    jobs: Annotated[int, typer.Option(min=1, help="Stages run at once, a process each.")] = 1,
) -> None:
    """Run the pipeline on params.yaml, recordings to report, and show the scores.

    The same as `ser doctor --quiet --fix`, `ser grid`, `dvc repro`, `ser restore-runs --quiet` and
    `ser results`, but packages are imported once and not five times. Where DVC says that nothing
    has changed, the second and the third are left out.

    Example: ser repro --jobs 2
    """
    from ser.workflow import dvc_runs

    root = Path()
    checks.doctor(fix=True, quiet=True)
    is_done = dvc_runs.is_up_to_date(root)
    if not is_done:
        grid.grid(jobs)
        is_done = not dvc_runs.repro(root)
    if is_done:
        typer.echo(_UP_TO_DATE)
    runs.restore_runs(quiet=True)
    runs.results()
