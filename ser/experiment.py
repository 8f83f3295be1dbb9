"""The whole of params.yaml, for checking a file at once; a stage reads only its sections."""

from collections.abc import Iterator, Mapping

from pydantic import Field, model_validator

from ser.data.splits import SplitParams
from ser.evaluation.grid_table import CellParams
from ser.features.extraction import AudioParams
from ser.params import Section, component, component_map
from ser.training.recipe import Recipe, TrainingParams


class Experiment(Section):
    """All sections of params.yaml.

    Args:
        launcher: What starts a training stage: `python -m`, or `accelerate launch -m` for
            several processes.
        synthetic_corpora: Corpora that the pipeline makes before it reads them.
        corpus: The corpus, by `name`, with its parser's knobs.
        split: The protocol.
        audio: How recordings are heard.
        features, models, losses: Component name -> its params.
        recipes: Model name -> how it is optimised.
        training: What all cells share.
        extracted: The features to extract, before any cell.
        cells: `<model>-<loss>` -> the cell; a cell that is not here is not trained.
    """

    launcher: str = Field("python -m", min_length=1)
    synthetic_corpora: tuple[str, ...] = ()
    corpus: component("ser.data.corpora")  # type: ignore[valid-type]
    split: SplitParams
    audio: AudioParams
    features: component_map("ser.features.extractors")  # type: ignore[valid-type]
    models: component_map("ser.models")  # type: ignore[valid-type]
    losses: component_map("ser.losses")  # type: ignore[valid-type]
    recipes: Mapping[str, Recipe]
    training: TrainingParams
    extracted: tuple[str, ...] = Field(min_length=1)
    cells: Mapping[str, CellParams] = Field(min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> "Experiment":
        faults = [
            f"extracted names {name!r}, but there is no features.{name}"
            for name in self.extracted
            if name not in self.features
        ]
        for name, cell in self.cells.items():
            faults += [f"cells.{name}: {fault}" for fault in self._faults(name, cell)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self, name: str, cell: CellParams) -> Iterator[str]:
        """Yield what a cell names that is not there."""
        if name != f"{cell.model}-{cell.loss}":
            yield f"its name must be {cell.model}-{cell.loss}"
        for section, entry in (
            ("models", cell.model),
            ("recipes", cell.model),
            ("losses", cell.loss),
        ):
            if entry not in getattr(self, section):
                yield f"there is no {section}.{entry}"
        if cell.feature not in self.extracted:
            yield f"its feature {cell.feature!r} is not extracted, which are: {self.extracted}"
