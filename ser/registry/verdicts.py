"""What gates say of a challenger, and how it is shown."""

from collections.abc import Sequence

from ser.params import Section


class Verdict(Section):
    """What a gate says.

    Args:
        gate: Its name.
        measured, limit: For people.
        passed: Whether the challenger may go through.
        reason: One sentence.
    """

    gate: str
    measured: str
    limit: str
    passed: bool
    reason: str


def as_table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts for a terminal: gate, measured, limit, verdict, reason."""
    rows = [("gate", "measured", "limit", "verdict", "")]
    for verdict in verdicts:
        said = "pass" if verdict.passed else "FAIL"
        rows.append((verdict.gate, verdict.measured, verdict.limit, said, verdict.reason))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
