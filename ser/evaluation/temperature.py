"""What a temperature makes of probabilities; `ser.evaluation.calibration` finds the temperature.

A module of its own, which an answer needs: tables and statistics take their time to import.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: The smallest normal float64: what softmax may round to zero has a logarithm all the same.
LEAST_PROBABILITY = float(np.finfo(np.float64).tiny)


def log_probabilities(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return ln p, which is the logits up to a constant per row.

    Args:
        probabilities: `(num_utterances, num_classes)`, at least 0.

    Returns:
        Same shape, from -708.4 (a probability that was rounded to zero) to 0.
    """
    return np.asarray(
        np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST_PROBABILITY))
    )


def scale(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return probabilities at a temperature.

    Args:
        probabilities: `(num_utterances, num_classes)`, rows sum to one.
        temperature: Above 0; above 1 makes less sure, below 1 surer.

    Returns:
        Same shape, rows sum to one: softmax(ln p / T), which is softmax(logits / T).
    """
    logits = log_probabilities(probabilities) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
