"""The table of cells and baselines, ready to be pasted into a paper."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ser.data import task
from ser.errors import SerError
from ser.grid.procedure import notices
from ser.report.footer import SYNTHETIC_NOTICE, footer_of
from ser.report.results import Result

#: What marks a cell that is not told apart from the best.
_MARK = "†"
_SCORES = ("uar", "wa")

#: What LaTeX reads as commands -> how they are printed.
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # In LaTeX's usual encoding these are other letters.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    _MARK: r"\textsuperscript{\textdagger}",
}


def escaped(text: str) -> str:
    r"""Return a text as LaTeX prints it.

    Example:
        >>> escaped("label_smoothing, 5 %")
        'label\\_smoothing, 5 \\%'
    """
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def as_latex(result: Result) -> str:
    """Return a table for LaTeX with the package booktabs, names escaped.

    Args:
        result: The comparison.
    """
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(_caption(result))}}}",
        rf"\label{{tab:ser-{task.of_card(result.card)}-{result.split.protocol}}}",
        # So the longest names fit the lines of `article`.
        r"\footnotesize\setlength{\tabcolsep}{2pt}",
        r"\begin{tabular}{llrlrlr}",
        r"\toprule",
        " & ".join(escaped(name) for name in _HEADER) + r" \\",
        r"\midrule",
        *(_latex_row(row) for row in result.grid.to_dict("records")),
        r"\midrule",
        *(_latex_row(_baseline(row)) for row in result.baselines.to_dict("records")),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


_HEADER = ("model", "loss", "UAR %", "95 % interval", "WA %", "95 % interval", "macro-F1 %")


def as_markdown(result: Result) -> str:
    """Return a table for a Markdown page.

    Args:
        result: The comparison.
    """
    rows = [
        *result.grid.to_dict("records"),
        *(_baseline(row) for row in result.baselines.to_dict("records")),
    ]
    lines = [
        f"| {' | '.join(_HEADER)} |",
        "|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(_cells(row, _MARK))} |" for row in rows),
        "",
        _caption(result),
    ]
    return "\n".join(lines)


def as_csv(result: Result) -> str:
    """Return a table for a spreadsheet: shares in percent, `tied_with_best` empty for baselines.

    Args:
        result: The comparison.
    """
    names = [f"{score}{end}" for score in _SCORES for end in ("", "_low", "_high")]
    columns = ["model", "loss", *names, "macro_f1", "tied_with_best"]
    baselines = pd.DataFrame([_baseline(row) for row in result.baselines.to_dict("records")])
    table = pd.concat([result.grid.astype({"tied_with_best": object}), baselines])[columns]
    shares = [*names, "macro_f1"]
    table[shares] = (100 * table[shares].astype(float)).round(2)
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text.rstrip("\n")


#: Name of a format -> what makes it.
FORMATS: Mapping[str, Callable[[Result], str]] = {
    "latex": as_latex,
    "markdown": as_markdown,
    "csv": as_csv,
}


def table(result: Result, name: str) -> str:
    """Return the table in a format.

    Args:
        result: The comparison.
        name: One of `FORMATS`.

    Raises:
        SerError: The corpus has no classes, so its cells have other scores.
    """
    if not result.card.emotions:
        raise SerError(
            f"the corpus {result.card.name} has no classes; tables for papers are of UAR and WA. "
            f"reports/grid.csv has the scores of its ratings"
        )
    return FORMATS[name](result)


def _caption(result: Result) -> str:
    """Return what stands with a table: the data, what is marked, and what it is not."""
    card = result.card
    several = bool((result.grid["num_seeds"] > 1).any())
    synthetic = f" {SYNTHETIC_NOTICE}" if card.synthetic else ""
    unusual = "".join(f" {said}" for said in notices(result.procedures))
    return (
        f"Test scores, {footer_of(card, result.split)}: {card.num_used} utterances of "
        f"{len(card.emotions)} emotions, {card.num_speakers} speakers, {len(result.split.folds)} "
        f"folds{', mean over seeds' if several else ''}. UAR: unweighted average recall; WA: "
        f"accuracy; intervals over speakers{' and seeds' if several else ''}. {_MARK}: not told "
        f"apart from the best (Hsu's comparison, 5 %). Below the cells, baselines."
        f"{unusual}{synthetic}"
    )


def _baseline(row: Mapping[Any, Any]) -> dict[Any, Any]:
    return {**row, "model": "baseline", "loss": row["name"], "tied_with_best": None}


def _cells(row: Mapping[Any, Any], mark: str) -> list[str]:
    scores = []
    for score in _SCORES:
        is_marked = score == "uar" and row["tied_with_best"]
        value = f"{100 * row[score]:.1f}{mark if is_marked else ''}"
        low, high = row[f"{score}_low"], row[f"{score}_high"]
        known = pd.notna(low) and pd.notna(high)
        scores += [value, f"{100 * low:.1f} to {100 * high:.1f}" if known else "not known"]
    return [str(row["model"]), str(row["loss"]), *scores, f"{100 * row['macro_f1']:.1f}"]


def _latex_row(row: Mapping[Any, Any]) -> str:
    cells = [escaped(text) for text in _cells(row, _MARK)]
    return " & ".join(cells) + r" \\"
