"""A Ray cluster: join it, and know its nodes and how many units each can take."""

import logging
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray._raylet import Config  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ser.engine import node as remote
from ser.engine.node import Introduction
from ser.errors import EngineError
from ser.wording import cut

logger = logging.getLogger(__name__)

#: How often the nodes are looked at, in seconds.
LOOK_EVERY_S = 1.0
#: How long a cluster without any node that can do a unit is waited for, in seconds.
_WAIT_FOR_NODES_S = 60.0
_CONNECT_S = 10.0
_MAX_REASON = 300

_AUTH_MODE = "RAY_AUTH_MODE"
_TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Share:
    """What a unit gets of a node while it is done.

    Args:
        num_cpus: Processors, at least 1.
        num_gpus: GPUs, or a fraction of one.
    """

    num_cpus: float = 1.0
    num_gpus: float = 0.0

    def fits(self, resources: dict[str, float]) -> int:
        """Return how many units a node can do at once."""
        by_cpus = resources.get("CPU", 0.0) / self.num_cpus
        # Ray counts in ten-thousandths; so does this, that three thirds are one.
        by_gpus = resources.get("GPU", 0.0) / self.num_gpus if self.num_gpus else by_cpus
        return int(min(by_cpus, by_gpus) + 1e-4)

    def __str__(self) -> str:
        gpus = f" and {self.num_gpus:g} GPU" if self.num_gpus else ""
        return f"{self.num_cpus:g} CPU{gpus}"


@contextmanager
def connected(address: str, *, with_token: bool = True) -> Iterator[None]:
    """Join a cluster; leaving the block leaves it, and ends what still runs there for us.

    Args:
        address: `HOST:PORT` of its head. This machine must be one of its nodes.
        with_token: Refuse a cluster that lets in whoever has no token.

    Raises:
        EngineError: It cannot be reached, it does not know our token or another version of Ray
            or Python runs there, or there is no token here.
    """
    _require_listening(address)
    os.environ[_AUTH_MODE] = _TOKEN if with_token else "disabled"
    Config.initialize("")  # Ray has read it at import, and does the same in its own `ray start`
    on_end = signal.getsignal(signal.SIGTERM)
    try:
        # Ray would let workers import from the folder where this process is.
        with tempfile.TemporaryDirectory() as empty, chdir(empty):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except AuthenticationError as error:
        raise EngineError(
            f"cluster {address}: it does not take this machine's token, or there is none; a token "
            f"is made by `ray get-auth-token --generate`, once, and copied to ~/.ray/auth_token of "
            f"every machine"
        ) from error
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        why = cut(" ".join(str(error).split()), _MAX_REASON)
        raise EngineError(
            f"cluster {address}: it cannot be joined: {why}; this machine must be one of its "
            f"nodes (`ray start --address {address}`, with --num-cpus 0 it does no units) and have "
            f"its token (~/.ray/auth_token)"
        ) from error
    try:
        # Ray takes the signal for itself; ours closes the runs that are open.
        signal.signal(signal.SIGTERM, on_end)
        yield
    finally:
        ray.shutdown()


