"""The folds that cells still need, trained one by one wherever an engine has room for them.

The stages of the cells find them finished afterwards: they train nothing, and only they record
runs to the end and write what DVC keeps.
"""

import logging
from collections.abc import Sequence

from ser.contracts import Engine, UnitOutcome
from ser.errors import SerError
from ser.grid import fold_units
from ser.grid.fold_units import FoldUnit
from ser.workflow.missing_stages import CELLS, Missing

logger = logging.getLogger(__name__)

#: A stage that trains a cell -> why its folds cannot be had, for people.
Failures = dict[str, str]


def train(stages: Sequence[Missing], engine: Engine[FoldUnit]) -> Failures:
    """Train the folds of cells that are not there yet.

    Args:
        stages: Of the cells, see `ser.workflow.missing_stages.find`.
        engine: Where folds are trained. It brings each to `work/folds`.

    Returns:
        The cells that lack a fold; all others can be assembled.

    Raises:
        EngineError: No fold can be trained there any more.
    """
    failures: Failures = {}
    stage_of: dict[FoldUnit, str] = {}
    for stage in stages:
        try:
            found = fold_units.missing(stage.entry, CELLS[stage.group])
            stage_of.update(dict.fromkeys(found, stage.stage))
        except SerError as error:
            failures[stage.stage] = str(error)
    for number, outcome in enumerate(engine.run(fold_units.train, list(stage_of)), start=1):
        _say(outcome, number, len(stage_of))
        if outcome.error is not None:
            said = f"{outcome.unit.name}: {outcome.error}"
            before = failures.get(stage_of[outcome.unit])
            failures[stage_of[outcome.unit]] = f"{before}; {said}" if before else said
    return failures


def _say(outcome: UnitOutcome[FoldUnit], number: int, total: int) -> None:
    state = "done" if outcome.error is None else "failed"
    logger.info("fold %d of %d: %s %s", number, total, outcome.unit.name, state)
