"""What a benchmark says: our number beside an alternative's, and their ratio."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Two numbers that were taken in one process, on the same data.

    Args:
        name: What was measured, and on which data.
        value: Ours, above zero.
        unit: Of both numbers.
        better: Which direction of the number is the good one.
        alternative: What ours is compared with.
        alternative_value: Its number, above zero.
        threads: CPU threads, the same for both unless the alternative's name says otherwise.
    """

    name: str
    value: float
    unit: str
    better: Better
    alternative: str
    alternative_value: float
    threads: int

    def __post_init__(self) -> None:
        for number in (self.value, self.alternative_value):
            if not 0 < number < float("inf"):
                raise ValueError(f"{self.name}: a ratio needs numbers above zero, got {number!r}")

    @property
    def ratio(self) -> float:
        """How many times better ours is; below 1 the alternative is better."""
        if self.better == "higher":
            return self.value / self.alternative_value
        return self.alternative_value / self.value

    def row(self) -> Mapping[str, Any]:
        """Return the measurement as reports/bench.json has it."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": f"{self.unit} ({self.better} is better)",
            "alternative": self.alternative,
            "alternative_value": self.alternative_value,
            "ratio": self.ratio,
            "threads": self.threads,
        }
