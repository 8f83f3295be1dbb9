"""What the cells' predictions say beyond the grid, gathered for tables and page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser import metrics, tables
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.data.votes import Votes, of_corpus
from ser.evaluation import calibration, comparison, published, ranks, slices, soft_table
from ser.evaluation.ranks import Ranking
from ser.evaluation.summary import CellSummary
from ser.grid.params import Cell
from ser.project import Project
from ser.utterance import Utterance


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that is computed from predictions beside the scores.

    Args:
        pairs: Paired comparisons, see `comparison.pairs_table`.
        calibration: See `calibration.table`.
        slices: See `slices.table`; `model` and `loss` first.
        ranking: Losses over speakers; None where there are too few.
        published: See `published.table`.
        votes: Of the raters.
        soft: Cells beside these, see `soft_table.table`.
        detectable: Median over pairs of losses of the difference that such a comparison
            finds four times out of five, in [0, 1]; NaN where it is not known.
    """

    pairs: pd.DataFrame
    calibration: pd.DataFrame
    slices: pd.DataFrame
    ranking: Ranking | None
    published: pd.DataFrame
    votes: Votes
    soft: pd.DataFrame
    detectable: float

    def gaps(self, model: str, loss: str) -> dict[str, float]:
        """Return what the slices of a cell come to, see `slices.gaps`."""
        of_cell = (self.slices["model"] == model) & (self.slices["loss"] == loss)
        return slices.gaps(self.slices[of_cell])


def gather(
    frames: Mapping[Cell, pd.DataFrame],
    summaries: Mapping[Cell, CellSummary],
    grid: pd.DataFrame,
    utterances: Iterable[Utterance],
    *,
    card: CorpusCard,
    split: SplitReport,
) -> Findings:
    """Compute the evidence.

    Args:
        frames: (model, loss) -> predictions.
        summaries: (model, loss) -> scores.
        grid: See `grid_table.table`.
        utterances: The manifest.
        card: The corpus card.
        split: The split project.
    """
    counts_of = {cell: summary.by_seed for cell, summary in summaries.items()}
    pairs = comparison.pairs_table(counts_of)
    utterances = list(utterances)
    values, votes = slices.values_of(utterances), of_corpus(utterances, card)
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    best_first = list(zip(grid["model"], grid["loss"], strict=True))
    sliced = [
        slices.table(frame, values).assign(model=model, loss=loss)
        for (model, loss), frame in frames.items()
    ]
    of_losses = pairs[pairs["family"].astype(str).str.startswith("losses of")]
    known = of_losses.dropna(subset="standard_error")
    return Findings(
        pairs=pairs,
        calibration=calibration.table(frames),
        slices=pd.concat(sliced, ignore_index=True)[["model", "loss", *slices.COLUMNS]],
        ranking=rank_losses(summaries),
        published=published.table(grid, card, split),
        votes=votes,
        soft=soft_table.table({c: frames[c] for c in best_first}, summaries, votes, speaker_of),
        detectable=float("nan") if known.empty else _detectable(known),
    )


def _detectable(pairs: pd.DataFrame) -> float:
    """Return the median over pairs of the difference that each would find."""
    return comparison.detectable_difference(
        float(pairs["standard_error"].median()), num_speakers=int(pairs["num_speakers"].median())
    )


def rank_losses(summaries: Mapping[Cell, CellSummary]) -> Ranking | None:
    """Rank the losses over speakers, a speaker's UAR being the mean over the models.

    Args:
        summaries: (model, loss) -> scores. Losses that some model lacks are left out: their
            mean would be over other models.
    """
    models = {model for model, _ in summaries}
    complete = [
        loss
        for loss in dict.fromkeys(loss for _, loss in summaries)
        if all((model, loss) in summaries for model in models)
    ]
    columns = {
        loss: np.mean(
            [metrics.uar_where_spoken(summaries[model, loss].by_speaker) for model in models],
            axis=0,
        )
        for loss in complete
    }
    return ranks.rank(pd.DataFrame(columns))


def best_losses(grid: pd.DataFrame, pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each model its best loss and how surely it is better than the others.

    Args:
        grid: See `grid_table.table`.
        pairs: See `comparison.pairs_table`.

    Returns:
        Models best first: `model`, `loss`, `uar` and `others`, a list of `loss`,
        `difference` (best minus other) with `low` and `high`, `effect_size`, `p_holm` and
        `significant`.
    """
    found = []
    for best in grid.drop_duplicates("model").to_dict("records"):
        others = []
        for row in pairs[pairs["family"] == f"losses of {best['model']}"].to_dict("records"):
            if best["loss"] not in (row["loss_a"], row["loss_b"]):
                continue
            is_first = row["loss_a"] == best["loss"]
            sign = 1.0 if is_first else -1.0
            ends = sorted((sign * row["difference_low"], sign * row["difference_high"]))
            others.append(
                {
                    "loss": row["loss_b"] if is_first else row["loss_a"],
                    "difference": sign * row["difference"],
                    "low": ends[0],
                    "high": ends[1],
                    "effect_size": sign * row["effect_size"],
                    "p_holm": row["p_holm"],
                    "significant": row["significant"],
                }
            )
        others.sort(key=lambda other: float(other["difference"]))
        found.append({key: best[key] for key in ("model", "loss", "uar")} | {"others": others})
    return found


def write(project: Project, evidence: Findings) -> None:
    """Write pairs.csv, calibration.csv, slices.csv, published.csv and soft.csv."""
    tables.write_csv(project.pairs, evidence.pairs)
    tables.write_csv(project.calibration, evidence.calibration)
    tables.write_csv(project.slices, evidence.slices)
    tables.write_csv(project.published, evidence.published)
    tables.write_csv(project.soft, evidence.soft)
