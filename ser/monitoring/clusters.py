"""Tests that know that recordings of one speaker resemble each other.

The reference has several speakers, so it says how much speakers differ. What is new may come
from other speakers; a difference as large as between speakers of the reference is no drift.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Of the smallest shift that a test would have found: four times out of five, as is usual.
POWER = 0.8
#: Of numbers in a reference, which are kept with six digits.
RESOLUTION = 1e-5


@dataclass(frozen=True, slots=True)
class Groups:
    """A quantity, summarised per speaker.

    Args:
        sizes: Recordings per speaker `(num_speakers,)`, each at least 1.
        means: `(num_speakers,)`.
        variances: Within each speaker, over `size - 1`; 0 where there is one recording
            `(num_speakers,)`.
    """

    sizes: NDArray[np.int64]
    means: NDArray[np.float64]
    variances: NDArray[np.float64]

    @property
    def within(self) -> float:
        """Variance between recordings of one speaker, pooled; 0 where none has two."""
        freedom = self.sizes - 1
        return float((freedom * self.variances).sum() / max(1, freedom.sum()))

    @property
    def between(self) -> float:
        """Variance of the speakers' means; holds a share of `within`."""
        return float(self.means.var(ddof=1))


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a mean has moved from the mean over the reference's speakers.

    Args:
        difference: New minus reference.
        standard_error: Of the difference, if nothing has moved.
        freedom: Degrees of freedom of the standard error.
        p: Two-sided.
    """

    difference: float
    standard_error: float
    freedom: float
    p: float

    def detectable(self, alpha: float) -> float:
        """Return the smallest shift that a test at this level finds with a power of 0.8."""
        from scipy.special import stdtrit

        critical, beyond = (float(stdtrit(self.freedom, q)) for q in (1.0 - alpha / 2.0, POWER))
        return self.standard_error * (critical + beyond)


def weights(sizes: NDArray[np.int64], *, num_new: int, num_speakers: int) -> tuple[float, float]:
    """Return how much each variance contributes to that of a difference of means.

    The variance is `a * between + b * within`. The new recordings are spread evenly over their
    speakers. Where these have more recordings than those of the reference, `b` would be below
    zero; 0 is then a little too careful.

    Args:
        sizes: Recordings per speaker of the reference.
        num_new: New recordings.
        num_speakers: Who speak them.

    Returns:
        a and b.
    """
    expected = float(np.mean(1.0 / sizes))
    a = 1.0 / num_speakers + 1.0 / len(sizes)
    return a, max(0.0, 1.0 / num_new - expected / num_speakers)


def shift(groups: Groups, *, mean: float, num_new: int, num_speakers: int) -> Shift:
    """Compare a mean of new recordings with the reference: a t-test over speakers.

    The null hypothesis: the new speakers are drawn like those of the reference. All variances
    are the reference's.

    Args:
        groups: The reference, at least two speakers.
        mean: Of the new recordings.
        num_new: Their number.
        num_speakers: How many people speak them, at most `num_new`.

    Source:
        Satterthwaite (1946), "An approximate distribution of estimates of variance
        components", for the degrees of freedom; Donner & Klar (2000), "Design and Analysis of
        Cluster Randomization Trials in Health Research", chapter 7, for the test.
    """
    a, b = weights(groups.sizes, num_new=num_new, num_speakers=num_speakers)
    parts = np.array([a * groups.between, b * groups.within])
    freedom = np.array([len(groups.sizes) - 1, max(1, int((groups.sizes - 1).sum()))])
    difference = mean - float(groups.means.mean())
    # A quantity that never varies, e.g. a fixed duration, must not move by rounding alone.
    error = float(np.hypot(np.sqrt(parts.sum()), RESOLUTION * max(1.0, abs(mean))))
    squares = float((parts**2 / freedom).sum())
    satterthwaite = float(parts.sum() ** 2 / squares) if squares > 0.0 else float(freedom[0])
    from scipy.special import stdtr

    p = float(2.0 * stdtr(satterthwaite, -abs(difference) / error))
    return Shift(difference, error, satterthwaite, p)


def shares_p(counts: NDArray[np.int64], new: NDArray[np.int64], *, num_speakers: int) -> float:
    """Return p of a chi-squared test of shares, corrected for differences between speakers.

    Args:
        counts: Of the reference `(num_reference_speakers, num_classes)`, at least two
            speakers, none without a count.
        new: `(num_classes,)`.
        num_speakers: How many people the new counts come from.

    Source:
        Rao & Scott (1984), "On chi-squared tests for multiway contingency tables with cell
        proportions estimated from survey data", Annals of Statistics 12: the second-order
        correction, as an F statistic.
    """
    sizes = counts.sum(axis=1)
    shares = counts / sizes[:, None]
    # Half a recording more of each class: one that was never predicted has a share, too.
    expected = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1])
    a, b = weights(sizes, num_new=int(new.sum()), num_speakers=num_speakers)
    multinomial = np.diag(expected) - np.outer(expected, expected)
    covariance = a * np.cov(shares, rowvar=False) + b * multinomial
    scaled = covariance / np.sqrt(np.outer(expected, expected))
    trace, squares = float(np.trace(scaled)), float(np.sum(scaled**2))
    difference = new / new.sum() - shares.mean(axis=0)
    statistic = float((difference**2 / expected).sum())
    if trace == 0.0:
        return float(statistic == 0.0)
    from scipy.special import fdtrc

    freedom = trace**2 / squares
    return float(fdtrc(freedom, freedom * (len(counts) - 1), statistic / trace))
