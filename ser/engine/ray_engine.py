"""Units of work on the nodes of a Ray cluster; a unit whose node dies is done again elsewhere.

Ray carries what a node yields. Which node does which unit is decided here, so that one that refuses
a unit gets no more, and so that what is fetched is dropped at once: Ray would make it again when
its node dies.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

import ray
from ray.exceptions import NodeDiedError, RayError, RayTaskError, TaskUnschedulableError

from ser.contracts import Unit, UnitOutcome
from ser.engine import cluster, node
from ser.engine.cluster import Nodes, Share
from ser.engine.delivery import Arrival, Ended, Piece
from ser.project import Project

logger = logging.getLogger(__name__)

#: A unit whose process or node has died so often is not tried again: it may be the reason.
_MAX_DEATHS = 3
#: How long nodes are waited for at the end that remove what they have delivered, in seconds.
_FORGET_S = 10.0
#: Pieces of a folder that a node may be ahead of whoever fetches them.
_PIECES_AHEAD = 4


class RayEngine(Generic[Unit]):
    """Runs units on the nodes of the cluster that is joined; see `ser.contracts.Engine`.

    Args:
        root: The project's root, to which the folders of finished units come.
        folder_of: What a unit leaves, relative to the project's root, here as on the node.
        remains_of: Files that it leaves beside that where it dies, likewise.
        name_of: A unit's name for people, also that of its log.
        logs: Folder of the logs, one per unit.
        share: What a unit gets of a node.
        with_token: Refuse nodes that let in whoever has no token.
    """

    def __init__(
        self,
        root: Path,
        *,
        folder_of: Callable[[Unit], Path],
        remains_of: Callable[[Unit], Sequence[Path]],
        name_of: Callable[[Unit], str],
        logs: Path,
        share: Share,
        with_token: bool = True,
    ) -> None:
        self.root, self.logs, self.share = root, logs, share
        self.folder_of, self.remains_of, self.name_of = folder_of, remains_of, name_of
        # Named like half of a file, so that `ser doctor` finds that of a killed process.
        mark = Project().work / f".asks.{uuid.uuid4().hex[:8]}.part"
        self._mark = root / mark
        self.nodes = Nodes(share, with_token=with_token, mark=mark)

    def run(
        self, work: Callable[[Unit], None], units: Sequence[Unit]
    ) -> Iterator[UnitOutcome[Unit]]:
        """Yield what became of each unit as soon as it is known and its folder is in place.

        Args:
            work: Does one unit on a node, in the node's project; a function of a module. A
                `NodeError` that it raises gives the unit to another node.
            units: What is to be done; small, and pickled.

        Raises:
            EngineError: No node can do units, or one lets in whoever has no token.
        """
        waiting = deque(_Task(unit) for unit in units)
        running: dict[Any, _Task[Unit]] = {}
        forgetting: list[Any] = []
        remains: list[Path] = []
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        self._mark.touch()
        try:
            while waiting or running:
                self.nodes.look()
                self._begin(work, waiting, running)
                if waiting and not running:
                    self.nodes.require_some()
                for stream in self._news(running):
                    task = running[stream]
                    if (came_to := self._follow(task)) is None:
                        continue
                    del running[stream]
                    self.nodes.leave(task.node)
                    if not isinstance(came_to, UnitOutcome):
                        waiting.append(came_to)
                        continue
                    yield came_to
                    # Whoever takes it has put it where it belongs by now. A node that dies before
                    # it has forgotten it keeps it.
                    if came_to.error is None:
                        remains += self.remains_of(task.unit)
                        if end := self._forget(task):
                            forgetting.append(end)
            # At the end, and on all: it may have died on several, also for an earlier command.
            forgetting += self.nodes.forget_remains(remains)
            if forgetting:
                ray.wait(forgetting, num_returns=len(forgetting), timeout=_FORGET_S)
        finally:
            self._mark.unlink(missing_ok=True)
            for stream, task in running.items():
                task.delivery.drop()
                with suppress(RayError):
                    ray.cancel(stream, force=True)

    def _forget(self, task: "_Task[Unit]") -> Any:
        return self.nodes.forget(task.node, self.folder_of(task.unit))

    def _begin(
        self,
        work: Callable[[Unit], None],
        waiting: "deque[_Task[Unit]]",
        running: "dict[Any, _Task[Unit]]",
    ) -> None:
        while waiting and (chosen := self.nodes.take()):
            task = waiting.popleft()
            folder = self.folder_of(task.unit)
            task.node, task.delivery = chosen, Arrival(self.root / folder)
            task.stream = _perform(self.share, chosen).remote(work, task.unit, folder)
            running[task.stream] = task
            logger.info("%s: begins on %s", self.name_of(task.unit), self.nodes.name(chosen))

    def _news(self, running: "dict[Any, _Task[Unit]]") -> list[Any]:
        """Return the units of which there is news; wait for it, but not for long."""
        if not running:
            time.sleep(cluster.LOOK_EVERY_S / 4)
            return []
        ready, _ = ray.wait(list(running), num_returns=1, timeout=cluster.LOOK_EVERY_S)
        return list(ready)

    def _follow(self, task: "_Task[Unit]") -> "UnitOutcome[Unit] | _Task[Unit] | None":
        """Take what a unit has sent; return its outcome, or itself where it has to be done again.

        None while it goes on.
        """
        try:
            # Nothing keeps the reference: what has been fetched is not made again for its sake.
            sent: Piece | Ended = ray.get(next(task.stream))
        except RayTaskError as error:  # `perform` was not reached: the node has other code
            self.nodes.refuse(task.node, cluster.reason(error))
            return _Task(task.unit, task.num_deaths)
        except TaskUnschedulableError:  # the node had died before the unit could begin
            self.nodes.lose(task.node)
            task.delivery.drop()
            logger.warning("%s: the node was gone; it is done again", self._place(task))
            return _Task(task.unit, task.num_deaths)
        except (StopIteration, RayError) as error:
            if isinstance(error, NodeDiedError):
                self.nodes.lose(task.node)
            return self._after_death(task, error)
        if isinstance(sent, Piece):
            task.delivery.take(sent)
            return None
        return self._end(task, sent)

    def _end(self, task: "_Task[Unit]", ended: Ended) -> "UnitOutcome[Unit] | _Task[Unit]":
        name = self.name_of(task.unit)
        log = self.logs / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"on {self.nodes.name(task.node)}\n{ended.log}")
        if ended.is_refused:
            self.nodes.refuse(task.node, f"{name}: {ended.error}")
            return _Task(task.unit, task.num_deaths)
        if ended.error is not None:
            return UnitOutcome(task.unit, f"{ended.error} ({log})")
        task.delivery.put(ended.digests)
        return UnitOutcome(task.unit, None)

    def _place(self, task: "_Task[Unit]") -> str:
        return f"{self.name_of(task.unit)} on {self.nodes.name(task.node)}"

    def _after_death(
        self, task: "_Task[Unit]", error: Exception
    ) -> "UnitOutcome[Unit] | _Task[Unit]":
        task.delivery.drop()
        again = _Task(task.unit, task.num_deaths + 1)
        said = f"its process or node died ({type(error).__name__})"
        if again.num_deaths < _MAX_DEATHS:
            logger.warning("%s: %s; it is done again", self._place(task), said)
            return again
        return UnitOutcome(
            task.unit,
            f"{said}, {again.num_deaths} times in all; if memory ran out, give it more of a node: "
            f"--cpus-per-unit",
        )


@dataclass(slots=True)
class _Task(Generic[Unit]):
    """A unit on its way to its outcome."""

    unit: Unit
    num_deaths: int = 0
    node: str = ""
    stream: Any = None
    delivery: Arrival = field(default_factory=lambda: Arrival(Path()))


def _perform(share: Share, where: str) -> Any:
    return ray.remote(node.perform).options(
        num_returns="streaming",
        num_cpus=share.num_cpus,
        num_gpus=share.num_gpus,
        _generator_backpressure_num_objects=_PIECES_AHEAD,
        **cluster.on(where),
    )
