"""Is the best of many judged soundly? `python -m benchmarks.best [--into FILE]`.

25 cells are tested on speakers drawn from a population with known scores. Counted are: how often
the truly best cell is kept and how many are, how far the winner's score is off, how often the
named winner is the best, and what several seeds do to intervals and tests. The tables of
docs/statistics.md come from here. No time is measured.
"""

import argparse
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import best_methods, pages
from benchmarks.coverage import covers
from benchmarks.simulated_speakers import Likeness, Shape, Trials, draw, shapes
from ser import runtime
from ser.evaluation import best, jackknife, statistics
from ser.evaluation.comparison import ALPHA
from ser.evaluation.jackknife import Seeds

NUM_CELLS = 25
#: Corpus and the UAR of its best cell.
SETTINGS = (("six", 0.75), ("emodb", 0.75), ("emodb", 0.92), ("iemocap", 0.75))
#: How much lower the logits of each cell are.
GAPS: dict[str, NDArray[np.float64] | None] = {
    "all alike": np.zeros(NUM_CELLS),
    "five models of five": np.repeat([0.0, 0.15, 0.3, 0.6, 1.2], 5),
    "in equal steps": np.linspace(0.0, 1.2, NUM_CELLS),
    "one ahead": np.r_[0.0, np.full(NUM_CELLS - 1, 0.6)],
    "one far ahead": np.r_[0.0, np.full(NUM_CELLS - 1, 1.5)],
    "at random": None,
}
#: Of gaps at random, their mean; the best cell is then somewhat below the UAR of the setting.
_MEAN_GAP = 0.3
#: So many trials have the same gaps at random.
_NUM_ALIKE = 10
LIKENESS = Likeness(shared=0.5, spread=0.3)
#: Several seeds: their number, and the standard deviation of a seed's luck on the logit scale.
SEEDS = (2, 3, 5)
LUCK = (0.0, 0.1, 0.25)
_NUM_DRAWS = 299
_MARKERS = ("<!-- best: begin -->", "<!-- best: end -->")

CHOSEN_SET = "each against all, one-sided (Hsu; chosen)"
CHOSEN_OPTIMISM = "outside the resample (BBC-CV; chosen)"
CHOSEN_CHANCE = "random weights (chosen)"


def of_many(
    shape: Shape, uar: float, scenario: str, num_trials: int
) -> Iterator[dict[str, object]]:
    """Yield one row per trial and method.

    Returns:
        `what` (`set`, `optimism` or `chance`), `method`, and `kept` and `size`; or `off`, the
        corrected UAR of the winner less its true one, and `held`, whether the interval, moved
        by the correction, holds the true one; or `said` and `right`.
    """
    rng = np.random.default_rng([4, shape.num_speakers, round(1000 * uar), len(scenario)])
    fixed = GAPS[scenario]
    size = num_trials if fixed is not None else min(_NUM_ALIKE, num_trials)
    for _ in range(0, num_trials, size):
        gaps = rng.exponential(_MEAN_GAP, size=NUM_CELLS) if fixed is None else fixed
        trials = draw(rng, shape, size, uar=uar, gaps=tuple(gaps), likeness=LIKENESS)
        for number in range(size):
            yield from _judged(rng, trials, number)


def _judged(rng: np.random.Generator, trials: Trials, number: int) -> Iterator[dict[str, object]]:
    hits, spoken = trials.hits[:, number], trials.spoken[number]
    contest = best.contest_of(hits, spoken, Seeds(np.zeros(NUM_CELLS), np.ones(NUM_CELLS)))
    resamples = best_methods.resample(rng, hits, spoken, _NUM_DRAWS)
    chosen = best.corrected_p(contest, rng, _NUM_DRAWS) >= ALPHA
    truly, winner = int(trials.uars.argmax()), int(contest.scores.argmax())
    for method, kept in {
        CHOSEN_SET: chosen,
        "the same after Bonferroni": best_methods.bonferroni_against_all(contest),
        "against the winner, two-sided, Holm (before)": best_methods.holm_against_the_winner(
            contest
        ),
        "model confidence set": best_methods.confidence_set(contest.scores, resamples),
    }.items():
        yield {"what": "set", "method": method, "kept": kept[truly], "size": kept.sum()}
    low, high = statistics.share_ends(hits[winner], spoken)
    for method, optimism in {
        "as it is": 0.0,
        CHOSEN_OPTIMISM: best.optimism(
            best.uar_scorers(hits[:, None], spoken), len(spoken), rng, _NUM_DRAWS
        ),
        "the resample's winner on itself": best_methods.drawn_optimism(resamples),
        "a speaker left out": best_methods.left_out_optimism(hits, spoken),
        "drawn to the mean of those kept": best_methods.shrunken_optimism(contest, chosen),
    }.items():
        off = contest.scores[winner] - optimism - trials.uars[winner]
        held = covers((low - optimism, high - optimism), trials.uars[winner])
        yield {"what": "optimism", "method": method, "off": off, "held": held}
    drawn = best.probabilities(contest, rng, _NUM_DRAWS)
    again = (resamples.uars.argmax(axis=1) == winner).mean()
    for method, said in ((CHOSEN_CHANCE, drawn[winner]), ("resampled speakers", again)):
        right = trials.uars[winner] >= trials.uars.max() - 1e-12
        yield {"what": "chance", "method": method, "said": said, "right": right}


