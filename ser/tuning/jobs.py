"""What a worker is sent: a study and the train and dev parts of its fold.

Nothing of the test part is in a job, neither ids nor labels nor features, so that no worker
can look at it.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from ser import lineage
from ser.contracts import Tracker
from ser.data.splits import Fold
from ser.features.store import FeatureStore
from ser.grid import inputs as cell_inputs
from ser.grid import specs
from ser.grid.inputs import Inputs
from ser.training import model_selection
from ser.training.fit import FitContext
from ser.training.model_selection import DevelopmentData
from ser.training.plan import CellPlan
from ser.tuning import space
from ser.tuning.params import TuningParams
from ser.tuning.study import Objective, StudyPlan

#: Versions that change which values are tried, or what they score.
_DECISIVE_PACKAGES = (*lineage.DECISIVE_PACKAGES, "optuna")

#: What a study does that its cell's own sources do not say.
_SOURCES = tuple(f"ser/tuning/{name}.py" for name in ("jobs", "space", "study", "trial_tracker"))

#: Params of tuning that choose what is run where, not what a trial results in.
_INDIFFERENT = {"num_trials", "num_workers", "storage", "cells"}


class PartialStore(FeatureStore):
    """A store that knows some of its utterances only.

    Args:
        folder: The store.
        visible: Ids of those.
    """

    def __init__(self, folder: Path, visible: Collection[str]) -> None:
        super().__init__(folder)
        self._rows = {id_: self._rows[id_] for id_ in visible if id_ in self._rows}

    def of_copy(self, copy: str) -> FeatureStore:
        """Return the store of a copy, which knows the same utterances only."""
        whole = super().of_copy(copy)
        return self if whole is self else PartialStore(whole.folder, self._rows)


@dataclass(frozen=True, slots=True)
class Job:
    """A study with the data of its objective.

    Args:
        study: What is searched.
        train, dev: Utterance ids.
        features: Folder of the store.
        label_of: Of the utterances of train and dev -> class index.
        rating_of: Likewise -> ratings.
        group_of: Likewise -> whose statistics normalise it; None for those of the fold.
        share_of: Likewise -> shares of votes; None of hard targets.
        decided_by: What the study's key is the hash of, JSON.
    """

    study: StudyPlan
    train: tuple[str, ...]
    dev: tuple[str, ...]
    features: Path
    label_of: Mapping[str, int]
    rating_of: Mapping[str, tuple[float, ...]]
    group_of: Mapping[str, str] | None = None
    share_of: Mapping[str, tuple[float, ...]] | None = None
    decided_by: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> DevelopmentData:
        """Return the two parts, their features opened."""
        ids = {*self.train, *self.dev}
        store = PartialStore(self.features, ids)
        known = (store, self.label_of, self.rating_of, self.group_of, self.share_of)
        return DevelopmentData(self.train, self.dev, *known)


def make(
    plan: CellPlan, params: TuningParams, data: Inputs, fold: Fold, *, root: Path, device: str
) -> Job:
    """Return the job of a cell on a fold.

    Args:
        plan: The cell with the values of params.yaml.
        params: How it is searched; it holds the cell.
        data: The cell's inputs.
        fold: The fold; its test part is left behind here.
        root: The project's root, for the digest of the sources.
        device: Kind of device, part of the key.

    Raises:
        ParamsError: The space is wrong, or the corpus has no classes.
    """
    cell_inputs.require_classes(data, what=f"tuning.cells.{plan.name}")
    # No trial refits, whatever the cell does afterwards: keys, tags and params say so too.
    plan = replace(plan, training=plan.training.model_copy(update={"refit": False}))
    dimensions = space.of_cell(plan, params.cells[plan.name])
    decided_by = _decisive(
        plan, params, dimensions, data, fold=fold.number, root=root, device=device
    )
    study = StudyPlan(
        cell=plan,
        fold=fold.number,
        space=dimensions,
        params=params,
        num_trials=params.trials_of(plan.name),
        key=lineage.sha256_text(lineage.canonical_json(decided_by))[:32],
        experiment=specs.experiment_name(data),
    )
    ids = {*fold.train, *fold.dev}
    group_of, share_of = data.group_of(plan.recipe.normalisation), data.share_of(plan)
    return Job(
        study,
        fold.train,
        fold.dev,
        data.project.features(data.feature),
        {id_: label for id_, label in data.label_of.items() if id_ in ids},
        {id_: ratings for id_, ratings in data.rating_of.items() if id_ in ids},
        None if group_of is None else {id_: group_of[id_] for id_ in ids},
        None if share_of is None else {id_: share_of[id_] for id_ in ids},
        decided_by,
    )


def objective(plan: CellPlan, data: DevelopmentData, accelerator: Accelerator) -> Objective:
    """Return what scores values: training's own code, under the first seed, up to dev.

    Args:
        plan: The cell with the values of params.yaml.
        data: The parts that decide.
        accelerator: Device and precision.
    """

    def dev_uar(values: Mapping[str, float], tracker: Tracker) -> float:
        seed = plan.training.seeds[0]
        context = FitContext(accelerator, seed, tracker, plan.emotions)
        try:
            return model_selection.select(plan.with_values(values), data, context).fit.dev_score
        finally:
            # Accelerate would keep every model it prepared, one per trial.
            accelerator.free_memory()

    return dev_uar


def _decisive(
    plan: CellPlan,
    params: TuningParams,
    dimensions: space.Space,
    data: Inputs,
    *,
    fold: int,
    root: Path,
    device: str,
) -> dict[str, Any]:
    """Return everything that decides a study's outcome but its number of trials."""
    cell: dict[str, Any] = plan.params()
    seed = cell["training"].pop("seeds")[0]
    cell["training"].pop("keep_weights")
    cell["training"] = specs.without_default_targets(cell["training"])
    sources = sorted({*cell_inputs.sources(plan, root), *_SOURCES})
    return {
        "cell": cell,
        "seed": seed,
        "emotions": plan.emotions,
        "space": [asdict(dimension) for dimension in dimensions],
        "tuning": params.model_dump(mode="json", exclude=_INDIFFERENT),
        "fold": fold,
        "data": specs.data_of(plan, data),
        "source": lineage.source_sha256(root, sources),
        "device": device,
        "versions": dict(lineage.package_versions(_DECISIVE_PACKAGES)),
    }
