"""How the scores came about, in one paragraph for a paper, written from what was run."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.evaluation.best import NUM_RESAMPLES
from ser.grid.procedure import notices
from ser.report.footer import SYNTHETIC_NOTICE
from ser.report.page import CellSection, versions
from ser.report.tuning import Tuning

_PROTOCOLS = {
    "session": "the test part is one session, the dev part the next one",
    "speaker": "the test part is one speaker, the dev part the other speaker of the session",
    "superb": "the test part is one session, the dev part a random share of the rest",
    "text": "test speakers and test sentences are in no other part",
    "file": "the parts are those of the corpus",
    "random": "utterances are dealt to the parts at random",
}


def paragraph(
    card: CorpusCard,
    split: SplitReport,
    grid: pd.DataFrame,
    cells: Sequence[CellSection],
    tuning: Tuning,
    *,
    tags: Mapping[str, str],
) -> str:
    """Return the paragraph.

    Args:
        card: The corpus card.
        split: The split report.
        grid: See `ser.evaluation.grid_table.table`.
        cells: What was trained, with its params.
        tuning: What was tuned.
        tags: `ser.*` tags of a cell's run.
    """
    sentences = [
        SYNTHETIC_NOTICE if card.synthetic else "",
        _task(card, grid),
        _folds(split),
        _selection(cells, tuning),
        _training(cells),
        *notices({cell.name: cell.procedure for cell in cells}),
        _origins(cells),
        _statistics(card, grid),
        _versions(tags),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _task(card: CorpusCard, grid: pd.DataFrame) -> str:
    counts = ", ".join(f"{emotion} {card.counts[emotion]}" for emotion in card.emotions)
    models, losses = (list(dict.fromkeys(grid[name])) for name in ("model", "loss"))
    return (
        f"{len(grid)} combinations of {_some(models, 'model')} and {_some(losses, 'loss')} were "
        f"compared on {card.num_used} utterances ({counts}) of {card.num_speakers} speakers from "
        f"the corpus {card.name} ({card.citation.rstrip('.')})."
    )


def _some(names: Sequence[str], what: str) -> str:
    ending = "" if len(names) == 1 else "es" if what.endswith("s") else "s"
    return f"{len(names)} {what}{ending} ({', '.join(sorted(names))})"


def _folds(split: SplitReport) -> str:
    said = (
        "no test speaker is heard in training or in choosing"
        if split.speaker_independent
        else "TEST SPEAKERS ARE HEARD IN TRAINING"
    )
    num_left_out = [fold.num_left_out for fold in split.folds]
    rest = "the rest is for training"
    if any(num_left_out):
        mean = sum(num_left_out) / len(num_left_out)
        rest = f"of the rest {mean:.0f} in the mean are left out, and the others are for training"
    untested = f" {split.num_untested} utterances are tested by no fold." * bool(split.num_untested)
    return (
        f"There are {len(split.folds)} folds (protocol {split.protocol}): in each of them "
        f"{_PROTOCOLS[split.protocol]}, and {rest}; {said}.{untested}"
    )


def _selection(cells: Sequence[CellSection], tuning: Tuning) -> str:
    seeds = sorted({seed for cell in cells for seed in _seeds(cell)})
    of_seeds = ", ".join(map(str, seeds))
    text = (
        f"Every fold was trained under {'seed' if len(seeds) == 1 else 'seeds'} {of_seeds}; the "
        f"epoch with the highest unweighted average recall (UAR) on dev was chosen, the earlier "
        f"one of equals, and the test part was read once, after that."
    )
    if tuning.gains.empty:
        return text + " No hyperparameter was searched."
    rows = tuning.gains.to_dict("records")
    names = ", ".join(f"{row['model']}-{row['loss']} ({row['num_trials']} trials)" for row in rows)
    return (
        text + f" Hyperparameters of {names} were searched with Optuna, for each fold on its own "
        f"train and dev parts; all others are constants."
    )


def _training(cells: Sequence[CellSection]) -> str:
    """Return what training does to losses and recordings, where cells have it."""
    found = {
        "Classes were weighted in the loss by their inverse frequency in the fold's train part": [
            cell.name
            for cell in cells
            if cell.params.get("training", {}).get("balance") == "class_weights"
        ],
    }
    for cell in cells:
        if copies := cell.params.get("recipe", {}).get("copies"):
            said = (
                f"In training each utterance was heard in every epoch as one of its copies "
                f"({_listed(copies)}), drawn at random; test recordings are as they are"
            )
            found.setdefault(said, []).append(cell.name)
    return " ".join(
        f"{said}{'' if len(names) == len(cells) else f' ({_listed(names)})'}."
        for said, names in found.items()
        if names
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))


def _seeds(cell: CellSection) -> Sequence[int]:
    training: Mapping[str, Any] = cell.params.get("training", {})
    return list(training.get("seeds", ()))


def _origins(cells: Sequence[CellSection]) -> str:
    found: dict[str, str] = {}
    for cell in sorted(cells, key=lambda one: one.name):
        found.setdefault(cell.name.partition("-")[0], cell.summary.origin)
    said = "; ".join(f"{model}, {origin}" for model, origin in found.items())
    return f"Weights before training: {said}."


def _statistics(card: CorpusCard, grid: pd.DataFrame) -> str:
    several = bool((grid["num_seeds"] > 1).any())
    unit = "speakers and seeds" if several else "speakers"
    text = (
        f"Scores pool the test parts of all folds{' and average over seeds' if several else ''}. "
        f"95 % intervals are Wilson's at the effective sample size, from the jackknife over "
        f"{unit} with quantiles of Student's t, and not shorter than those of as many independent "
        f"utterances."
    )
    if card.num_speakers < 2 or len(grid) < 2:
        return text
    return (
        text + f" Cells were compared with the best by Hsu's procedure, one-sided at 5 % over "
        f"{unit} and all {len(grid)} cells; pairs of losses of one model, and of models under one "
        f"loss, by two-sided paired t tests over {unit}, corrected after Holm."
        + (
            f" The UAR of the best cell was corrected for having been chosen as such by out-of-bag "
            f"evaluation over {NUM_RESAMPLES} resamples of {unit} (BBC-CV)."
        )
        * bool(grid["uar_corrected"].notna().any())
    )


def _versions(tags: Mapping[str, str]) -> str:
    code = tags["ser.source_sha256"][:12]
    return f"Software: ser, training code {code}; {versions(tags)}."