def of_seeds(shape: Shape, num_seeds: int, luck: float, num_trials: int) -> dict[str, Any]:
    """Return what several seeds do, at a UAR of 75 %.

    Returns:
        Shares of trials: `held` by the interval and `rejected` by the test of two equal cells,
        with and without what seeds add; `wider`, by what factor the interval is.
    """
    rng = np.random.default_rng([5, shape.num_speakers, num_seeds, round(100 * luck)])
    cells = (0.0,) * 2 * num_seeds
    trials = draw(rng, shape, num_trials, uar=0.75, gaps=cells, likeness=LIKENESS, luck=luck)
    hits, spoken = np.moveaxis(trials.hits, 0, 1), trials.spoken
    one, other = hits[:, :num_seeds], hits[:, num_seeds:]
    seeds = jackknife.seeds_of(one, spoken)
    pair = jackknife.both_seeds(seeds, jackknife.seeds_of(other, spoken))
    gaps = one.mean(axis=1) - other.mean(axis=1)
    found: dict[str, Any] = {"shape": shape.title, "num_seeds": num_seeds, "luck": luck}
    widths = []
    for name, alone, both in (("without", None, None), ("with", seeds, pair)):
        low, high = statistics.share_ends(one.mean(axis=1), spoken, alone)
        widths.append((high - low).mean())
        found[f"held {name}"] = covers((low, high), trials.uars[0]).mean()
        p = statistics.difference(gaps, spoken, both).p
        found[f"rejected {name}"] = (p < ALPHA).mean()
    return found | {"wider": widths[1] / widths[0]}


def text(*, num_trials: int) -> str:
    """Return the tables for docs/statistics.md.

    Args:
        num_trials: Per setting and scenario; ten times as many where seeds are judged.
    """
    found, known = [], shapes()
    for name, uar in SETTINGS:
        for scenario in GAPS:
            rows = pd.DataFrame(of_many(known[name], uar, scenario, num_trials))
            setting = f"{known[name].title}, {100 * uar:g} %"
            found.append(rows.assign(setting=setting, scenario=scenario))
    rows = pd.concat(found, ignore_index=True)
    sets, optimism, chance = (rows[rows["what"] == what] for what in ("set", "optimism", "chance"))
    paragraphs = [
        f"{num_trials} trials of {NUM_CELLS} cells each. How often the truly best cell is not told "
        "apart, in %, and how many cells are not (mean over trials):",
        _table(sets, "setting", _kept),
        "Bias of the winner's UAR in points, lowest to highest over the four settings above, and "
        "the root mean square of what it is off by, mean over them:",
        _table(optimism, None, _bias),
        "Coverage of the winner's 95 % interval, moved by the correction, in %, lowest to highest:",
        _table(optimism, None, _held),
        "How probable it is said to be, in %, that the winner is the best, and how often it is "
        "(mean over the settings):",
        _table(chance[chance["scenario"] != "all alike"], None, _chance),
        "Several seeds: coverage of the interval of UAR and, in brackets, true null hypotheses "
        "rejected by the test of two cells, in %; without what seeds add, with it, and how much "
        "wider the interval is:",
        _seeds_table(10 * num_trials),
    ]
    return "\n\n".join(one if "\n" in one else textwrap.fill(one, 100) for one in paragraphs)


def _table(rows: pd.DataFrame, by: str | None, cell: Callable[[pd.DataFrame], str]) -> str:
    """Return methods, and settings where they are told apart, against scenarios."""
    scenarios = list(dict.fromkeys(rows["scenario"]))
    lines = [f"| |{''.join(f' {name} |' for name in scenarios)}", "|---|" + "---|" * len(scenarios)]
    for method in dict.fromkeys(rows["method"]):
        of_method = rows[rows["method"] == method]
        for key in dict.fromkeys(of_method[by]) if by else [None]:
            shown = of_method[of_method[by] == key] if by else of_method
            cells = (cell(shown[shown["scenario"] == name]) for name in scenarios)
            name = f"{method}: {key}" if by else method
            lines.append(f"| {name} |{''.join(f' {one} |' for one in cells)}")
    return "\n".join(lines)


def _kept(rows: pd.DataFrame) -> str:
    return f"{100 * rows['kept'].astype(float).mean():.1f} ({rows['size'].mean():.1f})"


def _bias(rows: pd.DataFrame) -> str:
    off = 100 * rows["off"].groupby(rows["setting"]).mean()
    error = 100 * np.sqrt((rows["off"].astype(float) ** 2).groupby(rows["setting"]).mean()).mean()
    return f"{off.min():+.1f} to {off.max():+.1f} ({error:.1f})"


def _held(rows: pd.DataFrame) -> str:
    held = 100 * rows["held"].astype(float).groupby(rows["setting"]).mean()
    return f"{held.min():.0f} to {held.max():.0f}"


def _chance(rows: pd.DataFrame) -> str:
    said, right = (100 * rows[name].astype(float).mean() for name in ("said", "right"))
    return f"{said:.0f}, is {right:.0f}"


def _seeds_table(num_trials: int) -> str:
    lines = [
        f"| |{''.join(f' luck {luck:g} |' for luck in LUCK)}",
        "|---|" + "---|" * len(LUCK),
    ]
    for name in ("six", "emodb", "iemocap", "cremad"):
        for num_seeds in SEEDS:
            shape = shapes()[name]
            rows = [of_seeds(shape, num_seeds, luck, num_trials) for luck in LUCK]
            cells = "".join(f" {_seeds_cell(row)} |" for row in rows)
            lines.append(f"| {shape.title}; {num_seeds} seeds |{cells}")
    return "\n".join(lines)


def _seeds_cell(row: dict[str, Any]) -> str:
    before, after = (
        f"{100 * row[f'held {name}']:.0f} ({100 * row[f'rejected {name}']:.0f})"
        for name in ("without", "with")
    )
    return f"{before} → {after}; {row['wider']:.2f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.best", description=__doc__)
    parser.add_argument("--into", type=Path, help="page whose tables are replaced; none: print")
    parser.add_argument("--trials", type=int, default=200, help="per setting (default 200)")
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
