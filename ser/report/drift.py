"""What `ser monitor` shows: a summary for the terminal, and a self-contained page."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser.figures import drift as figures
from ser.figures import style
from ser.monitoring.drift import Drift, QuantityFinding
from ser.monitoring.quantities import CLASSES, QUANTITIES, Quantity
from ser.monitoring.reference import DriftReference
from ser.report import html
from ser.report.footer import SYNTHETIC_NOTICE

_SHARE = Quantity("share", "")


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that is shown.

    Args:
        drift: The comparison.
        reference: Of the bundle.
        heard: What was compared with it, one row per recording.
        model: MLflow's address.
        corpus: That the model was trained on.
        synthetic: Whether no person spoke there.
    """

    drift: Drift
    reference: DriftReference
    heard: pd.DataFrame
    model: str
    corpus: str
    synthetic: bool

    @property
    def verdict(self) -> str:
        """One sentence: what has moved."""
        moved = [f"{one.title} ({one.direction}, {one.change})" for one in self.drift.moved]
        if moved:
            return f"drift: {'; '.join(moved)}"
        if not any(finding.p is not None for finding in self.drift.findings):
            return "nothing could be tested"
        return "no drift found"

    @property
    def compared(self) -> str:
        """What was compared with what."""
        drift, reference = self.drift, self.reference
        speakers = "1 speaker" if drift.num_speakers == 1 else f"{drift.num_speakers} speakers"
        return (
            f"{drift.num_recordings} recordings, taken to be of {speakers} at least; reference: "
            f"{reference.num_recordings} recordings of {reference.num_speakers} speakers of "
            f"{self.corpus}, {reference.source}"
        )


def cells(finding: QuantityFinding) -> dict[str, str]:
    """Return the columns of a finding's row, as text."""
    quantity = QUANTITIES.get(finding.name, _SHARE)
    return {
        "quantity": finding.title,
        "reference": quantity.spelt(finding.reference),
        "now": quantity.spelt(finding.now),
        "change": finding.change,
        "would be found": finding.detectable or "-",
        "unusual": "-" if finding.outside is None else f"{finding.outside:.0%}",
        "p (Holm)": "-" if finding.p_holm is None else _p(finding.p_holm),
        "verdict": finding.direction or ("not tested" if finding.p is None else "-"),
    }


def as_text(shown: Shown) -> str:
    """Return the summary for a terminal."""
    rows = [cells(finding) for finding in shown.drift.findings]
    table = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    notes = [f"note: {note}" for note in shown.drift.notes]
    return "\n".join([f"{shown.model}: {shown.verdict}", shown.compared, "", *lines, "", *notes])


def render(shown: Shown) -> str:
    """Return the page as HTML; styles and the picture are inside."""
    return (
        html.environment()
        .get_template("drift.html.j2")
        .render(
            shown=shown,
            rows=[(cells(finding), finding.moved) for finding in shown.drift.findings],
            picture=_picture(shown),
            synthetic_notice=SYNTHETIC_NOTICE,
        )
    )


def _picture(shown: Shown) -> str:
    """Return the distributions as the address of an image inside the page."""
    known = shown.reference.quantities
    panels = []
    for finding in shown.drift.findings:
        if finding.name != CLASSES:
            quantity = QUANTITIES[finding.name]
            name = f"{quantity.title}, {quantity.unit}" if quantity.unit else quantity.title
            values = shown.heard[finding.name].to_numpy(dtype=np.float64)
            percentiles = known[finding.name].percentiles
            panels.append((name, percentiles, values, quantity.is_ratio))
    kind = "SYNTHETIC speech" if shown.synthetic else "real speech"
    figure = figures.distributions(
        panels,
        shown.drift.shares,
        title="Reference and now",
        footer=f"reference: corpus {shown.corpus} ({kind}); bars are shares of the recordings",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = style.save(figure, Path(folder) / "drift", formats=("png",))
        return html.image(path)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
