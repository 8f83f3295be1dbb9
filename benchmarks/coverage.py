"""Do intervals hold the truth, tests their level? `python -m benchmarks.coverage [--into FILE]`.

Speakers are drawn from populations with known scores, in the shapes of corpora
(`benchmarks.simulated_speakers`); what `ser.evaluation` says about them is counted, and what
other intervals would say (`benchmarks.intervals`). The tables of docs/statistics.md come from
here. No time is measured.
"""

import argparse
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import intervals, pages
from benchmarks.simulated_speakers import Likeness, Shape, Trials, draw, shapes
from ser import runtime
from ser.evaluation import ranks, statistics
from ser.evaluation.comparison import ALPHA

UARS = (0.55, 0.75, 0.92, 0.985)
#: What the report compares -> how much alike that is.
LIKENESSES = {
    "two losses": Likeness(shared=0.5, spread=0.3),
    "tuned and not": Likeness(shared=0.9, spread=0.1),
    "two protocols": Likeness(shared=0.3, spread=0.6),
}
#: Of the second cell, where two differ; about 9 points of UAR in the middle.
_GAP = 0.5
_NUM_LOSSES = 5
_NUM_EXCHANGES = 499
_MARKERS = ("<!-- coverage: begin -->", "<!-- coverage: end -->")


def covers(ends: intervals.Ends, truth: float) -> NDArray[np.bool_]:
    """Return in which trials the truth lies between the ends, but for rounding."""
    low, high = ends
    return (low <= truth + 1e-12) & (truth <= high + 1e-12)


def of_scores(
    shape: Shape, uar: float, *, num_trials: int, resample: int
) -> list[dict[str, object]]:
    """Return one row per kind of interval: how often it holds the true UAR, and its mean width.

    Args:
        shape: Of the corpus.
        uar: True UAR.
        num_trials: How often speakers are drawn.
        resample: In how many of the trials the bootstraps are computed too.

    Returns:
        `shape, uar, method, coverage, width`, both shares; with the chosen
        interval of the WA as a method of its own.
    """
    trials = draw(_rng(1, shape, uar), shape, num_trials, uar=uar)
    hits, spoken = trials.hits[0], trials.spoken
    found = {name: method(hits, spoken) for name, method in intervals.CLOSED.items()}
    if resample:
        found |= intervals.resampled(hits[:resample], spoken[:resample])
    rows = [_row(shape, uar, name, ends, trials.uars[0]) for name, ends in found.items()]
    shares = statistics.share_ends(
        hits.sum(axis=2, keepdims=True), spoken.sum(axis=2, keepdims=True)
    )
    return [*rows, _row(shape, uar, "WA, the chosen", shares, trials.was[0])]


def _row(
    shape: Shape, uar: float, method: str, ends: intervals.Ends, truth: float
) -> dict[str, object]:
    return {
        "shape": shape.title,
        "uar": uar,
        "method": method,
        "coverage": covers(ends, truth).mean(),
        "width": (ends[1] - ends[0]).mean(),
    }


def of_differences(shape: Shape, uar: float, *, num_trials: int) -> Iterator[dict[str, object]]:
    """Yield how often two cells without a difference are told apart, and a difference is held.

    Returns:
        `shape, uar, question, share`: the share of trials with p below 0.05 by kind of pair,
        and, as `holds the gap`, of those whose interval holds a true difference.
    """
    for name, likeness in LIKENESSES.items():
        trials = _pair(shape, uar, num_trials, likeness, gap=0.0)
        found = statistics.difference(trials.hits[0] - trials.hits[1], trials.spoken)
        yield _answer(shape, uar, name, (found.p < ALPHA).mean())
    trials = _pair(shape, uar, num_trials, LIKENESSES["two losses"], gap=_GAP)
    found = statistics.difference(trials.hits[0] - trials.hits[1], trials.spoken)
    is_held = covers((found.low, found.high), trials.uars[0] - trials.uars[1])
    yield _answer(shape, uar, "holds the gap", is_held.mean())


def _pair(shape: Shape, uar: float, num_trials: int, likeness: Likeness, *, gap: float) -> Trials:
    rng = _rng(2, shape, uar)
    return draw(rng, shape, num_trials, uar=uar, gaps=(0.0, gap), likeness=likeness)


def of_ranks(shape: Shape, uar: float, *, num_trials: int) -> Iterator[dict[str, object]]:
    """Yield how often five losses of the same quality are told apart by their ranks.

    Returns:
        As `of_differences`: `Friedman` where its p is below 0.05, `critical difference` where
        any two mean ranks are at least that far apart.
    """
    trials = draw(
        _rng(3, shape, uar),
        shape,
        num_trials,
        uar=uar,
        gaps=(0.0,) * _NUM_LOSSES,
        likeness=LIKENESSES["two losses"],
    )
    rejected = np.array([_ranked(trials, number) for number in range(num_trials)])
    for name, share in zip(("Friedman", "critical difference"), rejected.mean(axis=0), strict=True):
        yield _answer(shape, uar, name, share)


