"""Do intervals hold the truth, tests their level? `python -m benchmarks.coverage [--into FILE]`.

Speakers are drawn from populations with known scores, in the shapes of corpora
(`benchmarks.simulated_speakers`); what `ser.evaluation` says about them is counted, and what
other intervals and tests would say (`benchmarks.intervals`, `benchmarks.paired_tests`). The
tables of docs/statistics.md come from here. No time is measured.
"""

import argparse
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import intervals, pages, paired_tests
from benchmarks.simulated_speakers import SPEAKER_SPREAD, Likeness, Shape, Trials, draw, shapes
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
#: Of `of_differences`: the pairs and what they differ by.
_QUESTIONS = {name: (likeness, 0.0) for name, likeness in LIKENESSES.items()} | {
    "holds the gap": (LIKENESSES["two losses"], _GAP)
}
_NUM_LOSSES = 5
_NUM_EXCHANGES = 499
#: Speakers twice as unlike as those of the other tables.
_UNLIKE = 1.2
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


def of_differences(
    shape: Shape,
    uar: float,
    *,
    num_trials: int,
    tests: Mapping[str, paired_tests.Test] = paired_tests.TESTS,
) -> Iterator[dict[str, object]]:
    """Yield how often two cells without a difference are told apart, and a difference is held.

    Returns:
        `shape, uar, question, share, test`: the share of trials with p below 0.05 by kind of
        pair, and, as `holds the gap`, of those in which a true difference is not refuted, which
        for the chosen one says that the interval holds it.
    """
    for question, (likeness, gap) in _QUESTIONS.items():
        trials = _pair(shape, uar, num_trials, likeness, gap=gap)
        # Without the true difference there is none.
        missing = (trials.uars[0] - trials.uars[1]) * trials.spoken
        left = trials.hits[0] - trials.hits[1] - missing
        for name, test in tests.items():
            rejected = float((test(left, trials.spoken) < ALPHA).mean())
            share = rejected if gap == 0 else 1 - rejected
            yield _answer(shape, uar, question, share) | {"test": name}


def of_bounds(shape: Shape, uar: float, *, num_trials: int) -> Iterator[dict[str, object]]:
    """Yield the most that an exact test can reject, in the mean over trials.

    Returns:
        As `of_differences`, with the test `bound`: see `paired_tests.SignFlips.attainable`.
    """
    for question, likeness in LIKENESSES.items():
        trials = _pair(shape, uar, num_trials, likeness, gap=0.0)
        found = paired_tests.sign_flips(trials.hits[0] - trials.hits[1], trials.spoken)
        yield _answer(shape, uar, question, found.attainable.mean()) | {"test": "bound"}


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
        num_trials: Per shape and UAR; a quarter of them for tests, an eighth for ranks, a
            sixteenth for bootstraps.
    """
    each = [(shape, uar) for shape in shapes().values() for uar in UARS]
    of_tests, of_orders, resample = (-(-num_trials // part) for part in (4, 8, 16))
    scores, unlike = (
        pd.DataFrame(
            row
            for shape, uar in each
            for row in of_scores(
                replace(shape, speaker_spread=spread), uar, num_trials=num_trials, resample=size
            )
        )
        for spread, size in ((SPEAKER_SPREAD, resample), (_UNLIKE, 0))
    )
    tests = pd.DataFrame(
        row
        for shape, uar in each
        for rows in (of_differences, of_bounds)
        for row in rows(shape, uar, num_trials=of_tests)
    )
    orders = pd.DataFrame(
        row for shape, uar in each for row in of_ranks(shape, uar, num_trials=of_orders)
    )
    counts = (
        f"{num_trials} trials a cell (standard error {_error(num_trials):.1f} points where 95 % is "
        f"true), {of_tests} of tests ({_error(of_tests):.1f}), {of_orders} of ranks "
        f"({_error(of_orders):.1f}), {resample} of bootstraps ({_error(resample):.1f})."
    )
    paragraphs = [counts, *_of_intervals(scores, unlike), *_of_tests(tests, orders)]
    return "\n\n".join(one if "\n" in one else textwrap.fill(one, 100) for one in paragraphs)


def _error(num_trials: int) -> float:
    return float(100 * np.sqrt(0.95 * 0.05 / num_trials))


def _of_intervals(scores: pd.DataFrame, unlike: pd.DataFrame) -> list[str]:
    return [
        "Coverage of the 95 % interval of UAR in %, mean width in points:",
        _table(scores[scores["method"] == _CHOSEN], _with_width, "uar"),
        f"The same where speakers are twice as unlike (a standard deviation of {_UNLIKE} between "
        "them); in brackets the coverage of what was used before:",
        _table(unlike[unlike["method"].isin([_CHOSEN, _BEFORE])], _with_before, "uar"),
        "All kinds of intervals: coverage in %, lowest to highest over the four UARs, and mean "
        "width in points:",
        _table(scores, _range, "shape", index="method"),
    ]


def _of_tests(tests: pd.DataFrame, orders: pd.DataFrame) -> list[str]:
    is_size, is_bound = tests["question"] != "holds the gap", tests["test"] == "bound"
    is_chosen = tests["test"] == next(iter(paired_tests.TESTS))
    return [
        "True null hypotheses that are rejected, in %, for UARs of 55, 75, 92 and 98.5 %; in "
        "brackets the most that an exact test can reject that never decides by lot:",
        _table(tests[is_size & (is_chosen | is_bound)], _with_bound, "question"),
        "Trials in which the interval of a true difference holds it, and true null hypotheses of "
        "ranks that are rejected, in %:",
        _table(pd.concat([tests[~is_size & is_chosen], orders]), _listed, "question"),
        "All kinds of tests: true null hypotheses that are rejected in %, lowest to highest over "
        "kinds of pairs and UARs up to 92 %, and at 98.5 %; last the lowest share in which a true "
        "difference is not refuted:",
        _table(tests[~is_bound], _sizes, "shape", index="test"),
    ]


_CHOSEN, _BEFORE = list(intervals.CLOSED)[:2]


def _with_width(rows: pd.DataFrame) -> str:
    return f"{100 * rows['coverage'].iloc[0]:.1f} ({100 * rows['width'].iloc[0]:.1f})"


def _with_before(rows: pd.DataFrame) -> str:
    shares = 100 * rows.set_index("method")["coverage"]
    return f"{shares[_CHOSEN]:.1f} ({shares[_BEFORE]:.1f})"


def _range(rows: pd.DataFrame) -> str:
    return f"{_lowest_to_highest(rows['coverage'])}; {100 * rows['width'].mean():.1f}"


def _lowest_to_highest(shares: pd.Series) -> str:
    return f"{100 * shares.min():.1f} to {100 * shares.max():.1f}"


def _listed(rows: pd.DataFrame) -> str:
    return " ".join(f"{100 * share:.1f}" for share in rows["share"])


def _with_bound(rows: pd.DataFrame) -> str:
    is_bound = rows["test"] == "bound"
    pairs = zip(rows["share"][~is_bound], rows["share"][is_bound], strict=True)
    return " ".join(f"{100 * share:.1f} ({100 * bound:.1f})" for share, bound in pairs)


def _sizes(rows: pd.DataFrame) -> str:
    is_gap, is_last = rows["question"] == "holds the gap", rows["uar"] == UARS[-1]
    shares = rows["share"]
    sizes = [_lowest_to_highest(shares[~is_gap & which]) for which in (~is_last, is_last)]
    return f"{', '.join(sizes)}; {100 * shares[is_gap].min():.1f}"


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
    parser.add_argument("--trials", type=int, default=8000, help="per shape and UAR (default 8000)")
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
