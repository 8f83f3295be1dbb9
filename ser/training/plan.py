"""What a cell of the grid is: a model with a loss, their params, and how they are built."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

from ser import components
from ser.batch import FeatureSpec, HeadName
from ser.contracts import Loss, Model
from ser.errors import ParamsError
from ser.nn.ratings import RatedModel
from ser.params import ComponentParams, Section, parse
from ser.training import device
from ser.training.recipe import Recipe, TrainingParams

_SomeSection = TypeVar("_SomeSection", bound=Section)


@dataclass(frozen=True, slots=True)
class CellPlan:
    """A model with a loss, and everything that says how it is trained.

    Args:
        model, loss: Component names.
        model_params, loss_params: Their params.
        recipe: Optimisation of the model.
        training: What all cells share.
        emotions: The classes, in order.
        is_across: Whether `cross_corpus` has replaced the normalisation of the recipe.
    """

    model: str
    loss: str
    model_params: ComponentParams
    loss_params: ComponentParams
    recipe: Recipe
    training: TrainingParams
    emotions: tuple[str, ...]
    is_across: bool = False

    @property
    def name(self) -> str:
        """`<model>-<loss>`."""
        return f"{self.model}-{self.loss}"

    def with_values(self, values: Mapping[str, float]) -> "CellPlan":
        """Return the plan with some params replaced, validated as those of params.yaml.

        Args:
            values: Dotted name -> value; a name begins with `model.`, `loss.` or `recipe.`,
                e.g. `loss.gamma`.

        Raises:
            ParamsError: There is no such param, or it must not have this value.
        """
        sections: dict[str, dict[str, float]] = {"model": {}, "loss": {}, "recipe": {}}
        for name, value in values.items():
            section, _, field = name.partition(".")
            if section not in sections:
                raise ParamsError(
                    f"cell {self.name}: no param is named {name!r}; expected model.<param>, "
                    f"loss.<param> or recipe.<param>"
                )
            sections[section][field] = value
        return replace(
            self,
            model_params=_updated(self.model_params, sections["model"], f"models.{self.model}"),
            loss_params=_updated(self.loss_params, sections["loss"], f"losses.{self.loss}"),
            recipe=_updated(self.recipe, sections["recipe"], f"recipes.{self.model}"),
        )

    @property
    def num_ratings(self) -> int:
        """How many dimensions the loss wants rated, see `ser.contracts.Loss`."""
        return build_loss(self).num_ratings

    @property
    def learns_votes(self) -> bool:
        """Whether the shares of the raters' votes are learnt, and not the labels."""
        return self.training.targets == "soft"

    def params(self) -> dict[str, Any]:
        """Return all params as parsed, defaults included, JSON-ready."""
        return {
            "model": {"name": self.model, **self.model_params.model_dump(mode="json")},
            "loss": {"name": self.loss, **self.loss_params.model_dump(mode="json")},
            "recipe": self.recipe.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
        }


def _updated(section: _SomeSection, values: Mapping[str, float], where: str) -> _SomeSection:
    """Return a section with some values replaced and validated."""
    if not values:
        return section
    return parse({**section.model_dump(), **values}, type(section), where=f"tuned {where}")


def build_loss(plan: CellPlan, class_weights: Tensor | None = None) -> Loss:
    """Return a cell's loss.

    Args:
        plan: Names the loss; its params.
        class_weights: One weight per class `(num_classes,)`, or None for equal ones.
    """
    loss: Loss = components.load("ser.losses", plan.loss).build(
        plan.loss_params, num_classes=len(plan.emotions), class_weights=class_weights
    )
    return loss


def no_shares(cell: str, loss: str) -> str:
    """Return why a cell cannot learn the shares of votes."""
    return (
        f"training.targets: soft has no meaning for the loss {loss}, which learns one class per "
        f"utterance and no shares of votes; take the cell {cell} out of `cells` (and of "
        f"`tuning.cells`), or write `targets: hard`"
    )


def build_model(
    plan: CellPlan, *, feature: FeatureSpec, head: HeadName, num_ratings: int = 0
) -> Model:
    """Return a cell's model as it is before training.

    Args:
        plan: Names the model; its params.
        feature: What it reads.
        head: The loss' `head`.
        num_ratings: The loss' `num_ratings`; above 0 the model gets a head for ratings.
    """
    model: Model = components.load("ser.models", plan.model).build(
        plan.model_params, feature=feature, num_classes=len(plan.emotions), head=head
    )
    return RatedModel(model, num_ratings) if num_ratings else model


def with_precision(plan: CellPlan, feature: FeatureSpec) -> CellPlan:
    """Return a plan with `training.precision: auto` replaced by what it means on this machine.

    Args:
        plan: As params.yaml has it.
        feature: What the model reads.
    """
    ask = components.load("ser.models", plan.model).trains_transformer
    trains = ask is not None and ask(plan.model_params, feature.params)
    return replace(plan, training=device.resolved(plan.training, trains_transformer=trains))


def require_normalising(plan: CellPlan, model: Model) -> None:
    """Refuse a normalisation that a model has no use for.

    Args:
        plan: The cell; one that is normalised by the fold passes.
        model: Its model.

    Raises:
        ParamsError: The recipe normalises by speaker, session or corpus, and the model wants its
            inputs as they are.
    """
    chosen = plan.recipe.normalisation
    if chosen != "fold" and not model.normalises_inputs:
        where, cure = f"recipes.{plan.model}", "write `normalisation: fold`, which leaves them so"
        if plan.is_across:
            where = "cross_corpus"
            cure = f"write `normalisation: recipe`, so that recipes.{plan.model} says it"
        raise ParamsError(
            f"{where}.normalisation: {chosen} normalises the inputs, but this {plan.model} goes "
            f"on with published weights, which want their inputs as they are; {cure}"
        )
