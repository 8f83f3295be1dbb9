"""What every parser of a folder needs: list its recordings, count them, refuse it."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from ser.errors import CorpusError, NotTheCorpusError


def is_junk(name: str) -> bool:
    """Return whether a file is hidden: `._*` twins that macOS leaves, `.DS_Store`."""
    return name.startswith(".")


def below(folder: Path, *, root: Path, suffixes: Collection[str] = (".wav",)) -> list[str]:
    """List recordings in a folder and its sub-folders.

    Args:
        folder: Where to look; junk is passed over, links are followed, each folder is walked
            once.
        root: The corpus' folder.
        suffixes: Endings in lower case; files may spell them in any case.

    Returns:
        Paths relative to `root`, `/`-separated, sorted.

    Raises:
        CorpusError: A folder cannot be listed.
    """
    return sorted(
        path.relative_to(root).as_posix()
        for path in _files(folder)
        if not is_junk(path.name) and path.suffix.lower() in suffixes
    )


def is_file(path: Path) -> bool:
    """Return whether there is such a file; there is none of a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; each folder once, whatever links lead to it."""

    def refuse(error: OSError) -> NoReturn:
        raise CorpusError(f"{error.filename}: cannot be listed ({error.strerror})") from error

    visited: set[tuple[int, int]] = set()
    waiting = [folder]
    # Links come last, so that what has a name of its own in the folder is found under that.
    for start in waiting:
        for parent, folders, names in os.walk(start, onerror=refuse):
            place = Path(parent)
            state = place.stat()
            if (state.st_dev, state.st_ino) in visited:
                folders.clear()
                continue
            visited.add((state.st_dev, state.st_ino))
            waiting += sorted(place / name for name in folders if (place / name).is_symlink())
            yield from (place / name for name in names)


def not_the_corpus(name: str, root: Path, *, expected: str) -> NotTheCorpusError:
    """Return the error for a folder that is not a corpus, with the cure.

    Args:
        name: The parser's name.
        root: The folder.
        expected: What was looked for and not found.

    Returns:
        The error, to be raised.
    """
    state = "is not this corpus" if root.is_dir() else "is not a folder"
    return NotTheCorpusError(
        f"{root}: {state}: expected {expected}; "
        f"`ser link-corpus {name} PATH` links the folder that holds it"
    )


def check_counts(
    name: str, *, found: Mapping[str, int], expected: Mapping[str, int], num_faulty: int = 0
) -> None:
    """Refuse a corpus whose number of utterances per label is not the known one.

    Args:
        name: The parser's name.
        found: Label -> number of utterances.
        expected: Label -> number of recordings as published.
        num_faulty: So many of the published recordings are known to be unusable; up
            to this many may be missing in all.

    Raises:
        CorpusError: Too many are missing, or there are more than published.
    """
    labels = sorted({*expected, *found})
    lacking = {label: expected.get(label, 0) - found.get(label, 0) for label in labels}
    if min(lacking.values()) >= 0 and sum(lacking.values()) <= num_faulty:
        return
    lines = [
        f"  {label}: {found.get(label, 0)} utterances, expected {expected.get(label, 0)}"
        for label in labels
        if lacking[label]
    ]
    allowed = f" (up to {num_faulty} known to be faulty may be missing)" if num_faulty else ""
    raise CorpusError(
        f"{name}: {sum(found.values())} utterances, expected {sum(expected.values())}{allowed}:\n"
        + "\n".join(lines)
        + "\nget the missing recordings, or set corpus.allow_partial: true to go on with these"
    )
