"""The command that writes what the stages of dvc.yaml depend on."""

from typing import Annotated

import typer


def dependencies(
    check: Annotated[
        bool, typer.Option("--check", help="Only say what differs; exit status 1 if anything.")
    ] = False,
) -> None:
    """Write into dvc.yaml what each stage depends on: what its program imports and reads.

    Run it after a change of imports, or of what a program says that it reads.

    Example: ser dependencies --check
    """
    from ser.errors import PipelineError
    from ser.project import Project
    from ser.workflow import dependencies as computed

    project = Project()
    changed = computed.differences(project) if check else computed.update(project)
    for line in changed:
        typer.echo(line)
    if check and changed:
        raise PipelineError(
            f"{project.pipeline}: the dependencies are out of date; `ser dependencies` writes them"
        )
    if not changed:
        typer.echo(f"{project.pipeline}: every stage depends on what it should")
