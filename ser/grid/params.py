"""The section `cells` of params.yaml: which models are trained with which losses."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from ser.components import CORPORA
from ser.params import Section, component
from ser.wording import shown

#: A cell by the names of its model and its loss.
Cell = tuple[str, str]

#: Whose statistics normalise inputs where two corpora are crossed.
AcrossNormalisation = Literal["recipe", "corpus"]


class CellParams(Section):
    """One cell that `dvc repro` trains and compares.

    Args:
        model: Which model.
        loss: Which loss it is trained with.
        feature: Which feature it reads.
    """

    model: str
    loss: str
    feature: str


class RobustnessParams(Section):
    """What is asked of cells under changed recordings, beside the scores under every copy.

    Args:
        without_copies: `<model>-<loss>` -> the cell, as in `cells`. Each is trained once more
            on `clean` alone, and the report compares the two under every copy. Its recipe must
            draw from copies.
    """

    without_copies: Mapping[str, CellParams] = Field(default_factory=dict)


class CrossCorpusParams(Section):
    """Cells that are trained on all of one corpus and tested on another, beside the grid.

    Args:
        corpora: Name -> a further corpus, as in the section `corpus`: its parser by `name`, with
            its knobs. The name here is that of a folder of `data/raw`; it has letters, digits and
            `_` alone. Without `emotions`, the classes are those of `corpus.emotions` that it has.
        cells: `<model>-<loss>` -> the cell, as in `cells`. Each is trained on all of the corpus of
            the section `corpus` and tested on each of these, and the other way round.
        normalisation: `recipe` normalises as the recipe of the model says; `corpus` normalises
            each corpus by its own mean and deviation per bin. That is transductive: it needs the
            unlabelled recordings that are tested, and is marked so.
    """

    corpora: Mapping[str, component(CORPORA)] = Field(default_factory=dict)  # type: ignore[valid-type]
    cells: Mapping[str, CellParams] = Field(default_factory=dict)
    normalisation: AcrossNormalisation = "recipe"

    @field_validator("corpora")
    @classmethod
    def _plain(cls, corpora: Mapping[str, object]) -> Mapping[str, object]:
        # Each is a key of dvc.yaml, a folder, and one side of `<name>-to-<name>`.
        if wrong := [name for name in corpora if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)]:
            raise ValueError(
                f"a name has letters, digits and _ alone, a letter first, got "
                f"{', '.join(map(shown, wrong))}"
            )
        if twice := [name for name in corpora if getattr(corpora[name], "parser", None)]:
            raise ValueError(
                f"{', '.join(twice)}: here the key is the corpus' own name; write its parser as "
                f"`name`, and no `parser`"
            )
        return corpora


def targets_fault(loss: str, learns_classes: bool, emotions: Sequence[str]) -> str | None:
    """Return why a loss cannot be trained on a corpus with these classes, or None.

    Args:
        loss: Its name.
        learns_classes: See `ser.contracts.Loss`.
        emotions: The classes; none where ratings are learnt.
    """
    if learns_classes and not emotions:
        return (
            f"losses.{loss} learns classes, and corpus.emotions is empty; without classes train "
            f"the loss ccc with `targets: ratings`, or name the classes in corpus.emotions"
        )
    if emotions and not learns_classes:
        return (
            f"losses.{loss}.targets: ratings learns no classes, and corpus.emotions has "
            f"{len(emotions)}; write `targets: vad` to learn both, or `emotions: []`"
        )
    return None
