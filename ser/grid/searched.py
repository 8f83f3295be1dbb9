"""What of params.yaml decides the search over the cells that read one feature."""

from collections.abc import Mapping
from typing import Any

from ser.params import StageParams

#: Sections of which a search depends on the entries of its own cells alone.
SEARCHED = ("cells", "features", "losses", "models", "recipes", "training", "tuning")


class CellNames(StageParams, extra="allow"):
    """What is read of a cell: three names of entries. All else is kept as it is."""

    model: str
    loss: str
    feature: str


class TuningSection(StageParams, extra="allow"):
    """What is read of tuning: which cells. All else is kept as it is."""

    cells: Mapping[str, CellNames]


class SearchedSections(StageParams):
    """Sections read: all of `SEARCHED`, mostly as they are written."""

    cells: Mapping[str, CellNames]
    features: Mapping[str, Any]
    losses: Mapping[str, Any]
    models: Mapping[str, Any]
    recipes: Mapping[str, Any]
    training: Mapping[str, Any]
    tuning: TuningSection

    def decisive(self, feature: str) -> dict[str, Any]:
        """Return section -> what the search over the cells of a feature reads of it.

        Args:
            feature: An entry of `features`.
        """
        asked = of_feature(self.cells, feature)
        names = {name: [cell.model, cell.loss] for name, cell in asked.items()}
        tuned = of_feature(self.tuning.cells, feature)
        if not tuned:  # nothing is searched: of each cell, only that is written
            return {"cells": names}
        models = {cell.model for cell in tuned.values()}
        return {
            "cells": names,
            "features": {feature: self.features.get(feature)},
            "losses": {name: self.losses.get(name) for name in {c.loss for c in tuned.values()}},
            "models": {name: self.models.get(name) for name in models},
            "recipes": {name: self.recipes.get(name) for name in models},
            "training": self.training,
            "tuning": {
                **(self.tuning.model_extra or {}),
                "cells": {name: cell.model_dump() for name, cell in tuned.items()},
            },
        }


def of_feature(cells: Mapping[str, CellNames], feature: str) -> dict[str, CellNames]:
    """Return the cells that read a feature."""
    return {name: cell for name, cell in cells.items() if cell.feature == feature}
