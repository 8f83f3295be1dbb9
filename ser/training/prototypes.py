"""Whether the prototypes of a cosine head still tell their classes apart."""

import logging
from collections.abc import Mapping, Sequence

from ser.contracts import Model
from ser.nn.heads import cosines

logger = logging.getLogger(__name__)

_KEY = "train/max_prototype_cosine"

#: Two prototypes this close (18 degrees) no longer tell their classes apart.
_COLLAPSED_COSINE = 0.95


def watch(
    model: Model, history: Sequence[Mapping[str, float]], emotions: Sequence[str]
) -> dict[str, float]:
    """Return the largest cosine between two prototypes, in [-1, 1]; warn once of a collapse.

    Args:
        model: At the end of an epoch.
        history: The metrics of the epochs before.
        emotions: The classes, in order, for the message.

    Returns:
        The metric by its key; nothing of a head without prototypes.
    """
    prototypes = model.prototypes()
    if prototypes is None:
        return {}
    between = cosines(prototypes, prototypes).fill_diagonal_(-1.0)
    largest = float(between.max())
    # The history survives an interruption, so a resumed fit does not warn again.
    is_known = any(row[_KEY] > _COLLAPSED_COSINE for row in history)
    if largest > _COLLAPSED_COSINE and not is_known:
        logger.warning(
            "epoch %d: prototypes collapsed: cosine %.3f between %s and %s; "
            "lower the margin or the scale of the loss, or warm the margin up for longer",
            len(history) + 1,
            largest,
            *(emotions[index] for index in divmod(int(between.argmax()), len(between))),
        )
    return {_KEY: largest}
