"""The whole of params.yaml, for checking a file at once; a stage reads only its sections."""

import re
from collections.abc import Iterator, Mapping

from pydantic import Field, field_validator, model_validator

from ser import components
from ser.baselines.params import BaselineParams
from ser.contracts import Loss
from ser.data.protocols import SplitParams
from ser.data.voices import SAFE_PROTOCOLS
from ser.engine.launcher_params import DIRECTLY, Launcher
from ser.features import copies
from ser.features.extraction import AudioParams
from ser.features.extractors._base import copies_of
from ser.grid import variants
from ser.grid.params import CellParams, CrossCorpusParams, RobustnessParams, targets_fault
from ser.params import Section, component, component_map
from ser.pretrained.tiny import TinyCheckpoint
from ser.registry.bundle import ServingParams
from ser.registry.gate_params import GateParams
from ser.serving.audio_input import InputLimits
from ser.training.plan import no_shares
from ser.training.recipe import Recipe, TrainingParams
from ser.tuning.params import TunedCellParams, TuningParams
from ser.wording import shown

#: What dvc.yaml reads in sections that have defaults.
_READ_BY_DVC = (
    ("tuning", "cells"),
    ("robustness", "without_copies"),
    ("cross_corpus", "corpora"),
    ("cross_corpus", "cells"),
)


