"""The folds that cells still need, trained one by one wherever an engine has room for them.

The stages of the cells find them finished afterwards: they train nothing, and only they record
runs to the end and write what DVC keeps.
"""

from collections.abc import Sequence
from functools import partial

from ser.contracts import Engine
from ser.errors import SerError
from ser.grid import fold_units
from ser.grid.fold_units import FoldUnit
from ser.workflow import units
from ser.workflow.missing_stages import CELLS, Missing
from ser.workflow.units import Failures


def train(
    stages: Sequence[Missing], engine: Engine[FoldUnit], server: str | None = None
) -> Failures:
    """Train the folds of cells that are not there yet.

    Args:
        stages: Of the cells, see `ser.workflow.missing_stages.find`.
        engine: Where folds are trained. It brings each to `work/folds`.
        server: Address of the tracking server that is told of epochs, if runs go to a server.

    Returns:
        The cells that lack a fold; all others can be assembled.

    Raises:
        EngineError: No fold can be trained there any more.
    """
    failures: Failures = {}
    stage_of: dict[FoldUnit, str] = {}
    for stage in stages:
        try:
            cell = (stage.entry, CELLS[stage.group])
            found = dict.fromkeys(fold_units.missing(*cell), stage.stage)
            if found and server is not None:
                fold_units.announce(*cell, server)
            stage_of.update(found)
        except SerError as error:
            failures[stage.stage] = str(error)
    work = partial(fold_units.train, server=server)
    return failures | units.run(work, stage_of, engine, kind="fold")
