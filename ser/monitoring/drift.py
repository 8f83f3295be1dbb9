"""Has anything moved? One test per quantity, and one verdict over all of them together."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser.errors import MonitoringError
from ser.evaluation.comparison import ALPHA, holm
from ser.monitoring import clusters
from ser.monitoring.clusters import Shift
from ser.monitoring.quantities import CLASSES, QUANTITIES
from ser.monitoring.reference import DriftReference

#: Fewer are compared all the same, and the result says that they are few.
FEW_RECORDINGS = 20
#: Of the rarest class, as for any chi-squared test (Cochran 1954).
_MIN_EXPECTED = 5.0


@dataclass(frozen=True, slots=True)
class QuantityFinding:
    """What is said of one quantity, or of the class shares.

    Args:
        name: A key of `QUANTITIES`, or `emotion`.
        title: For people.
        reference, now: Medians, in the quantity's unit; of the class that moved most, its
            share.
        change: Of the mean over speakers, for people: `+3.0 dB`, `x 0.50`.
        outside: Share of the new recordings beyond the reference's percentiles 1 and 99; None
            of class shares. Without drift about 0.02.
        p: Of this test alone; None if it was not made.
        p_holm: After Holm's correction over all tests that were made.
        moved: `p_holm` is below 0.05.
        detectable: The smallest change that would have been found four times out of five,
            for people; None of class shares.
        why_not: Why there is no test; empty if there is one.
    """

    name: str
    title: str
    reference: float
    now: float
    change: str
    outside: float | None
    p: float | None
    p_holm: float | None = None
    moved: bool = False
    detectable: str | None = None
    why_not: str = ""

    @property
    def direction(self) -> str:
        """`higher`, `lower`, or empty where nothing moved."""
        if not self.moved:
            return ""
        return "lower" if self.change.startswith(("-", "x 0.")) else "higher"


@dataclass(frozen=True, slots=True)
class Drift:
    """The comparison of recordings with a reference.

    Args:
        findings: One per quantity, and the class shares.
        num_recordings: That were compared.
        num_speakers: How many people they were taken to come from.
        shares: Emotion -> share in the reference, share now.
        notes: What cannot be said, one sentence each.
    """

    findings: tuple[QuantityFinding, ...]
    num_recordings: int
    num_speakers: int
    shares: dict[str, tuple[float, float]]
    notes: tuple[str, ...]

    @property
    def moved(self) -> tuple[QuantityFinding, ...]:
        """What has moved."""
        return tuple(finding for finding in self.findings if finding.moved)

    def to_json(self) -> dict[str, Any]:
        """Return all of it, JSON-ready."""
        findings = [{**asdict(one), "direction": one.direction} for one in self.findings]
        shares = {
            name: {"reference": before, "now": now} for name, (before, now) in self.shares.items()
        }
        return {
            "drift": bool(self.moved),
            "num_recordings": self.num_recordings,
            "num_speakers": self.num_speakers,
            "findings": findings,
            "shares": shares,
            "notes": list(self.notes),
        }


def compare(reference: DriftReference, heard: pd.DataFrame, *, num_speakers: int = 1) -> Drift:
    """Compare recordings with a reference.

    The error is controlled over all tests together: without drift, any of them is said to
    have moved in at most 5 of 100 comparisons.

    Args:
        reference: Of the bundle whose answers these are.
        heard: One row per recording: `emotion`, and the reference's quantities.
        num_speakers: How many people speak at least; 1 is the most careful.

    Raises:
        MonitoringError: There are fewer recordings than speakers, or none.
    """
    if len(heard) < max(1, num_speakers):
        raise MonitoringError(
            f"{len(heard)} recordings of {num_speakers} speakers: there must be at least one "
            f"recording, and one of each speaker (--speakers)"
        )
    names = [name for name in reference.quantities if name in heard]
    tested = [_quantity(reference, name, heard, num_speakers) for name in names]
    shifts = [shift for _, shift in tested]
    findings = [*(finding for finding, _ in tested), _shares(reference, heard, num_speakers)]
    counts = np.array([(heard[CLASSES] == name).sum() for name in reference.emotions])
    before = (reference.counts / reference.counts.sum(axis=1, keepdims=True)).mean(axis=0)
    return Drift(
        tuple(_corrected(findings, [*shifts, None])),
        len(heard),
        num_speakers,
        dict(zip(reference.emotions, _pairs(before, counts / len(heard)), strict=True)),
        (*_notes(reference, heard, num_speakers), *_untested(findings)),
    )


def _pairs(before: Any, now: Any) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(before, now, strict=True)]


def _quantity(
    reference: DriftReference, name: str, heard: pd.DataFrame, num_speakers: int
) -> tuple[QuantityFinding, Shift | None]:
    quantity, known = QUANTITIES[name], reference.quantities[name]
    values = heard[name].to_numpy(dtype=np.float64)
    low, high = known.percentiles[1], known.percentiles[99]
    mean = float(quantity.scaled(values).mean())
    groups = known.groups
    if len(groups.sizes) > 1:
        shift = clusters.shift(groups, mean=mean, num_new=len(values), num_speakers=num_speakers)
    else:
        shift = None
    finding = QuantityFinding(
        name,
        quantity.title,
        known.percentiles[50],
        float(np.median(values)),
        quantity.moved(mean - float(groups.means.mean())),
        float(np.mean((values < low) | (values > high))),
        None if shift is None else shift.p,
        why_not="" if shift else "the reference has one speaker",
    )
    return finding, shift


def _shares(reference: DriftReference, heard: pd.DataFrame, num_speakers: int) -> QuantityFinding:
    """Return the finding of the class shares; the numbers are those of the class that moved."""
    counts = reference.counts
    new = np.array([(heard[CLASSES] == name).sum() for name in reference.emotions])
    before = (counts / counts.sum(axis=1, keepdims=True)).mean(axis=0)
    now = new / max(1, new.sum())
    most = int(np.abs(now - before).argmax())
    least = float((counts.sum(axis=0) / counts.sum() * len(heard)).min())
    p, why_not = None, ""
    if len(counts) < 2:
        why_not = "the reference has one speaker"
    elif new.sum() < len(heard):
        why_not = "the recordings hold emotions that the reference does not know"
    elif least < _MIN_EXPECTED:
        needed = int(np.ceil(_MIN_EXPECTED * len(heard) / max(least, 1e-9)))
        why_not = f"too few recordings: the rarest emotion needs {min(needed, 10**6)}"
    else:
        p = clusters.shares_p(counts, new, num_speakers=num_speakers)
    change = f"{now[most] - before[most]:+.3f}"
    title = f"emotions, most: {reference.emotions[most]}"
    return QuantityFinding(
        CLASSES, title, float(before[most]), float(now[most]), change, None, p, why_not=why_not
    )


def _corrected(
    findings: Sequence[QuantityFinding], shifts: Sequence[Shift | None]
) -> list[QuantityFinding]:
    """Return findings with Holm's p over all that were tested, and what they could have found."""
    tested = [finding.p for finding in findings if finding.p is not None]
    corrected = iter(holm(np.array(tested)).tolist() if tested else [])
    done = []
    for finding, shift in zip(findings, shifts, strict=True):
        if finding.p is None:
            done.append(finding)
            continue
        p = float(next(corrected))
        least = None
        if shift is not None:
            # Bonferroni's level: the one that a single moved quantity has to pass.
            size = shift.detectable(ALPHA / len(tested))
            least = QUANTITIES[finding.name].moved(size).lstrip("+")
        values = {**asdict(finding), "p_holm": p, "moved": p < ALPHA, "detectable": least}
        done.append(QuantityFinding(**values))
    return done


def _untested(findings: Sequence[QuantityFinding]) -> list[str]:
    return [f"{one.title}: not tested: {one.why_not}" for one in findings if one.why_not]


def _notes(reference: DriftReference, heard: pd.DataFrame, num_speakers: int) -> list[str]:
    """Return what this comparison cannot say."""
    notes = []
    if len(heard) < FEW_RECORDINGS:
        notes.append(
            f"{len(heard)} recordings are few: only large changes are found (see the column of "
            f"what would have been found), and no change is no proof that nothing moved"
        )
    if num_speakers == 1:
        notes.append(
            "all recordings might be of one speaker, so a change must be larger than speakers "
            "differ; if more people are heard, say how many: --speakers N finds smaller changes"
        )
    if reference.num_speakers < 5:
        notes.append(
            f"the reference has {reference.num_speakers} speakers: how much speakers differ is "
            f"hardly known, so only very large changes are found"
        )
    unmeasured = [QUANTITIES[n].title for n in reference.quantities if n not in heard]
    if unmeasured:
        notes.append(f"not in what was heard: {', '.join(unmeasured)}")
    return notes
