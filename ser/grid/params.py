"""The section `cells` of params.yaml: which models are trained with which losses."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from ser.params import Section

#: A cell by the names of its model and its loss.
Cell = tuple[str, str]


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
