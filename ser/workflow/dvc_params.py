"""params.yaml, which DVC parses for every stage that names it, parsed once.

DVC looks a file's reader up by its suffix, in a table of its own. As long as DVC works in this
process, one stands there that remembers.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.fs import LocalFileSystem
from dvc.utils.serialize import LOADERS

_SUFFIX = ".yaml"


@contextmanager
def parsed_once() -> Iterator[None]:
    """Let DVC parse a YAML file of params again only where the file has changed."""
    known: dict[tuple[object, ...], Any] = {}
    parse = LOADERS[_SUFFIX]

    def load(path: str, fs: Any = None, **options: Any) -> Any:
        if options or not isinstance(fs, LocalFileSystem):
            return parse(path, fs=fs, **options)  # a file of a commit
        place = Path(path).resolve()
        found = place.stat()
        key = (place, found.st_ino, found.st_mtime_ns, found.st_size)
        if key not in known:
            known[key] = parse(path, fs=fs)
        return copy.deepcopy(known[key])  # whoever asked may change what it got

    LOADERS[_SUFFIX] = load
    try:
        yield
    finally:
        LOADERS[_SUFFIX] = parse
