"""Tolerances of tests that compare computations in float32, counted in its roundings.

A float32 number is known to `EPS` of its size. Two ways to the same number differ by a few
such steps: sums in another order, another processor's instructions, a batch instead of one
utterance, another library. How many depends on how much is computed one after the other, so
there are two numbers of steps; a test multiplies them by the size of what it compares where
that is not about 1. What is equal bit by bit is compared bit by bit, without a tolerance, and
probabilities are compared by their logarithms, in which a logit's rounding shows undiminished.

The defaults of `torch.testing.assert_close` (float32: 11 `EPS` relative, 84 `EPS` absolute)
and of `pytest.approx` (8 `EPS` relative) are of the same kind.
"""

EPS = 2.0**-23

#: A formula: some operations one after the other, as in a loss, a norm, a mean over frames.
FORMULA = 8 * EPS

#: A network: up to ten layers one after the other, each sums up to a thousand products.
NETWORK = 64 * EPS
