"""What studies of tuning still need, searched wherever an engine has room for it.

The stages of tuning find the trials finished afterwards: only they record them and write what DVC
keeps.
"""

from collections.abc import Sequence

from ser.contracts import Engine
from ser.tuning import study_units
from ser.tuning.study_units import StudyUnit
from ser.workflow import units
from ser.workflow.missing_stages import Missing


def search(stages: Sequence[Missing], engine: Engine[StudyUnit]) -> None:
    """Search what is not searched yet.

    Args:
        stages: Of tuning, see `ser.workflow.missing_stages.find`.
        engine: Where it is searched.

    Raises:
        SerError: A study cannot be made, see `ser.tuning.feature_search.run`.
        EngineError: Nothing can be searched there any more.
        PipelineError: A unit failed; the others are kept.
    """
    stage_of = {unit: stage.stage for stage in stages for unit in study_units.missing(stage.entry)}
    units.require_all(
        units.run(study_units.search, stage_of, engine, kind="search", then=study_units.take)
    )