def _ranked(trials: Trials, number: int) -> tuple[bool, bool]:
    hits, spoken = trials.hits[:, number], trials.spoken[number]
    is_spoken = spoken > 0
    recalls = np.where(is_spoken, hits / np.where(is_spoken, spoken, 1.0), np.nan)
    scores = pd.DataFrame(np.nanmean(recalls, axis=2).T)
    found = ranks.rank(scores, seed=number, num_exchanges=_NUM_EXCHANGES)
    assert found is not None  # five losses, five speakers or more
    means = list(found.mean_ranks.values())
    is_apart = max(means) - min(means) > found.critical_difference - 1e-9
    return found.friedman_p < ALPHA, is_apart


def _answer(shape: Shape, uar: float, question: str, share: float) -> dict[str, object]:
    return {"shape": shape.title, "uar": uar, "question": question, "share": float(share)}


def _rng(part: int, shape: Shape, uar: float) -> np.random.Generator:
    return np.random.default_rng([part, shape.num_speakers, len(shape.title), round(1000 * uar)])


def text(*, num_trials: int) -> str:
    """Return the tables for docs/statistics.md.

    Args:
        num_trials: Per shape and UAR; a quarter of them for bootstraps, half for ranks.
    """
    found = list(shapes().values())
    each = [(shape, uar) for shape in found for uar in UARS]
    scores = pd.DataFrame(
        row
        for shape, uar in each
        for row in of_scores(shape, uar, num_trials=num_trials, resample=num_trials // 4)
    )
    answers = pd.DataFrame(
        row
        for shape, uar in each
        for row in (
            *of_differences(shape, uar, num_trials=num_trials),
            *of_ranks(shape, uar, num_trials=num_trials // 2),
        )
    )
    error = 100 * np.sqrt(0.95 * 0.05 / num_trials)
    paragraphs = [
        f"{num_trials} trials a cell (standard error {error:.1f} points where 95 % is true), a "
        "quarter as many of the bootstraps, half as many of ranks.",
        "Coverage of the 95 % interval of UAR in %, mean width in points:",
        _table(scores[scores["method"] == _CHOSEN], _with_width, "uar"),
        "All kinds of intervals: coverage in %, lowest to highest over the four UARs:",
        _table(scores, _range, "shape", index="method"),
        "True null hypotheses that are rejected, in %, for UARs of 55, 75, 92 and 98.5 %; last the "
        "coverage of the interval of a true difference:",
        _table(answers, _listed, "question"),
    ]
    return "\n\n".join(one if "\n" in one else textwrap.fill(one, 100) for one in paragraphs)


_CHOSEN = next(iter(intervals.CLOSED))


def _with_width(rows: pd.DataFrame) -> str:
    return f"{100 * rows['coverage'].iloc[0]:.1f} ({100 * rows['width'].iloc[0]:.1f})"


def _range(rows: pd.DataFrame) -> str:
    low, high = 100 * rows["coverage"].min(), 100 * rows["coverage"].max()
    return f"{low:.1f} to {high:.1f}"


def _listed(rows: pd.DataFrame) -> str:
    return " ".join(f"{100 * share:.1f}" for share in rows["share"])


def _table(
    rows: pd.DataFrame, cell: Callable[[pd.DataFrame], str], column: str, *, index: str = "shape"
) -> str:
    names = list(dict.fromkeys(rows[column]))
    lines = [f"| |{''.join(f' {_title(name)} |' for name in names)}", "|---|" + "---|" * len(names)]
    for key in dict.fromkeys(rows[index]):
        of_key = rows[rows[index] == key]
        cells = (cell(of_key[of_key[column] == name]) for name in names)
        lines.append(f"| {key} |{''.join(f' {one} |' for one in cells)}")
    return "\n".join(lines)


def _title(name: object) -> str:
    return f"UAR {100 * name:g} %" if isinstance(name, float) else str(name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--into", type=Path, help="page whose tables are replaced; none: print")
    parser.add_argument("--trials", type=int, default=2000, help="per shape and UAR (default 2000)")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    tables = text(num_trials=options.trials)
    if options.into is None:
        print(tables)
    else:
        pages.write_between(options.into, *_MARKERS, f"\n{tables}\n")


if __name__ == "__main__":
    raise SystemExit(main())
