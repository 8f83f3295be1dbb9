"""What killed commands left: halves of files, and units for others; it takes space and no more."""

from collections.abc import Iterator
from pathlib import Path

from ser import files, processes
from ser.project import Project
from ser.workflow.finding import Finding

_WHAT = "leftovers"


def examine(root: Path, *, fix: bool = False) -> Iterator[Finding]:
    """Look for what killed writers left in the folders that the pipeline writes.

    That is halves, and shards and trials that were made for another machine.

    Args:
        root: The project's root.
        fix: Remove it, unless another process works in the project: it may be writing there.

    Yields:
        One finding; none where nothing is left.
    """
    found = sorted(_below(Project(root)))
    if not found:
        return
    detail = f"{len(found)} left by killed writers, e.g. {found[0].relative_to(root)}"
    others = [pid for pid in processes.working_in(root) if processes.mentions(pid, "python")]
    if others:
        shown = ", ".join(map(str, others))
        cure = f"process {shown} works here and may be writing them: later, `ser doctor --fix`"
        yield Finding("ok", _WHAT, detail, cure)
    elif fix:
        for path in found:
            files.remove_leftover(path)
        yield Finding("mend", _WHAT, f"{detail}; removed")
    else:
        yield Finding("warn", _WHAT, detail, "`ser doctor --fix` removes them")


def _below(project: Project) -> Iterator[Path]:
    """Yield halves of what the pipeline makes; recordings and the tracker's files are not."""
    corpora = project.raw("")
    recordings = list(corpora.iterdir()) if corpora.is_dir() else []
    for folder in (project.data, project.runs, project.reports, project.work):
        yield from files.leftovers(folder, skip=recordings)
    yield from (path for path in project.root.iterdir() if files.is_leftover(path))
    # What another machine asked for and never fetched, or this one never put together.
    for units in (project.kept_shard("any"), project.kept_study("any")):
        whole = units.parent.glob("*")
        yield from (path for path in whole if not files.is_leftover(path))
