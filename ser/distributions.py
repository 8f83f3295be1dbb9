"""How well probabilities agree with the shares of raters' votes: NumPy in, floats out.

Everything is per utterance, or a count per utterance, so that what speakers add to a score can be
told apart. An array of shares, as one of probabilities, is `(num_utterances, num_classes)`, rows
in sum 1.
"""

import numpy as np
from numpy.typing import NDArray

#: Probabilities below it count as that, as in `ser.metrics.nll`.
_LEAST_PROBABILITY = 1e-12


def cross_entropies(
    *, shares: NDArray[np.float64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return -sum_k t_k ln p_k of each utterance `(num_utterances,)`, in nats.

    Args:
        shares: Of the votes, t.
        probabilities: p; what is below 1e-12 counts as that.

    Returns:
        At least the entropy of the shares, which it is where the two are equal.

    Raises:
        ValueError: The shapes differ, or a row does not sum to one.
    """
    _check(shares, probabilities)
    costs: NDArray[np.float64] = -(
        shares * np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
    ).sum(axis=1)
    return costs


def js_distances(
    *, shares: NDArray[np.float64], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the Jensen-Shannon distance of each utterance `(num_utterances,)`.

    The square root of (KL(t | m) + KL(p | m)) / 2 with m = (t + p) / 2, in bits.

    Args:
        shares: Of the votes, t.
        probabilities: p.

    Returns:
        In [0, 1]: 0 where the two are equal, 1 where no class has both.

    Raises:
        ValueError: The shapes differ, or a row does not sum to one.

    Source:
        Endres and Schindelin (2003), "A new metric for probability distributions".
    """
    # Here, not at the top: few corpora have votes, and every cell is scored.
    from scipy.spatial.distance import jensenshannon

    _check(shares, probabilities)
    found = np.asarray(jensenshannon(shares, probabilities, base=2.0, axis=1))
    # Of equal rows the divergence may be a rounding below zero, and its root no number.
    return np.nan_to_num(found, nan=0.0)


def stands_out(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which classes count as present: those with more than an equal share, 1 / K.

    Of equal shares none does.

    Args:
        shares: Of votes, or probabilities.

    Returns:
        Same shape.

    Source:
        Wu et al. (2024), "EMO-SUPERB", arXiv:2402.13018, and its code: both the votes and the
        predictions are compared with 1 / K, and must be above.
    """
    # Rounding must not lift 1 / K itself above 1 / K.
    found: NDArray[np.bool_] = shares > 1.0 / shares.shape[1] + 1e-9
    return found


def f1_of(
    hits: NDArray[np.float64], present: NDArray[np.float64], predicted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return macro-F1 of classes that may be present together, 2 TP / (2 TP + FP + FN).

    Args:
        hits: How often each class is present and predicted `(..., num_classes)`.
        present: How often it is present, same shape.
        predicted: How often it is predicted, same shape.

    Returns:
        Mean over classes `(...)`, in [0, 1]; a class that is neither present nor predicted
        counts as 0, as in scikit-learn with `zero_division=0`.
    """
    both = present + predicted
    each = np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
    return np.asarray(each.mean(axis=-1))


def _check(shares: NDArray[np.float64], probabilities: NDArray[np.float64]) -> None:
    if shares.shape != probabilities.shape or shares.ndim != 2:
        raise ValueError(
            f"shares and probabilities must both be (num_utterances, num_classes), "
            f"got {shares.shape} and {probabilities.shape}"
        )
    for name, rows in (("shares", shares), ("probabilities", probabilities)):
        if not np.allclose(rows.sum(axis=1), 1.0, atol=1e-4):
            worst = float(np.abs(rows.sum(axis=1) - 1.0).max())
            raise ValueError(f"{name} must sum to one in every row; off by {worst:.3g}")
