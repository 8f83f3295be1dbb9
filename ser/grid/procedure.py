"""What belongs beside the scores of a cell: how it was trained, where that is not as usual."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Procedure:
    """How a cell's folds were trained, as far as it changes what their scores mean.

    Args:
        refit: Whether the weights that read test were trained on train and dev.
        normalisation: Whose statistics normalise the inputs: `fold`, or `speaker`, `session` or
            `corpus`.
        targets: What is learnt: `hard`, the labels, or `soft`, the shares of raters' votes.
        precision: Of the forward passes of training.
    """

    refit: bool = False
    normalisation: str = "fold"
    targets: str = "hard"
    precision: str = "float32"

    @classmethod
    def of_params(cls, params: Mapping[str, Any]) -> "Procedure":
        """Return that of a recorded run, from its params; what they do not say is the default."""
        training, recipe = params.get("training", {}), params.get("recipe", {})
        return cls(
            bool(training.get("refit", False)),
            str(recipe.get("normalisation", "fold")),
            str(training.get("targets", "hard")),
            str(training.get("precision", "float32")),
        )

    @property
    def is_transductive(self) -> bool:
        """Whether a prediction needs more of the test part than the one utterance."""
        return self.normalisation != "fold"

    @property
    def tags(self) -> dict[str, str]:
        """Tags of every run of the cell."""
        return {
            "ser.refit": str(self.refit).lower(),
            "ser.transductive": str(self.is_transductive).lower(),
            "ser.targets": self.targets,
        }

    @property
    def remarks(self) -> dict[str, str]:
        """A word for a table -> the sentence that explains it; empty for the usual procedure."""
        found = {}
        if self.refit:
            found["refitted"] = (
                "once dev had chosen the epoch, each fold was trained anew on train and dev up "
                "to it; these weights read test. Dev scores, and the temperature fitted on dev, "
                "are of the fit that chose"
            )
        if self.is_transductive:
            found["transductive"] = (
                f"inputs are normalised per {self.normalisation}, those of the test part by the "
                f"statistics of its own unlabelled utterances. One recording of a stranger cannot "
                f"be recognised so"
            )
        if self.targets == "soft":
            found["soft"] = (
                "training learns the shares of the raters' votes and not the labels; the epoch is "
                "chosen by the labels, and scores are of the labels where nothing else is said"
            )
        if self.precision != "float32":
            found[self.precision] = (
                f"the forward passes of training are in {self.precision}; weights, gradients and "
                f"losses are in float32"
            )
        return found


def notices(procedures: Mapping[str, Procedure]) -> list[str]:
    """Return what is not as usual in some cells, a sentence each, with the cells it holds for.

    Args:
        procedures: Name of a cell -> its procedure.

    Example:
        >>> notices({"lstm-aam": Procedure(), "lstm-ccc": Procedure()})
        []
    """
    return [
        f"{word.capitalize()} ({', '.join(names) or 'all cells'}): {sentence}."
        for (word, sentence), names in _by_remark(procedures).items()
    ]


def line(procedures: Mapping[str, Procedure]) -> str:
    """Return the same in a few words, to go on with the line below a figure.

    Args:
        procedures: Name of a cell, or of a model -> its procedure.

    Example:
        >>> line({"lstm": Procedure(True, "speaker"), "vggish": Procedure(True)})
        ', REFITTED, TRANSDUCTIVE (lstm)'
    """
    return "".join(
        f", {word.upper()}" + (f" ({', '.join(names)})" if names else "")
        for (word, _), names in _by_remark(procedures).items()
    )


def _by_remark(procedures: Mapping[str, Procedure]) -> dict[tuple[str, str], list[str]]:
    """Return word and sentence -> the names it holds for; none where it holds for all."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, procedure in procedures.items():
        for remark in procedure.remarks.items():
            found.setdefault(remark, []).append(name)
    return {
        remark: [] if len(names) == len(procedures) else names for remark, names in found.items()
    }
