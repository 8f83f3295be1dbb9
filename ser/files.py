"""Reading and replacing files of the project: whole or not at all, with one error.

A reader sees the old content or the new one, never half of either, whatever ends the
writer: everything is written under another name beside its place and then renamed. What a
killed writer leaves there begins with a dot and ends in `.part`.
"""

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import ValidationError

from ser import runtime
from ser.errors import FileError, SerError
from ser.params import Section, explain
from ser.wording import cut

#: What makes a missing or damaged artefact of the pipeline anew.
REPRO = "`dvc repro` makes it"

_MAX_REASON = 400
#: The names that `_beside` gives, also to what already has one.
_LEFTOVER = re.compile(r"\.+.+(\.[0-9a-f]{8}\.part)+")

_Parsed = TypeVar("_Parsed")


def read_text(path: Path, *, cure: str = REPRO) -> str:
    """Return the text of a UTF-8 file.

    Args:
        path: The file.
        cure: What brings a missing or damaged file back, for the message.

    Raises:
        FileError: It is missing, cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file; {cure}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path}: cannot be read as UTF-8 text ({error}); {cure}") from error


def read_json(
    path: Path,
    parse: Callable[[Any], _Parsed],
    *,
    what: str = "the JSON that is expected",
    cure: str = REPRO,
) -> _Parsed:
    """Return the content of a JSON file, as a typed value.

    Args:
        path: The file.
        parse: Makes the value of the parsed JSON; whatever it raises says that the content is
            not of the expected form, but for errors of ours, which pass.
        what: What the file should hold, for the message.
        cure: What brings a missing or damaged file back, for the message.

    Raises:
        FileError: It is missing, is not JSON, or is not of that form.
    """
    text = read_text(path, cure=cure)
    try:
        return parse(json.loads(text))
    except ValidationError as error:
        raise FileError(f"{path}: it is not {what}; {cure}. Wrong is:\n{explain(error)}") from error
    except KeyError as error:
        raise FileError(f"{path}: it is not {what} (no key {error}); {cure}") from error
    except SerError:
        raise
    except Exception as error:
        # Whatever `parse` makes of a value that nobody thought of, e.g. of an infinite count.
        reason = cut(str(error), _MAX_REASON)
        raise FileError(f"{path}: it is not {what} ({reason}); {cure}") from error


def read_object(path: Path, *, what: str = "a JSON object", cure: str = REPRO) -> dict[str, Any]:
    """Return the object in a JSON file whose keys are not known beforehand; see `read_json`.

    Raises:
        FileError: It is missing, is not JSON, or holds something other than an object.
    """
    return read_json(path, _object, what=what, cure=cure)


def write_text(path: Path, text: str) -> None:
    """Replace a text file, UTF-8, in one step; its folder is made where it is missing."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object, *, indent: int = 2, sort_keys: bool = False) -> None:
    """Replace a JSON file in one step; non-ASCII letters stay readable.

    Raises:
        ValueError: The value holds NaN or infinity, which JSON cannot say.
    """
    text = json.dumps(
        value, indent=indent, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False
    )
    write_text(path, f"{text}\n")


