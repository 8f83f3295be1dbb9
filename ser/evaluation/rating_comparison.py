"""Cells of a corpus without classes side by side: the table, pairs of cells, slices."""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from ser import tables
from ser.evaluation import best, comparison, grid_table, jackknife, rating_moments, statistics
from ser.evaluation.best import Contest, Scorer
from ser.evaluation.comparison import ALPHA
from ser.evaluation.jackknife import Floats, Seeds
from ser.evaluation.rating_moments import RatingMoments
from ser.evaluation.rating_summary import RatingSummary
from ser.evaluation.statistics import Difference
from ser.grid.params import Cell
from ser.project import Project

#: Columns of reports/slices.csv, after model and loss.
SLICE_COLUMNS = ("slice", "value", "num_utterances", "ccc", "mae")
PAIR_COLUMNS = (
    *("model_a", "loss_a", "model_b", "loss_b", "num_speakers", "ccc_a", "ccc_b", "difference"),
    *("difference_low", "difference_high", "standard_error", "p", "p_holm", "significant"),
)


def table(summaries: Mapping[Cell, RatingSummary]) -> pd.DataFrame:
    """Return the grid, highest mean CCC first.

    Args:
        summaries: (model, loss) -> scores.

    Returns:
        One row per cell: `model`, `loss`, `num_folds`, `num_seeds`, every score with its `_low`
        and `_high`, `tied_with_best` and what best.csv says, see
        `ser.evaluation.grid_table.table`: the same, of mean CCC in place of UAR.

    Raises:
        ValueError: The cells were tested on different utterances.
    """
    rows = [
        {
            "model": model,
            "loss": loss,
            "num_folds": summary.num_folds,
            "num_seeds": summary.num_seeds,
            **_with_ends(summary),
        }
        for (model, loss), summary in summaries.items()
    ]
    grid = pd.DataFrame(rows).sort_values(
        ["ccc", "model", "loss"], ascending=[False, True, True], ignore_index=True
    )
    order = [(str(row["model"]), str(row["loss"])) for row in grid.to_dict("records")]
    contest, scorers = _contest([summaries[cell].moments for cell in order])
    standings = best.standings(order, contest, scorers)
    return grid_table.judged(grid, standings, "ccc", least=-1.0)


def _with_ends(summary: RatingSummary) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in summary.scores.items():
        interval = summary.intervals[name]
        found |= {name: value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return found


def compare(a: RatingSummary, b: RatingSummary) -> Difference:
    """Return what speakers say about the mean CCC of one cell minus that of another.

    Raises:
        ValueError: The cells were tested on different utterances.
    """
    contest, _ = _contest([a.moments, b.moments])
    return Difference(*(part[0, 1] for part in contest.differences))


def _contest(moments: Sequence[RatingMoments]) -> tuple[Contest, list[Scorer]]:
    """Return the contest of cells by mean CCC, and what scores each.

    Raises:
        ValueError: The cells were tested on different utterances.
    """
    first = moments[0]
    for other in moments:
        if other.speakers != first.speakers or not np.array_equal(other.num_rated, first.num_rated):
            raise ValueError("cells were tested on different utterances, so they make no pair")
    by_seed = [one.scores()["ccc"] for one in moments]
    left_out = [one.left_out()["ccc"] for one in moments]
    without = np.stack([one.mean(axis=0) for one in left_out])
    each = map(jackknife.left_out_seeds, by_seed, left_out, without)
    seeds = Seeds(*(np.stack(parts) for parts in zip(*each, strict=True)))
    scores = np.array([one.mean() for one in by_seed])
    found = statistics.left_out_difference(
        scores[:, None] - scores,
        without[:, None] - without,
        jackknife.seeds_of_pairs(seeds),
        num_utterances=first.num_utterances,
    )
    pulls = jackknife.left_out_pulls(without).T
    scorers: list[Scorer] = [partial(_mean_ccc, one) for one in moments]
    return Contest(scores, pulls, seeds, found), scorers


def _mean_ccc(moments: RatingMoments, weights: Floats) -> Floats:
    return moments.weighted(weights)["ccc"]


def pairs_table(summaries: Mapping[Cell, RatingSummary]) -> pd.DataFrame:
    """Return every pair of cells with `PAIR_COLUMNS`; p is corrected after Holm over all."""
    rows = []
    for (a, first), (b, second) in itertools.combinations(summaries.items(), 2):
        found = compare(first, second)
        rows.append(
            {
                "model_a": a[0],
                "loss_a": a[1],
                "model_b": b[0],
                "loss_b": b[1],
                "num_speakers": len(first.moments.speakers),
                "ccc_a": first.scores["ccc"],
                "ccc_b": second.scores["ccc"],
                "difference": first.scores["ccc"] - second.scores["ccc"],
                "difference_low": float(found.low),
                "difference_high": float(found.high),
                "standard_error": float(found.standard_error),
                "p": float(found.p),
            }
        )
    if not rows:
        return pd.DataFrame(columns=list(PAIR_COLUMNS))
    pairs = pd.DataFrame(rows)
    pairs["p_holm"] = comparison.holm(pairs["p"].to_numpy())
    pairs["significant"] = pairs["p_holm"] < ALPHA
    return pairs[list(PAIR_COLUMNS)]


def slices_table(frame: pd.DataFrame, slices: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return a cell's test scores by slice, pooled over folds and averaged over seeds.

    Args:
        frame: Its predictions, all folds and seeds.
        slices: See `ser.evaluation.slices.values_of`.

    Returns:
        One row per slice and value with `SLICE_COLUMNS`: mean CCC and MAE over the dimensions
        that are rated there. CCC within a few utterances says little.
    """
    test = frame[frame["part"] == "test"]
    rows = []
    for name, value_of in slices.items():
        values = test["utterance_id"].map(dict(value_of))
        for value, members in test.groupby(values, sort=True):
            moments = rating_moments.of_predictions(members, value_of)
            scores = {key: float(by_seed.mean()) for key, by_seed in moments.scores().items()}
            num_utterances = members["utterance_id"].nunique()
            rows.append(
                {
                    "slice": name,
                    "value": str(value),
                    "num_utterances": num_utterances,
                    "ccc": scores["ccc"],
                    "mae": scores["mae"],
                }
            )
    return pd.DataFrame(rows, columns=list(SLICE_COLUMNS))


def write(project: Project, grid: pd.DataFrame) -> None:
    """Write grid.csv and best.csv, and the main scores for `dvc metrics`."""
    standing = [name for name in grid_table.standing_columns("ccc") if name in grid]
    tables.write_csv(project.grid, grid.drop(columns=standing))
    grid_table.write_best(project, grid, "ccc")
    grid_table.write_metrics(project, grid, ("ccc", "ccc_low", "ccc_high", "mae"))


def as_text(grid: pd.DataFrame) -> str:
    """Return the grid for a terminal, the column `MARKED` of `grid_table` last."""
    header, *names = grid_table.names_as_text(grid)
    lines = [f"{header} {'CCC':>6} {'95 % interval':>16} {'MAE':>6}  {grid_table.MARKED}"]
    for name, row in zip(names, grid.to_dict("records"), strict=True):
        interval = f"{row['ccc_low']:.3f} to {row['ccc_high']:.3f}"
        lines.append(
            f"{name} {row['ccc']:>6.3f} {interval:>16} "
            f"{row['mae']:>6.3f}  {'=' if row['tied_with_best'] else ''}".rstrip()
        )
    return "\n".join(lines)
