"""Named arrays on disk, as safetensors; read with one error, like tables."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load_file

from ser.errors import FileError, translating
from ser.files import REPRO
from ser.wording import cut

_MAX_REASON = 400


def read(path: Path, *needed: str, cure: str = REPRO) -> dict[str, NDArray[Any]]:
    """Return the arrays of a safetensors file by name.

    Args:
        path: The file.
        *needed: Names that must be among them.
        cure: What brings a missing or damaged file back, for the message.

    Raises:
        FileError: It is missing, is no safetensors, or lacks an array.
    """
    if not path.exists():
        raise FileError(f"{path}: no such file; {cure}")

    def say(error: Exception) -> FileError:
        reason = cut(str(error), _MAX_REASON)
        return FileError(f"{path}: it is no safetensors of arrays ({reason}); {cure}")

    with translating(say):
        found = dict(load_file(path))
    if lacking := [name for name in needed if name not in found]:
        raise FileError(f"{path}: it has no {', '.join(lacking)}; {cure}")
    return found
