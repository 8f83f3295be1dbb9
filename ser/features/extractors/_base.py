"""The params that all extractors share."""

from pydantic import Field, field_validator

from ser.features import copies
from ser.features.store import CLEAN
from ser.params import ComponentParams


class ExtractorParams(ComponentParams):
    """Params that every extractor shares; each extractor's `Params` adds its own.

    Args:
        copies: What is extracted of every utterance: `clean`, the recording as it is, and
            any number of changed copies that training may draw from (`recipes.<model>.copies`).
            E.g. `speed_0.9` is speech 0.9 times as fast, `noise_20db` has white noise at 20 dB,
            `telephone` went through a telephone; all kinds stand in `docs/adding.md`.
    """

    # Left out of a dump: it says which copies there are, and nothing of the frames of any
    # one. So `clean` is the same feature with and without others beside it, in a store, in a
    # bundle and for a served model, which reads no other.
    copies: tuple[str, ...] = Field((CLEAN,), exclude=True)

    @field_validator("copies")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if CLEAN not in names:
            raise ValueError(f"{CLEAN} must be among them: dev, test and serving read it")
        if len(set(names)) != len(names):
            raise ValueError("a copy is named twice")
        for name in names:
            copies.change_of(name)
        return names


def copies_of(params: ComponentParams) -> tuple[str, ...]:
    """Return the copies that an extractor's params ask for, `clean` first."""
    asked = params.copies if isinstance(params, ExtractorParams) else ()
    return (CLEAN, *(name for name in asked if name != CLEAN))
