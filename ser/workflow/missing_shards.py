"""The shards that features still need, extracted one by one wherever an engine has room for them.

The stages of the features find them extracted afterwards, and only they write what DVC keeps.
"""

from collections.abc import Sequence

from ser.contracts import Engine
from ser.workflow import shard_units, units
from ser.workflow.missing_stages import Missing
from ser.workflow.shard_units import ShardUnit


def extract(stages: Sequence[Missing], engine: Engine[ShardUnit]) -> None:
    """Extract the shards of features that are not there yet.

    Args:
        stages: Of the features, see `ser.workflow.missing_stages.find`.
        engine: Where shards are extracted.

    Raises:
        SerError: A feature cannot be extracted, see `ser.features.extraction.extract`.
        EngineError: No shard can be extracted there any more.
        PipelineError: A shard failed; the others are kept.
    """
    stage_of = {unit: stage.stage for stage in stages for unit in shard_units.missing(stage.entry)}
    units.require_all(
        units.run(shard_units.extract, stage_of, engine, kind="shard", then=shard_units.take)
    )
