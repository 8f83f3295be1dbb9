"""What a result was made from, as digests: data, code, lock file; and versions of packages."""

import ast
import fnmatch
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from ser.cell_folders import CellFolder
from ser.errors import LineageError, ParamsError
from ser.files import JsonArtefact
from ser.params import load_mapping
from ser.project import Project

#: Stands for a digest or commit where there is nothing to take it from.
NONE = "none"

#: Name of the file that `Record` is kept in, and of the run's artifact.
RECORD = CellFolder(Path()).lineage.name

#: Packages whose version changes the bytes of what is trained, and is part of its run key.
DECISIVE_PACKAGES = ("accelerate", "numpy", "torch")

#: How long to wait before dvc.lock is read again, in seconds, if it is being rewritten.
_LOCK_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)

#: Imported by much, and yet no reason to compute anything anew: pattern -> why not.
DECIDES_NOTHING: Mapping[str, str] = {
    "pipelines/__init__.py": "sets the environment of the process",
    "ser/components.py": "finds a file by its name",
    "ser/cell_folders.py": "names of files, as ser/project.py",
    "ser/cross_folders.py": "names of files, as ser/project.py",
    "ser/engine/agreement.py": "how a difference is worded",
    "ser/engine/launcher_params.py": "what starts processes; how many there are is compared itself",
    "ser/engine/launching.py": "starts processes, as above",
    "ser/errors.py": "names of failures; what fails has no result",
    "ser/grid/cell_lock.py": "refuses a second process",
    "ser/grid/same_folds.py": "refuses a rank; what fails has no result",
    "ser/known_digests.py": "digests, as ser/lineage.py",
    "ser/lineage.py": "digests and versions: where a result came from, not what it is",
    "ser/params.py": "reads values that are compared themselves; their classes do count",
    "ser/markdown.py": "how pages show names",
    "ser/plain_yaml.py": "refuses files; the values in them are compared themselves",
    "ser/project.py": "names of files; dvc.yaml repeats them, and a test compares",
    "ser/contracts.py": "types alone; what keeps them is listed itself",
    "ser/pretrained/front_end.py": "refuses a checkpoint; what fails has no result",
    "ser/pretrained/tensors.py": "refuses a checkpoint; what fails has no result",
    "ser/processes.py": "which processes live",
    "ser/provenance.py": "where a result came from, not what it is",
    "ser/progress.py": "shows how far a job is",
    "ser/sqlite.py": "how a database is opened",
    "ser/runtime.py": "environment, signals and exit status of the process",
    "ser/stage_program.py": "the command line of a stage",
    "ser/tracking/memory_tracker.py": "where runs are recorded",
    "ser/tracking/mlflow_tracker.py": "where runs are recorded",
    "ser/tracking/provenances.py": "where a result came from, not what it is",
    "ser/tracking/recording.py": "what the store accepts",
    "ser/tracking/store.py": "where runs are recorded",
    "ser/wording.py": "how messages are worded",
}

_CHUNK_BYTES = 1 << 20
_PACKAGE = "__init__.py"


class Record(JsonArtefact):
    """What a run was made from, by digest; kept in `lineage.json`.

    Args:
        data: File of data, relative to the project's root -> SHA-256.
        sources: Source file, relative to the project's root -> SHA-256.
    """

    what: ClassVar[str] = "the lineage of a cell"
    sort_keys: ClassVar[bool] = True

    #: Runs of before name the machine here, too.
    model_config = ConfigDict(extra="ignore")

    data: Mapping[str, str]
    sources: Mapping[str, str]


