"""Units of work of several stages, done wherever an engine has room for them."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from ser.contracts import Engine
from ser.errors import PipelineError, SerError

logger = logging.getLogger(__name__)

#: A stage -> why units of it cannot be had, for people.
Failures = dict[str, str]


class NodeUnit(Protocol):
    """A unit that a machine with a project of its own can do."""

    @property
    def name(self) -> str:
        """The unit, for people, also that of its log."""

    @property
    def folder(self) -> Path:
        """What it leaves, relative to the root of any project."""

    @property
    def remains(self) -> tuple[Path, ...]:
        """Files that it leaves beside that where it dies, for its next try there."""


U = TypeVar("U", bound=NodeUnit)


def run(
    work: Callable[[U], None],
    stage_of: Mapping[U, str],
    engine: Engine[U],
    *,
    kind: str,
    then: Callable[[U], None] = lambda _: None,
) -> Failures:
    """Do units and say how far the work is.

    Args:
        work: Does one.
        stage_of: The units, each with the stage that it is a part of.
        engine: Where they are done. It brings what each leaves to its folder.
        kind: What a unit is called, e.g. `fold`.
        then: Called here with each that is done; a `SerError` that it raises fails the unit.

    Returns:
        The stages that lack a unit.

    Raises:
        EngineError: No unit can be done there any more.
    """
    failures: Failures = {}
    for number, outcome in enumerate(engine.run(work, list(stage_of)), start=1):
        unit, error = outcome.unit, outcome.error
        if error is None:
            try:
                then(unit)
            except SerError as fault:
                error = str(fault)
        state = "done" if error is None else "failed"
        logger.info("%s %d of %d: %s %s", kind, number, len(stage_of), unit.name, state)
        if error is not None:
            add(failures, stage_of[unit], f"{unit.name}: {error}")
    return failures


def require_all(failures: Failures) -> None:
    """Refuse to go on where a stage lacks units.

    Raises:
        PipelineError: Names each stage with its units and why.
    """
    if failures:
        said = "; ".join(f"{stage}: {why}" for stage, why in failures.items())
        raise PipelineError(f"{said}; what was done is kept, give the same command again")


def add(failures: Failures, stage: str, why: str) -> None:
    """Note why a stage lacks a unit, after what is noted already."""
    before = failures.get(stage)
    failures[stage] = f"{before}; {why}" if before else why
