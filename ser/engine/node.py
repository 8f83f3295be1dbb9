"""What a node of a cluster does: a unit of work in its own project, told step by step.

The project of a node is the folder in which Ray was started there, or that of `SER_PROJECT`. It has
data, code and packages of its own; nothing of whoever asks is imported or read.
"""

import io
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ser import files, runtime
from ser.contracts import Unit
from ser.engine import delivery
from ser.engine.delivery import Ended, Piece
from ser.errors import NodeError
from ser.project import Project

logger = logging.getLogger(__name__)

#: Names the project's folder where Ray was started in another one.
PROJECT_VARIABLE = "SER_PROJECT"

#: The package that this process runs.
_RUNNING = Path(__file__).parents[1]

_TIMED = "%(asctime)s %(message)s"


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a node says of itself before it is given anything.

    Args:
        host: Its name.
        fault: Why it can do no unit, or None.
        is_askers: Its project is the very one of whoever asks, as on a volume that all mount.
    """

    host: str
    fault: str | None
    is_askers: bool = False


def introduce(mark: Path) -> Introduction:
    """Return who this node is, and whether it has a project that runs its own code.

    Args:
        mark: A file that is in the project of whoever asks and nowhere else, relative to its root.
    """
    try:
        enter_project()
    except NodeError as error:
        return Introduction(socket.gethostname(), str(error))
    return Introduction(socket.gethostname(), None, mark.exists())


def enter_project() -> Path:
    """Make the node's project the working directory.

    Returns:
        Its folder.

    Raises:
        NodeError: There is no project, or the package that runs is not the project's own.
    """
    said = os.environ.get(PROJECT_VARIABLE)
    root = Path(said) if said else Path.cwd()
    if said and not root.is_absolute():
        raise NodeError(f"{PROJECT_VARIABLE} is {said!r}: say the whole path, from / on")
    if not Project(root).params.is_file():
        raise NodeError(
            f"{root}: no project (no params.yaml); start Ray in the project's folder, or set "
            f"{PROJECT_VARIABLE} to it before"
        )
    if (root / "ser").resolve() != _RUNNING.resolve():
        raise NodeError(
            f"the project is {root}, but the package that runs is {_RUNNING}; start Ray by the "
            f"project's own .venv/bin/ray"
        )
    os.chdir(root)
    return root


def perform(work: Callable[[Unit], None], unit: Unit, folder: Path) -> Iterator[Piece | Ended]:
    """Do a unit here; yield the folder that it leaves, then how it ended.

    Args:
        work: Does it, with the node's project as the working directory.
        unit: What is to be done.
        folder: What it leaves, relative to the project's root.
    """
    runtime.configure()
    error: str | None = None
    is_refused = False
    digests: dict[str, str] = {}
    with _logged() as log:
        try:
            enter_project()
            work(unit)
        except NodeError as refusal:
            error, is_refused = str(refusal), True
        except Exception as failure:
            error = runtime.explained(failure)
            if error is None:
                logger.exception("a fault of ours")
                error = f"{type(failure).__name__}: {failure}; its log has the traceback"
    if error is None:
        yield from delivery.pieces(folder, digests)
    yield Ended(error, is_refused, log.getvalue(), digests)


def forget(folder: Path) -> None:
    """Remove what a unit has left here, once whoever asked for it has it.

    Args:
        folder: See `perform`.
    """
    enter_project()
    files.remove_folder(folder)


def forget_remains(remains: Sequence[Path]) -> None:
    """Remove what units that died here have left for their next try, once they are done elsewhere.

    Args:
        remains: Files, relative to the project's root; those that are not here are no error.
    """
    enter_project()
    for path in remains:
        path.unlink(missing_ok=True)


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    """Collect what is logged inside the block."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter(_TIMED))
    root = logging.getLogger()
    level = root.level
    runtime.quieten_libraries()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
