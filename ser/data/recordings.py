"""The recordings below a folder, whatever its owner's disk has added to them."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from ser.errors import AudioError, CorpusError
from ser.utterance import Utterance

#: What to do about a recording that is not as it was when the manifest was made.
CURE = (
    "bring the recordings back (`ser link-corpus`, `ser download-corpus`), or, if the corpus has "
    "changed for good, make all anew: `dvc repro`"
)


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


def num_hidden(folder: Path, *, suffixes: Collection[str] = (".wav",)) -> int:
    """Return how many files that end like recordings `below` passes over as hidden.

    Args:
        folder: Where to look, as `below` does.
        suffixes: Endings in lower case.

    Raises:
        CorpusError: A folder cannot be listed.
    """
    names = (path for path in _files(folder) if is_junk(path.name))
    return sum(path.suffix.lower() in suffixes for path in names)


def is_file(path: Path) -> bool:
    """Return whether there is such a file; there is none of a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def require(root: Path, utterances: Iterable[Utterance], *, why: str) -> None:
    """Refuse to begin where recordings are not there: known before hours of work, not after.

    Args:
        root: The corpus' folder.
        utterances: Whose recordings will be read.
        why: What needs them, for the message.

    Raises:
        AudioError: Names the first of those that are missing, how many they are, and the cure.
    """
    names = [utterance.audio for utterance in utterances]
    if missing := [name for name in names if not is_file(root / name)]:
        raise AudioError(
            f"{root / missing[0]}: missing: there is no such file ({len(missing)} of {len(names)} "
            f"recordings are not there); {why}; {CURE}"
        )


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