class JsonArtefact(Section):
    """A JSON file of the pipeline, typed: its fields are the keys."""

    #: With its article, for messages, e.g. `a corpus card`.
    what: ClassVar[str]
    #: Whether the keys, those of nested mappings too, are sorted on disk.
    sort_keys: ClassVar[bool] = False
    #: What brings a missing or damaged file back.
    cure: ClassVar[str] = REPRO

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the content of a file.

        Raises:
            FileError: It is missing, damaged, or has other keys or types.
        """
        return read_json(path, cls.model_validate, what=cls.what, cure=cls.cure)

    def write(self, path: Path) -> None:
        """Replace a file by this content."""
        write_json(path, self.model_dump(mode="json"), sort_keys=self.sort_keys)


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a place to write a file; leaving the block normally renames it to its name.

    Args:
        path: Where the file shall be; its folder is made where it is missing.
        durable: Whether it must be whole even after the power fails; for what is taken over by
            its name alone. It waits for the disk.

    Yields:
        A path in the same folder that does not exist yet. After an exception nothing is
        left there, and an old file stays as it was.

    Raises:
        OSError: The file cannot be written; names it, also where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _beside(path)
    try:
        with _named(path, part):
            yield part
            if durable:
                _sync(part)
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give an empty folder to fill; leaving the block normally puts it in place.

    Args:
        path: Where the folder shall be. An old one is moved aside first and removed last,
            so that the name never stands for half of a folder.
        durable: See `replacing`.

    Yields:
        An empty folder beside it. After an exception it is removed.

    Raises:
        OSError: The folder cannot be written; names it where nothing else is named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _beside(path)
    try:
        with _named(path, part):
            part.mkdir()
            yield part
            for file in [file for file in part.rglob("*") if durable and file.is_file()]:
                _sync(file)
            put_folder(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def adding(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill; leaving the block normally moves its files into another.

    Args:
        folder: Made where it is missing. It may hold others; those of the same names are replaced,
            each in one step, once all of the new ones are whole.

    Yields:
        An empty folder beside it. After an exception it is removed, and the other is as it was.

    Raises:
        OSError: A file cannot be written; names the folder where nothing else is named.
    """
    is_new = not folder.exists()
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = _beside(folder)
    try:
        with _named(folder, part):
            part.mkdir()
            yield part
            if is_new:
                part.replace(folder)
            else:
                _move_files(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _move_files(source: Path, target: Path) -> None:
    """Move the files of a folder into another one of the same file system."""
    found = [path.relative_to(source) for path in source.rglob("*") if not path.is_dir()]
    for name in found:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
    for name in found:
        (source / name).replace(target / name)


@contextmanager
def _named(path: Path, part: Path) -> Iterator[None]:
    """Let what the system refuses name the place that was meant, not one that only we know.

    A write to a file that is open says no name at all, and libraries say a full disk in words.
    """
    try:
        yield
    except OSError as error:
        meant = _meant(error, path, part)
        if error.errno is None or meant is None:
            raise
        raise OSError(error.errno, error.strerror, meant) from error
    except SerError:
        raise
    except Exception as error:
        if runtime.disk_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def _meant(error: OSError, path: Path, part: Path) -> str | None:
    """Return the name that an error should have; None where it has one of another place."""
    if error.filename is None:
        return str(path)
    for named in (error.filename2, error.filename):  # the second one is written to
        if isinstance(named, str | Path) and Path(named).is_relative_to(part):
            return str(path / Path(named).relative_to(part))
    return None


def put_folder(part: Path, path: Path) -> None:
    """Put a complete folder in place of another, or where none is.

    Args:
        part: The complete folder, on the same file system.
        path: Where it shall be; its parent exists.
    """
    if path.exists():
        # Aside means beside the new one: where the old one was, nothing may be left behind.
        old = _beside(part)
        path.replace(old)
        part.replace(path)
        shutil.rmtree(old)
    else:
        part.replace(path)


def remove_folder(path: Path) -> None:
    """Remove a folder so that its name never stands for half of it; none is no error."""
    if not path.exists():
        return
    old = _beside(path)
    path.replace(old)
    shutil.rmtree(old)


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of a file or folder left beside it.

    Args:
        path: Its place; only where no other process can be writing there.
    """
    name = re.compile(rf"\.+{re.escape(path.name)}(\.[0-9a-f]{{8}}\.part)+")
    for part in [other for other in path.parent.iterdir() if name.fullmatch(other.name)]:
        remove_leftover(part)


def leftovers(folder: Path, *, skip: Collection[Path] = ()) -> Iterator[Path]:
    """Yield what killed writers, or living ones, have below a folder, in no order.

    Args:
        folder: Searched to its depths; links are not followed. None there is no error.
        skip: Folders that are not searched.
    """
    for name, folders, names in os.walk(folder):
        place = Path(name)
        yield from filter(is_leftover, (place / part for part in [*folders, *names]))
        deeper = (place / part for part in folders)
        folders[:] = [path.name for path in deeper if not is_leftover(path) and path not in skip]


def is_leftover(path: Path) -> bool:
    """Return whether a path is named like what a killed writer leaves."""
    return _LEFTOVER.fullmatch(path.name) is not None


def remove_leftover(path: Path) -> None:
    """Remove one of `leftovers`; that it has gone meanwhile is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def replace_files(source: Path, target: Path) -> None:
    """Copy the files of a folder, each in one step, into one that may hold others.

    Args:
        source: A folder.
        target: Made where it is missing. Files of the same names are replaced.
    """
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        with replacing(target / path.relative_to(source)) as part:
            shutil.copy(path, part)


def link_tree(source: Path, target: Path, *, ignore: Sequence[str] = ()) -> None:
    """Give all files of a folder a second name below another; copies where links do not work.

    Nothing in this project changes a file in place, so the two names never differ; a weight
    of a gigabyte takes its space once.

    Args:
        source: A folder.
        target: Made where it is missing; files that are there already must not be among them.
        ignore: Patterns of files that get none (`fnmatch`).
    """
    shutil.copytree(
        source,
        target,
        ignore=shutil.ignore_patterns(*ignore),
        copy_function=link,
        dirs_exist_ok=True,
    )


def link(source: str | Path, target: str | Path) -> None:
    """Give a file a second name, see `link_tree`; a copy where links do not work.

    Args:
        source: The file.
        target: Its second name.

    Raises:
        OSError: There is such a name, or the file cannot be copied.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise  # a copy would write through all names of the file that is there
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _sync(path: Path) -> None:
    """Wait until a file is on the disk: its name may get there before its content does."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _object(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise TypeError(f"got {type(content).__name__}")
    return content


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
