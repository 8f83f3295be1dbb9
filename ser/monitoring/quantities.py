"""The quantities that are watched: their names, units and scales."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number of every recording.

    Args:
        title: For people.
        unit: Of its values; empty for a share.
        is_ratio: Compared by factors, not by differences: its logarithm is tested.
    """

    title: str
    unit: str
    is_ratio: bool = False

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values as they are compared."""
        return np.log(values) if self.is_ratio else values

    def moved(self, difference: float) -> str:
        """Return a difference of scaled values for people, e.g. `-6.0 dB` or `x 1.50`."""
        if self.is_ratio:
            return f"x {math.exp(min(difference, 99.0)):.2f}"
        digits = 1 if self.unit else 3
        return f"{difference:+.{digits}f}{self._with_unit}"

    def spelt(self, value: float) -> str:
        """Return a value for people."""
        digits = {"Hz": 0, "": 3, "s": 2}.get(self.unit, 1)
        return f"{value:.{digits}f}{self._with_unit}"

    @property
    def _with_unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


#: Column -> quantity, inputs first. Class shares are compared beside them.
QUANTITIES: Mapping[str, Quantity] = {
    "duration_s": Quantity("duration", "s", is_ratio=True),
    "level_dbfs": Quantity("level", "dB"),
    "snr_db": Quantity("speech to noise", "dB"),
    "rolloff_hz": Quantity("roll-off", "Hz", is_ratio=True),
    "confidence": Quantity("confidence", ""),
    "distance": Quantity("distance from training", "", is_ratio=True),
}
#: The most probable emotion, counted.
CLASSES = "emotion"
