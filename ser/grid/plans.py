"""The sections of params.yaml that a cell is made of, and the plan that they describe.

The entries of other components are not looked at, so that a stage that trains one cell
imports no component of another.
"""

from collections.abc import Mapping
from typing import Any

from ser import components
from ser.errors import ParamsError
from ser.params import ComponentParams, StageParams, parse_entry
from ser.training.plan import CellPlan
from ser.training.recipe import Recipe, TrainingParams


class CellSections(StageParams):
    """Sections read: features.*, models.*, losses.* and recipes.* of the cell, training."""

    features: Mapping[str, Any]
    models: Mapping[str, Any]
    losses: Mapping[str, Any]
    recipes: Mapping[str, Recipe]
    training: TrainingParams

    def feature(self, name: str, *, where: str) -> ComponentParams:
        """Return the params of a feature.

        Args:
            name: The extractor.
            where: The file, for the message.

        Raises:
            UnknownComponentError: There is no such extractor.
            ParamsError: Its entry is missing or wrong.
        """
        return parse_entry(self.features, "features", components.EXTRACTORS, name, where=where)

    def plan(self, model: str, loss: str, *, emotions: tuple[str, ...], where: str) -> CellPlan:
        """Return what is said of a cell.

        Args:
            model: Its model.
            loss: Its loss.
            emotions: The classes, in order.
            where: The file, for the message.

        Raises:
            UnknownComponentError: There is no such model or loss.
            ParamsError: An entry is missing or wrong.
        """
        model_params = parse_entry(self.models, "models", components.MODELS, model, where=where)
        loss_params = parse_entry(self.losses, "losses", components.LOSSES, loss, where=where)
        if model not in self.recipes:
            raise ParamsError(f"{where}: there is no recipes.{model}; `{model}: {{}}` will do")
        return CellPlan(
            model,
            loss,
            model_params,
            loss_params,
            self.recipes[model],
            self.training,
            emotions,
        )