def _require_listening(address: str) -> None:
    """Refuse an address at which no head can be.

    Args:
        address: `HOST:PORT` of the head.

    Raises:
        EngineError: It is none, or nobody answers there.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise EngineError(f"--address {address!r}: expected HOST:PORT of the head, as head:6379")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise EngineError(
            f"cluster {address}: nobody answers there ({error.strerror or error}); the head is "
            f"started by `ray start --head --port {port}`"
        ) from error


class Nodes:
    """The nodes that live, and how many units each can still take.

    Args:
        share: What a unit gets of a node.
        with_token: Refuse nodes that let in whoever has no token.
        mark: A file of the project here, relative to its root, by which a node knows it.
    """

    def __init__(self, share: Share, *, with_token: bool, mark: Path) -> None:
        self._share, self._with_token, self._mark = share, with_token, mark
        self._asked: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._capacity: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self._faults: dict[str, str] = {}
        self._in_this_project: set[str] = set()
        self._lonely_since: float | None = None
        self._looked_at = float("-inf")

    def look(self) -> None:
        """See who has come and gone, and hear those who introduce themselves.

        Raises:
            EngineError: A node lets in whoever has no token.
        """
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        alive = _alive()
        for id_ in [id_ for id_ in self._capacity if id_ not in alive]:
            self.lose(id_)
        for id_, one in alive.items():
            self._names.setdefault(id_, one["NodeManagerAddress"])
            if id_ not in self._asked:
                self._asked[id_] = _ask(_introduction, id_, self._mark)
        for id_ in [id_ for id_ in alive if self._asked[id_] is not None]:
            if ray.wait([self._asked[id_]], timeout=0)[0]:
                asked, self._asked[id_] = self._asked[id_], None
                self._hear(id_, asked, alive[id_]["Resources"])

    def _hear(self, id_: str, asked: Any, resources: dict[str, float]) -> None:
        try:
            said, mode = ray.get(asked)
        except RayTaskError as error:
            self.refuse(id_, reason(error))
            return
        except RayError:
            return  # it has left; `look` sees it
        self._names[id_] = f"{said.host} ({self._names[id_]})"
        if self._with_token and mode != _TOKEN:
            raise EngineError(
                f"{self.name(id_)}: it lets in whoever has no token, and Ray listens on all "
                f"addresses; start it with {_AUTH_MODE}=token, or say --without-token"
            )
        if said.is_askers:
            self._in_this_project.add(id_)
        num_units = self._share.fits(resources)
        if said.fault is not None:
            self.refuse(id_, said.fault)
        elif num_units:
            self._capacity[id_] = num_units
            logger.info("%s: %d units at once", self.name(id_), num_units)
        elif resources.get("CPU"):
            self._faults[id_] = f"{self.name(id_)}: it has less than {self._share}"

    def take(self) -> str | None:
        """Return the node with most room for one more unit, or None; it counts as given."""
        room = {id_: n - self._busy.get(id_, 0) for id_, n in self._capacity.items()}
        best = max(room, key=lambda id_: room[id_], default=None)
        if best is None or room[best] < 1:
            return None
        self._busy[best] = self._busy.get(best, 0) + 1
        return best

    def leave(self, id_: str) -> None:
        """Note that a unit of a node has come to its end."""
        self._busy[id_] -= 1

    def refuse(self, id_: str, why: str) -> None:
        """Give a node no more units."""
        self._faults[id_] = f"{self.name(id_)}: {why}"
        self._capacity.pop(id_, None)
        logger.warning("%s; it gets no units", self._faults[id_])

    def lose(self, id_: str) -> None:
        """Give a dead node no more units; if it is started again, it has another id."""
        if self._capacity.pop(id_, None) is not None:
            logger.warning("%s: has left the cluster", self.name(id_))

    def name(self, id_: str) -> str:
        """Return what people call a node."""
        return self._names.get(id_, id_)

    def forget(self, id_: str, folder: Path) -> Any:
        """Let a node remove what it has delivered.

        Args:
            id_: Its id.
            folder: What a unit left, relative to the project's root.

        Returns:
            Ray's reference to the end of it; None where the folder is the one that is here.
        """
        return None if id_ in self._in_this_project else _ask(remote.forget, id_, folder)

    def forget_remains(self, remains: Sequence[Path]) -> list[Any]:
        """Let every node remove what units that died there have left.

        Args:
            remains: Files, relative to the project's root.

        Returns:
            Ray's references to the ends of it; the project that is here cleans up itself.
        """
        others = [id_ for id_ in self._capacity if id_ not in self._in_this_project]
        return [_ask(remote.forget_remains, id_, remains) for id_ in others] if remains else []

    def require_some(self) -> None:
        """Wait for a node that can do units, as long as one may still come.

        Raises:
            EngineError: None has come.
        """
        now = time.monotonic()
        if self._capacity:
            self._lonely_since = None
            return
        self._lonely_since = self._lonely_since or now
        asking = any(asked is not None for asked in self._asked.values())
        # Whoever refuses will go on to do so; a node that died may be started again.
        patience = 0.0 if self._faults and not asking else _WAIT_FOR_NODES_S
        if now - self._lonely_since >= patience:
            said = "; ".join(self._faults.values()) or "none has joined that has processors"
            raise EngineError(f"no node of the cluster can do a unit: {said}")


def _alive() -> dict[str, dict[str, Any]]:
    """Return the nodes that live, by their ids."""
    return {one["NodeID"]: one for one in ray.nodes() if one["Alive"]}  # type: ignore[no-untyped-call]


def ask_all(question: Callable[..., Any], *arguments: object) -> dict[str, Any]:
    """Return what every living node answers; an `EngineError` where it does not.

    Args:
        question: A function of a module; a quick one.
        arguments: What it is called with.
    """
    alive = {id_: one["NodeManagerAddress"] for id_, one in _alive().items()}
    asked = {id_: _ask(question, id_, *arguments) for id_ in alive}
    found = {}
    for id_, reference in asked.items():
        try:
            found[alive[id_]] = ray.get(reference, timeout=_WAIT_FOR_NODES_S)
        except RayError as error:
            found[alive[id_]] = EngineError(cut(str(error), _MAX_REASON))
    return found


def reason(error: RayTaskError) -> str:
    """Return why a node could not even begin."""
    why = cut(str(error.cause or error).strip().splitlines()[-1], _MAX_REASON)
    return f"it cannot run this project ({why}); start Ray by the project's own .venv/bin/ray"


def on(node: str) -> dict[str, Any]:
    """Return the options of what runs on one node or not at all."""
    return {
        "max_retries": 0,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
    }


def _ask(question: Callable[..., Any], node: str, *arguments: object) -> Any:
    """Ask a node; it needs no free processor to answer."""
    return ray.remote(question).options(num_cpus=0, **on(node)).remote(*arguments)


def _introduction(mark: Path) -> tuple[Introduction, str]:
    """Return what a node says of itself, and whom it lets in."""
    return remote.introduce(mark), os.environ.get(_AUTH_MODE, "")
