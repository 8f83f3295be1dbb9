"""The space of a cell, read from the marks beside its params, and where a search begins."""

from collections.abc import Mapping
from dataclasses import dataclass

from ser.errors import ParamsError
from ser.params import Section, Tunable, tunables
from ser.training.plan import CellPlan
from ser.tuning.params import TunedCellParams

#: The word in `search` for everything that the loss declares.
WHOLE_LOSS = "loss"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One param that is searched.

    Args:
        name: Dotted, e.g. `loss.gamma`.
        low, high: Ends of the range, both included.
        log: Searched uniformly in the logarithm.
        is_integer: Whole numbers only.
        unit: Of the range, empty for a plain number.
        published: The published study's constant, or None.
        present: The value of params.yaml.
    """

    name: str
    low: float
    high: float
    log: bool
    is_integer: bool
    unit: str
    published: float | None
    present: float

    def holds(self, value: float) -> bool:
        """Return whether a value lies within the range."""
        return self.low <= value <= self.high


Space = tuple[Dimension, ...]


def of_cell(plan: CellPlan, wanted: TunedCellParams) -> Space:
    """Return what is searched of a cell.

    Args:
        plan: The cell with the values of params.yaml.
        wanted: What to search.

    Returns:
        The dimensions, those of the loss first.

    Raises:
        ParamsError: Nothing is left to search, a word names no tunable param, or a range
            leaves the param's own bounds.
    """
    known = _declared(plan)
    of_loss = [name for name in known if name.startswith("loss.")]
    chosen: list[str] = []
    for word in wanted.search:
        if word == WHOLE_LOSS and not of_loss:
            raise ParamsError(
                f"tuning.cells.{plan.name}.search: the loss {plan.loss} has nothing to tune; "
                f"name some of: {', '.join(_short(name) for name in known)}"
            )
        chosen += of_loss if word == WHOLE_LOSS else [_named(word, known, plan)]
    ranges = {_named(name, known, plan): ends for name, ends in wanted.ranges.items()}
    idle = sorted(set(ranges) - set(chosen))
    if idle:
        raise ParamsError(
            f"tuning.cells.{plan.name}.ranges: {', '.join(idle)} is not searched; "
            f"add it to search, or remove its range"
        )
    return tuple(_dimension(name, known[name], ranges.get(name), plan) for name in _once(chosen))


def starts(space: Space) -> list[dict[str, float]]:
    """Return the points that are tried first.

    Args:
        space: The dimensions.

    Returns:
        The published study's constants, with params.yaml's value where it has none, and
        then params.yaml's values; each once, and only where all of it lies within the space.
    """
    published = {d.name: d.present if d.published is None else d.published for d in space}
    present = {d.name: d.present for d in space}
    points = [published] if published == present else [published, present]
    return [point for point in points if all(d.holds(point[d.name]) for d in space)]


def _declared(plan: CellPlan) -> dict[str, tuple[Tunable, Section]]:
    """Return dotted name -> mark and section, of all that a cell could tune."""
    sections: Mapping[str, Section] = {
        "loss": plan.loss_params,
        "recipe": plan.recipe,
        "model": plan.model_params,
    }
    return {
        f"{word}.{name}": (mark, section)
        for word, section in sections.items()
        for name, mark in tunables(type(section)).items()
    }


def _short(name: str) -> str:
    return name.partition(".")[2]


def _once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _named(word: str, known: Mapping[str, object], plan: CellPlan) -> str:
    """Return the dotted name of a param that is said with or without its section."""
    for name in known:
        if word in (name, _short(name)):
            return name
    raise ParamsError(
        f"tuning.cells.{plan.name}: no tunable param is named {word!r}; there are: "
        f"{', '.join([WHOLE_LOSS, *map(_short, known)])}"
    )


def _dimension(
    name: str,
    declared: tuple[Tunable, Section],
    ends: tuple[float, float] | None,
    plan: CellPlan,
) -> Dimension:
    mark, section = declared
    low, high = ends or (mark.low, mark.high)
    for end in (low, high):
        # The params' own bounds are checked where they stand.
        plan.with_values({name: end})
    present = getattr(section, _short(name))
    return Dimension(
        name=name,
        low=low,
        high=high,
        log=mark.log,
        is_integer=isinstance(present, int),
        unit=mark.unit,
        published=mark.published,
        present=present,
    )
