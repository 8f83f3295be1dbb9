"""reports/bench.json, and the same as a table."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import Measurement
from ser.errors import SerError

_COLUMNS = ("name", "value", "unit", "alternative", "alternative_value", "ratio", "threads")


class ReportError(SerError):
    """The file of measurements is missing or not what it should be."""


def write(path: Path, measurements: Sequence[Measurement]) -> None:
    """Replace the file with a list of measurements."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.part")
    rows = [dict(measurement.row()) for measurement in measurements]
    temporary.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the rows that `write` wrote.

    Raises:
        ReportError: The file is missing or is not a list of measurements.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReportError(f"{path}: nothing was measured yet; run `make bench`") from error
    except ValueError as error:
        raise ReportError(f"{path}: not JSON ({error}); run `make bench`") from error
    is_table = isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    if not is_table or any(set(row) != set(_COLUMNS) for row in rows):
        raise ReportError(f"{path}: expected a list of {', '.join(_COLUMNS)}; run `make bench`")
    found: list[dict[str, Any]] = rows
    return found


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table; a ratio above 1 says that ours is better."""
    lines = [
        "| what | ours | alternative | its | unit | ratio | threads |",
        "|---|---:|---|---:|---|---:|---:|",
    ]
    lines += [
        f"| {row['name']} | {_shown(row['value'])} | {row['alternative']} "
        f"| {_shown(row['alternative_value'])} | {row['unit']} | **{row['ratio']:.2f}** "
        f"| {row['threads']} |"
        for row in rows
    ]
    return "\n".join(lines)


def _shown(value: float) -> str:
    """Return three significant digits, never in scientific notation."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
