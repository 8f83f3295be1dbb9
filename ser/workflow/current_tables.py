"""Are the tables in reports/ of the data in data/? dvc.lock knows from what a stage made them."""

import hashlib
from pathlib import Path

from ser import lineage
from ser.errors import LineageError
from ser.project import Project
from ser.tracking.cells import CURE


def require_tables(project: Project) -> None:
    """Refuse tables, texts and pages of reports/ that were made from other data than those here.

    A file that dvc.lock does not know byte by byte, as one that was made without DVC, passes: its
    reader compares what it says with the cells.

    Args:
        project: Where dvc.lock, data and reports are.

    Raises:
        LineageError: A stage made one of them from another manifest, other folds or another corpus.
        ParamsError: dvc.lock is not YAML.
    """
    data = (project.manifest, project.corpus_card, project.splits, project.split_report)
    now = {path.relative_to(project.root).as_posix(): _md5(path) for path in data if path.is_file()}
    for stage, entry in lineage.lock_entries(project.root).items():
        made = [
            out["path"]
            for out in entry.get("outs", ())
            if Path(out["path"]).is_relative_to(project.reports.relative_to(project.root))
            and _is_the_file(project.root / out["path"], out.get("md5"))
        ]
        used = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
        other = [path for path in now if path in used and used[path] != now[path]]
        if made and other:
            raise LineageError(
                f"{project.root / made[0]}: the stage {stage} made it from another {other[0]} than "
                f"there is now; {CURE}"
            )


def _is_the_file(path: Path, md5: str | None) -> bool:
    return path.is_file() and _md5(path) == md5


def _md5(path: Path) -> str:
    # Nobody's secret: what DVC writes into its lock.
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
