"""The files of a published checkpoint: which of them count, and whether each is whole.

Weights lie in one file, or in several (shards) beside an index that says which tensor is in
which. Nothing here knows an architecture, and nothing loads a network.
"""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ser import files
from ser.errors import WeightsError, translating

CONFIG = "config.json"
PREPROCESSING, PROCESSOR = "preprocessor_config.json", "processor_config.json"
SAFETENSORS, TORCH_FILE = "model.safetensors", "pytorch_model.bin"
SAFETENSORS_INDEX, TORCH_INDEX = f"{SAFETENSORS}.index.json", f"{TORCH_FILE}.index.json"

#: What to do about a file that is not what its name says.
CURE = (
    "put the published file there again; `ser download-weights <organisation/name> --revision "
    "<commit>` fetches a checkpoint whole"
)

_POINTER = b"version https://git-lfs"
_PROMISED = re.compile(rb"^size (\d+)$", re.MULTILINE)
_PAGE = (b"<!doctype html", b"<html")
#: More than a pointer has; a page says that it is one in fewer.
_BEGINNING_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Weights:
    """Which files of a folder hold the weights.

    Args:
        index: Name of the file that says which tensor is in which other file; None where
            there is one file.
        shards: Names of the files with the tensors, at least one.
    """

    index: str | None
    shards: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the index first."""
        return self.shards if self.index is None else (self.index, *self.shards)

    @property
    def is_safetensors(self) -> bool:
        """Whether the tensors are stored without a pickle."""
        return self.names[0] in (SAFETENSORS, SAFETENSORS_INDEX)


def weights_of(folder: Path) -> Weights | None:
    """Return the files that hold a checkpoint's weights, None where there are none.

    Where there are several formats it is the one that transformers takes: safetensors
    before pickles, one file before several.

    Raises:
        FileError, WeightsError: The index of the shards is damaged.
    """
    for single, index in ((SAFETENSORS, SAFETENSORS_INDEX), (TORCH_FILE, TORCH_INDEX)):
        if (folder / single).is_file():
            return Weights(None, (single,))
        if (folder / index).is_file():
            return Weights(index, _shards(folder / index))
    return None


def missing(folder: Path) -> list[str]:
    """Return the names of files without which a folder is no checkpoint, [] if all are there.

    Raises:
        FileError, WeightsError: The index of the shards is damaged.
    """
    names = [] if (folder / CONFIG).is_file() else [CONFIG]
    weights = weights_of(folder)
    if weights is not None:
        return names + [name for name in weights.shards if not (folder / name).is_file()]
    if any(folder.glob("model-*-of-*.safetensors")):
        return [*names, SAFETENSORS_INDEX]
    return [*names, f"{SAFETENSORS} (or {TORCH_FILE})"]


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of a checkpoint.

    Raises:
        FileError: It is missing, or is not a JSON object.
        WeightsError: It is something else in place of its content, see `require_content`.
    """
    if path.is_file():
        require_content(path)
    return files.read_object(path, cure=CURE)


def require_content(path: Path, *, cure: str = CURE) -> None:
    """Refuse a file that stands in place of the published one.

    Args:
        path: The file, which exists.
        cure: What to do, for the message.

    Raises:
        WeightsError: It is empty, a Git LFS pointer or a web page.
    """
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    if not beginning:
        raise WeightsError(f"{path}: it is empty; {cure}")
    if beginning.startswith(_POINTER):
        promised = _PROMISED.search(beginning)
        size = f" of {int(promised[1])} bytes" if promised else ""
        raise WeightsError(
            f"{path}: it is a Git LFS pointer, which only names the file{size}; `git lfs pull` "
            f"in {path.parent} brings the file itself, or {cure}"
        )
    if beginning.lstrip().lower().startswith(_PAGE):
        raise WeightsError(
            f"{path}: it is a web page (HTML), which a browser saves from a link to the page "
            f"about the file; {cure}"
        )


def require_whole(folder: Path, *, cure: str = CURE) -> None:
    """Refuse a checkpoint of which a file is cut off, damaged or a stand-in.

    Only the beginnings and sizes of files are read: a bit that flipped in a tensor is not
    found here.

    Args:
        folder: One of which no file is missing, see `missing`.
        cure: What to do, for the message.

    Raises:
        FileError: A file that should be a JSON object is none.
        WeightsError: Names the file and what it is.
    """
    weights = weights_of(folder)
    besides = (name for name in (CONFIG, PREPROCESSING, PROCESSOR) if (folder / name).is_file())
    for name in (*besides, *(weights.names if weights else ())):
        require_whole_file(folder / name, cure=cure)


def require_whole_file(path: Path, *, cure: str = CURE) -> None:
    """Refuse one file of a checkpoint that is cut off, damaged or a stand-in.

    Args:
        path: The file, which exists.
        cure: What to do, for the message.

    Raises:
        FileError: It should be a JSON object, and is not.
        WeightsError: It is something else in place of its content, or cut off.
    """
    require_content(path, cure=cure)
    if path.suffix == ".json":
        files.read_object(path, cure=cure)
    elif path.suffix == ".safetensors":
        shapes_in(path, cure=cure)
    else:
        _require_whole_pickle(path, cure=cure)


def shapes_in(path: Path, *, cure: str = CURE) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each tensor of a safetensors file, from its header alone.

    Args:
        path: The file.
        cure: What to do about a damaged one, for the message.

    Raises:
        WeightsError: The header is damaged, or the file is not as long as it says.
    """

    def say(error: Exception) -> WeightsError:
        return WeightsError(
            f"{path}: it is cut off or damaged, at a size of {path.stat().st_size} bytes "
            f"({error}); {cure}"
        )

    with translating(say), safe_open(path, framework="np") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no mapping)


def _require_whole_pickle(path: Path, *, cure: str) -> None:
    # torch writes a ZIP archive, whose table of contents is at the end. Its format before
    # 1.6 was another one; only loading tells whether such a file is whole.
    with path.open("rb") as file:
        is_archive = file.read(2) == b"PK"
    if is_archive and not zipfile.is_zipfile(path):
        raise WeightsError(
            f"{path}: it is cut off, at a size of {path.stat().st_size} bytes; {cure}"
        )


def _shards(index: Path) -> tuple[str, ...]:
    """Return the names of the files that an index names, sorted."""
    content = read_object(index)
    mapping = content.get("weight_map")
    if not isinstance(mapping, dict) or not mapping:
        raise WeightsError(f"{index}: it names no file (weight_map is {mapping!r}); {CURE}")
    if "metadata" not in content:  # transformers reads it
        raise WeightsError(f"{index}: it has no key metadata; {CURE}")
    names = sorted({str(name) for name in mapping.values()})
    for name in names:
        if not name or Path(name).name != name:
            raise WeightsError(f"{index}: it names the file {name!r}, which is not beside it")
    return tuple(names)
