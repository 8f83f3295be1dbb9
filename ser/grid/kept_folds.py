"""Finished folds, kept by their run key: whoever needs the same fold again finds it.

A fold under a seed is decided by its key (`ser.grid.specs.run_key`), so another seed, fold
or cell trains what is new and nothing else.
"""

import logging
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ser import files
from ser.project import Project
from ser.training.saved_fold import SavedFold

logger = logging.getLogger(__name__)


def find(
    project: Project, key: str, *, with_weights: bool = True, with_copies: bool = False
) -> SavedFold | None:
    """Return the kept fold of a run key, or None where it has to be trained.

    Args:
        project: The checkout.
        key: See `ser.grid.specs.run_key`.
        with_weights: A fold whose weights were given up (`keep_weights: best`) does not do.
        with_copies: Nor does one that has no predictions under the feature's copies.
    """
    saved = SavedFold(project.kept_fold(key).folder)
    if not saved.folder.exists():
        return None
    if not saved.is_complete(with_weights=with_weights, with_copies=with_copies):
        if saved.is_complete(with_weights=False, with_copies=with_copies):
            logger.info("%s: its weights were not kept, so it is trained again", saved.folder)
        else:
            logger.warning("%s: files are missing, so it is trained again", saved.folder)
        files.remove_folder(saved.folder)
        return None
    return saved


@dataclass(frozen=True, slots=True)
class KeptFold:
    """One kept fold.

    Args:
        key: Its run key; empty for what an interrupted process left behind.
        folder: Where it is.
        num_bytes: What would be free without it: files with another name elsewhere do not
            count.
        is_used: A cell of the present preset needs it.
    """

    key: str
    folder: Path
    num_bytes: int
    is_used: bool


def survey(project: Project, used: Collection[str]) -> list[KeptFold]:
    """Return all kept folds, sorted by key.

    Args:
        project: The checkout.
        used: The run keys that cells of the present preset need.
    """
    if not project.kept_folds.is_dir():
        return []
    found = []
    for folder in sorted(path for path in project.kept_folds.iterdir() if path.is_dir()):
        key = "" if folder.name.startswith(".") else folder.name
        found.append(KeptFold(key, folder, _own_bytes(folder), key in used))
    return found


def remove_unused(kept: Collection[KeptFold]) -> int:
    """Remove the kept folds that are not used.

    Args:
        kept: From `survey`.

    Returns:
        How many were removed.
    """
    unused = [fold for fold in kept if not fold.is_used]
    for fold in unused:
        if fold.key:
            files.remove_folder(fold.folder)
        else:
            shutil.rmtree(fold.folder)
    return len(unused)


def _own_bytes(folder: Path) -> int:
    stats = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)