def sha256_text(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hexadecimal.

    Raises:
        LineageError: The file is missing or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise LineageError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def canonical_json(value: object) -> str:
    """Return the one JSON text of a value: keys sorted, no spaces, non-ASCII kept.

    Raises:
        ValueError: The value holds NaN or infinity, which JSON cannot say.
        TypeError: The value holds something JSON cannot say.

    Example:
        >>> canonical_json({"b": [1, 2.5], "a": None})
        '{"a":null,"b":[1,2.5]}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def file_digests(
    root: Path, paths: Sequence[str | Path], digest: Callable[[Path], str] = sha256_file
) -> dict[str, str]:
    """Return the SHA-256 of files, and of every file below folders.

    Args:
        root: The project's root.
        paths: Files and folders, relative to the root; `__pycache__` is passed over.
        digest: Of one file.

    Returns:
        Path relative to the root, `/`-separated -> digest.

    Raises:
        LineageError: A path does not exist or cannot be read.
    """
    found: dict[str, str] = {}
    for path in map(root.joinpath, paths):
        files = path.rglob("*") if path.is_dir() else [path]
        for file in files:
            if not file.is_dir() and "__pycache__" not in file.parts:
                found[file.relative_to(root).as_posix()] = digest(file)
    return dict(sorted(found.items()))


def digest_folder(path: Path, digest: Callable[[Path], str] = sha256_file) -> str:
    """Return one SHA-256 over a folder: the names of its files and their contents.

    Args:
        path: The folder.
        digest: Of one file.

    Raises:
        LineageError: No such folder, or a file in it cannot be read.
    """
    if not path.is_dir():
        raise LineageError(f"{path}: no such folder")
    return sha256_text(canonical_json(file_digests(path, [Path()], digest)))


def imported_sources(root: Path, starts: Sequence[str], *, skip: Iterable[str] = ()) -> list[str]:
    """Return the project's source files that some files import, directly or not.

    Imports are read from the text, wherever in the file they stand; nothing is imported.
    `__init__` files are left out: they hold a docstring. A file or folder beside a source
    file that is named by a string in it, as a template or a table, counts with it.

    Args:
        root: The project's root.
        starts: Files to begin with, relative to the root; one that is not there is named
            all the same.
        skip: Patterns of files that are neither named nor followed (`fnmatch`).

    Returns:
        Paths relative to the root, `/`-separated, the starts among them, sorted.
    """
    patterns = tuple(skip)
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in found or any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            continue
        found.add(name)
        if not (root / name).is_file():
            continue
        named = _named_in((root / name).read_text(encoding="utf-8"))
        files = (f"{module.replace('.', '/')}.py" for module in named.modules)
        waiting += [file for file in files if (root / file).is_file()]
        beside = named.strings & _data_beside(root / name)
        found.update(f"{Path(name).parent.as_posix()}/{data}" for data in beside)
    return sorted(found)


def _data_beside(source: Path) -> set[str]:
    """Return the names of data files, and of folders of such, in the folder of a source file."""
    return {
        path.name
        for path in source.parent.iterdir()
        if path.suffix != ".py" and path.name != "__pycache__" and not (path / _PACKAGE).exists()
    }


@dataclass(frozen=True, slots=True)
class _Named:
    """What the text of a source file names.

    Args:
        modules: Dotted names that may be modules, of any import.
        strings: Texts that may be names of files.
    """

    modules: tuple[str, ...]
    strings: frozenset[str]


@cache
def _named_in(text: str) -> _Named:
    """Return what a source file names; the same text is parsed once a process."""
    modules: list[str] = []
    strings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
    return _Named(tuple(modules), frozenset(strings))


def source_sha256(root: Path, paths: Sequence[str | Path]) -> str:
    """Return one SHA-256 over source files and folders; see `file_digests`."""
    return sha256_text(canonical_json(file_digests(root, paths)))


def write_record(
    folder: Path, *, root: Path, sources: Sequence[str | Path], data: Sequence[str | Path]
) -> None:
    """Write `lineage.json`, the list of what a run was made from.

    Args:
        folder: Where to write it.
        root: The project's root.
        sources: Source files and folders, relative to the root.
        data: Data files and folders, relative to the root.

    Raises:
        LineageError: One of the files is missing.
    """
    record = Record(data=file_digests(root, data), sources=file_digests(root, sources))
    record.write(folder / RECORD)


def upstream_lock_sha256(root: Path, stages: Sequence[str]) -> str:
    """Return the SHA-256 of what dvc.lock says about the stages before this one.

    DVC writes a stage's entry after the stage has ended, so a running stage cannot know
    its own, nor those of siblings that run beside it and change the file meanwhile. What
    it can pin are the stages it stands on, whose entries hold the digests of everything
    upstream that was read and written.

    Args:
        root: The project's root, where dvc.lock lies.
        stages: Names as in dvc.lock, e.g. `["prepare", "split", "extract@mfcc"]`, any order.

    Returns:
        Hexadecimal digest, or `none` without a dvc.lock or without one of the stages.

    Raises:
        ParamsError: dvc.lock is not YAML.
    """
    entries = lock_entries(root)
    if not all(stage in entries for stage in stages):
        return NONE
    return sha256_text(canonical_json({stage: entries[stage] for stage in stages}))


def lock_entries(root: Path) -> Mapping[str, Any]:
    """Return what dvc.lock says of each stage, by its name; nothing without a dvc.lock.

    Raises:
        ParamsError: dvc.lock is not YAML.
    """
    lock = Project(root).lock
    return (_read_lock(lock).get("stages") or {}) if lock.is_file() else {}


def _read_lock(lock: Path) -> dict[str, Any]:
    """Read dvc.lock, which DVC rewrites in place: for a moment it is empty, or ends early."""
    for wait_s in _LOCK_WAITS_S:
        try:
            return load_mapping(lock)
        except ParamsError:
            time.sleep(wait_s)
    return load_mapping(lock)


def package_versions(names: Sequence[str]) -> Mapping[str, str]:
    """Return the installed version of each distribution, `none` where there is none."""
    return {name: _version(name) for name in names}


@cache
def _version(name: str) -> str:
    """Return a version; what a process has imported does not change under it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return NONE
