"""The section `tuning` of params.yaml: what is searched, how far, and how."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from ser.errors import ParamsError
from ser.params import Section


class TunedCellParams(Section):
    """One cell whose params are searched, in every fold anew.

    Args:
        model: Which model.
        loss: Which loss.
        feature: Which feature it reads; all three as in `cells`.
        search: `loss` searches all of the loss' space; any other word is one tunable param
            of the recipe or the model: `learning_rate`, `dropout`, `frozen_layers`.
        ranges: Param -> lowest and highest value, instead of those declared beside it.
        num_trials: Instead of `tuning.num_trials`.
    """

    model: str
    loss: str
    feature: str
    search: tuple[str, ...] = Field(("loss",), min_length=1)
    ranges: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    num_trials: int | None = Field(None, ge=0, le=100_000)

    @field_validator("ranges")
    @classmethod
    def _rising(cls, ranges: Mapping[str, tuple[float, float]]) -> Mapping[str, object]:
        for name, (low, high) in ranges.items():
            if low >= high:
                raise ValueError(f"{name}: the first end must be below the second, got {low, high}")
        return ranges


class TuningParams(Section):
    """How params are searched.

    Args:
        num_trials: Finished trials of every study, one study per cell and fold; 0 searches
            nothing and keeps params.yaml's values.
        num_workers: Processes that share the trials. With one, the outcome depends on
            nothing but params, data and code; with several, on who is faster, too.
        sampler: `tpe` (multivariate tree-structured Parzen estimator), or `random`.
        num_startup_trials: Trials drawn at random before the sampler learns, and that are
            finished before the pruner judges.
        pruner: Ends a trial whose best dev UAR so far lies below the `median` of earlier
            trials at the same epoch, or below their `percentile`; `none` ends none.
        pruner_percentile: For `percentile`: 25 keeps the best quarter.
        pruner_warmup_epochs: Epochs in which no trial is ended.
        storage: Any database URL of Optuna; OPTUNA_STORAGE in the environment wins.
        seed: Of the sampler. A trial is trained under the first of `training.seeds`.
        cells: `<model>-<loss>` -> what is searched there. A cell that is not here keeps
            its values.
    """

    num_trials: int = Field(20, ge=0, le=100_000)
    num_workers: int = Field(1, ge=1, le=256)
    sampler: Literal["tpe", "random"] = "tpe"
    num_startup_trials: int = Field(5, ge=1, le=100_000)
    pruner: Literal["median", "percentile", "none"] = "median"
    pruner_percentile: float = Field(25.0, gt=0.0, lt=100.0)
    pruner_warmup_epochs: int = Field(3, ge=0, le=10_000)
    storage: str = Field("sqlite:///mlruns/optuna.db", min_length=1)
    seed: int = Field(0, ge=0, lt=2**32)
    cells: Mapping[str, TunedCellParams] = Field(default_factory=dict)

    def trials_of(self, cell: str) -> int:
        """Return how many trials the studies of a cell have; 0 of a cell that is not tuned."""
        if cell not in self.cells:
            return 0
        own = self.cells[cell].num_trials
        return self.num_trials if own is None else own

    def chosen(self, names: Sequence[str], feature: str | None = None) -> list[str]:
        """Return which cells are searched.

        Args:
            names: Some of `cells`, or none for all of them.
            feature: Only cells that read it; None takes all.

        Returns:
            Those with at least one trial.

        Raises:
            ParamsError: A name is no cell of the section.
        """
        if unknown := [name for name in names if name not in self.cells]:
            known = ", ".join(self.cells) or "none"
            raise ParamsError(f"tuning.cells has no {', '.join(unknown)}; there are: {known}")
        return [
            name
            for name in (names or self.cells)
            if self.trials_of(name) and feature in (None, self.cells[name].feature)
        ]
