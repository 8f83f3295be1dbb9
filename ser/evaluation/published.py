"""Published numbers beside ours, where they speak of the same task; and where not, why not."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd

from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport

#: How often one rater, who saw the video and heard the conversation, agrees with the label
#: of the 5531 utterances; the rater's own vote is in the label, so it is an upper bound.
HUMAN_AGREEMENT = 0.801
HUMAN_SOURCE = "votes of the raters as EMO-SUPERB's label lists keep them"

COLUMNS = (
    "system",
    "model",
    "loss",
    "corpus",
    "task",
    "num_classes",
    "protocol",
    "split",
    "selection",
    "metric",
    "published",
    "num_test",
    "source",
    "validity",
    "reason",
    "comparable",
    "why_not",
    "ours",
    "ours_low",
    "ours_high",
)


def facts() -> pd.DataFrame:
    """Return the project's table of published numbers.

    Returns:
        One row per number: `system` (`study` is the comparison that this one answers),
        `model, loss, corpus, task, num_classes, protocol` (of `ser.data.splits`), `split`
        and `selection` (in the source's words), `metric` (`wa`, `uar` or `ccc`),
        `published` in [0, 1], `num_test`, `source`, `validity` (`valid`, `doubtful` or
        `invalid`) and `reason`.
    """
    with resources.files("ser.evaluation").joinpath("published_cells.csv").open() as file:
        table = pd.read_csv(file, dtype={"num_test": "Int64"})
    return table.assign(published=table["published"] / 100)


def table(grid: pd.DataFrame, card: CorpusCard, split: SplitReport) -> pd.DataFrame:
    """Return the published numbers with ours beside those that are comparable.

    Args:
        grid: One row per cell, see `grid_table`.
        card: The corpus card.
        split: The split report.

    Returns:
        The rows of `facts` with `COLUMNS`. `ours` and its interval stand where corpus, task,
        number of classes and protocol are the same, the number is not invalid, and the cell
        was trained here; elsewhere `why_not` says what differs.
    """
    ours = {(row["model"], row["loss"]): row for row in grid.to_dict("records")}
    rows = []
    for fact in facts().to_dict("records"):
        cell = ours.get((fact["model"], fact["loss"]))
        why_not = _difference(fact, card, split)
        if not why_not and cell is None:
            why_not = "not trained here"
        row = {**fact, "comparable": not why_not, "why_not": why_not}
        if cell is not None and not why_not:
            name = str(fact["metric"])
            row |= {"ours": cell[name], "ours_low": cell[f"{name}_low"]}
            row["ours_high"] = cell[f"{name}_high"]
        rows.append(row)
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _difference(fact: Mapping[Any, Any], card: CorpusCard, split: SplitReport) -> str:
    """Return what makes a number incomparable, or an empty text."""
    if card.synthetic or card.name != fact["corpus"]:
        return f"another corpus: {fact['corpus']}"
    if fact["validity"] == "invalid":
        return str(fact["reason"])
    if fact["task"] != "emotion" or fact["num_classes"] != len(card.emotions):
        return f"another task: {fact['num_classes']} classes, {fact['task']}"
    if fact["protocol"] != split.protocol:
        return f"another protocol: {fact['split']}"
    return ""


def speaks_of(card: CorpusCard, published: pd.DataFrame) -> bool:
    """Return whether there are published numbers of this corpus; of synthetic speech never."""
    return not card.synthetic and card.name in set(published["corpus"])


def statement(published: pd.DataFrame) -> str:
    """Return in a sentence what can be compared here.

    Args:
        published: See `table`; of a corpus that these numbers speak of, see `speaks_of`.
    """
    count = int(published["comparable"].sum())
    if count:
        return f"{count} of {len(published)} published numbers speak of the same task and protocol."
    return "Nothing is comparable: no published number has this task and protocol."