class ExtractionPlan(Section):
    """One feature that the pipeline extracts.

    Args:
        weights: The folder below data/weights that its checkpoint lies in, so that DVC
            watches it; `none` for a feature that is computed, or whose checkpoint lies
            elsewhere and is pinned by a revision or a digest.
    """

    weights: str = Field(examples=["none"], pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")


class Preset(Section):
    """All sections of params.yaml. What dvc.yaml itself reads has no default: DVC knows none.

    Args:
        launcher: What starts the processes that train a fit together: `python -m` is one,
            `accelerate launch -m` one per GPU, `torchrun --standalone --nproc-per-node 2 -m` two.
            How many there are is part of a fold's run key; a cell that is trained stays as it is.
        synthetic_corpora: Corpora that the pipeline makes before it reads them.
        synthetic_weights: Tiny checkpoints with random weights that it makes likewise, by a name
            of letters, digits, `_` and `-`.
        corpus: The corpus, by `name`, with its parser's knobs.
        split: The protocol.
        audio: How recordings are heard.
        features, models, losses: Component name -> its params. A further entry of a component is
            called `<component>__<words>`, e.g. `whisper__tuned`; the words have lower-case
            letters, digits and `_`.
        recipes: Name of an entry of `models` -> how it is optimised.
        training: What all cells share.
        extracted: The features to extract, before any cell -> what they are made with.
        baselines: The reference rows that need no network.
        cells: `<model>-<loss>` -> the cell; a cell that is not here is not trained.
        tuning: Which of them are tuned, and how.
        robustness: Which of them are trained without copies as well.
        cross_corpus: Which of them are trained on one corpus and tested on another.
        serving: How a registered model answers.
        input_limits: What a request to it may hold.
        gates: What a version must reach to be promoted.
    """

    launcher: Launcher = DIRECTLY
    synthetic_corpora: tuple[str, ...] = Field(examples=["[]"])
    synthetic_weights: Mapping[str, TinyCheckpoint] = Field(examples=["{}"])
    corpus: component("ser.data.corpora")  # type: ignore[valid-type]
    split: SplitParams
    audio: AudioParams
    features: component_map("ser.features.extractors")  # type: ignore[valid-type]
    models: component_map("ser.models")  # type: ignore[valid-type]
    losses: component_map("ser.losses")  # type: ignore[valid-type]
    recipes: Mapping[str, Recipe]
    training: TrainingParams
    extracted: Mapping[str, ExtractionPlan] = Field(min_length=1)
    baselines: BaselineParams
    cells: Mapping[str, CellParams] = Field(min_length=1)
    tuning: TuningParams = Field(examples=["{cells: {}}"])
    robustness: RobustnessParams = Field(examples=["{without_copies: {}}"])
    cross_corpus: CrossCorpusParams = Field(examples=["{corpora: {}, cells: {}}"])
    serving: ServingParams = Field(default_factory=ServingParams)
    input_limits: InputLimits = Field(default_factory=InputLimits)
    gates: GateParams = Field(default_factory=GateParams)

    @field_validator("synthetic_weights")
    @classmethod
    def _plain_names(cls, named: Mapping[str, TinyCheckpoint]) -> Mapping[str, TinyCheckpoint]:
        # Each becomes a key of dvc.yaml, which would look below a dot, and a folder.
        if wrong := [name for name in named if not re.fullmatch(r"[A-Za-z0-9_][\w-]*", name, re.A)]:
            raise ValueError(
                f"a name has letters, digits, _ and - alone, got {', '.join(map(shown, wrong))}"
            )
        return named

    @model_validator(mode="after")
    def _complete(self) -> "Preset":
        faults = [
            f"{section}.{key} is missing, dvc.yaml reads it; write `{key}: {{}}` there"
            for section, key in _READ_BY_DVC
            if key not in getattr(self, section).model_fields_set
        ]
        faults += [
            f"extracted names {name!r}, but there is no features.{name}"
            for name in self.extracted
            if name not in self.features
        ]
        faults += self._extracted_twice()
        if self.baselines.feature not in self.extracted:
            known = ", ".join(self.extracted)
            faults.append(
                f"baselines.feature {self.baselines.feature!r} is not extracted, which are: {known}"
            )
        for name, cell in self.cells.items():
            faults += [f"cells.{name}: {fault}" for fault in self._faults(name, cell)]
        faults += self._beyond_ratings()
        # Once, however many cells share a recipe and a feature.
        cells = self.cells.values()
        faults += dict.fromkeys(fault for cell in cells for fault in self._missing_copies(cell))
        for name, tuned in self.tuning.cells.items():
            faults += self._not_in_cells("tuning.cells", name, tuned)
        for name, cell in self.robustness.without_copies.items():
            faults += self._not_in_cells("robustness.without_copies", name, cell)
            if cell.model in self.recipes and self.recipes[cell.model].copies is None:
                faults.append(variants.nothing_to_leave_out(name, cell.model))
        faults += self._cross_corpus_faults()
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _extracted_twice(self) -> Iterator[str]:
        """Yield the features that are another one under another name."""
        known: dict[tuple[str, str], str] = {}
        for name, params in self.features.items():
            first = known.setdefault(
                (components.component_of(name), params.model_dump_json()), name
            )
            if first != name:
                yield (
                    f"features.{name} has all settings of features.{first} and would be extracted "
                    f"and stored once more; name {first} in the cells that read {name}, and take "
                    f"{name} out of `features` and `extracted`"
                )

    def _cross_corpus_faults(self) -> Iterator[str]:
        """Yield what is wrong with the cells and corpora that are crossed."""
        section = self.cross_corpus
        for name, cell in section.cells.items():
            yield from self._not_in_cells("cross_corpus.cells", name, cell)
        if section.cells and not self.corpus.emotions:
            yield "cross_corpus.cells needs classes to test, and corpus.emotions is empty"
        if section.cells and not section.corpora:
            yield "cross_corpus.cells names cells, but cross_corpus.corpora no corpus to test on"
        if section.cells and self.training.targets == "soft":
            yield "cross_corpus.cells: corpora share no raters; training.targets must be hard"
        own = {self.corpus.name, getattr(self.corpus, "title", None)}
        for name in section.corpora:
            if name in own:
                yield f"cross_corpus.corpora.{name}: this is the name of the section corpus' own"

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
        if cell.loss in self.losses:
            learns_classes = getattr(self.losses[cell.loss], "targets", None) != "ratings"
            if fault := targets_fault(cell.loss, learns_classes, self.corpus.emotions):
                yield fault
        if cell.feature not in self.extracted:
            known = ", ".join(self.extracted)
            yield f"its feature {cell.feature!r} is not extracted, which are: {known}"
        if self.training.targets == "soft" and not self._learns_shares(cell.loss):
            yield no_shares(name, cell.loss)

    def _learns_shares(self, loss: str) -> bool:
        """Return whether a loss does; one that is not there is another fault."""
        if loss not in self.losses:
            return True
        build = components.load(components.LOSSES, loss).build
        built: Loss = build(
            self.losses[loss], num_classes=len(self.corpus.emotions), class_weights=None
        )
        return built.learns_shares

    def _beyond_ratings(self) -> Iterator[str]:
        """Yield what asks for classes where `corpus.emotions` names none."""
        if self.corpus.emotions:
            return
        sections = {
            "tuning.cells": self.tuning.cells,
            "robustness.without_copies": self.robustness.without_copies,
        }
        for section, cells in sections.items():
            if cells:
                yield f"{section}: not supported without classes (corpus.emotions); write `{{}}`"

    def _not_in_cells(
        self, section: str, name: str, cell: CellParams | TunedCellParams
    ) -> Iterator[str]:
        """Yield what keeps an entry from being a cell that is trained."""
        said = {"model": cell.model, "loss": cell.loss, "feature": cell.feature}
        if name not in self.cells:
            yield f"{section}.{name}: there is no cells.{name}"
        elif said != self.cells[name].model_dump():
            yield f"{section}.{name}: model, loss and feature must be those of cells.{name}"

    def _missing_copies(self, cell: CellParams) -> Iterator[str]:
        """Yield the copies that a cell's recipe draws from and its feature does not have."""
        if cell.feature not in self.features or cell.model not in self.recipes:
            return
        extracted = copies_of(self.features[cell.feature])
        for copy in self.recipes[cell.model].copies or ():
            if copies.heard_in(copy)[0] == "voices" and self.split.protocol not in SAFE_PROTOCOLS:
                yield (
                    f"recipes.{cell.model}.copies draws from {copy!r}, which would mix dev or test "
                    f"into train under split.protocol {self.split.protocol}; choose another copy, "
                    f"or the protocol {' or '.join(SAFE_PROTOCOLS)}"
                )
            if copy not in extracted:
                yield (
                    f"recipes.{cell.model}.copies draws from {copy!r}, but "
                    f"features.{cell.feature}.copies has: {', '.join(extracted)}; write it "
                    f"there too, or give its share to another"
                )
