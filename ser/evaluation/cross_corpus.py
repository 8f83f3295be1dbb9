"""How cells do on another corpus than the one they were trained on, beside their own numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser import predictions
from ser.cross_folders import CorpusFolder, Crossing
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.evaluation import summary
from ser.evaluation.summary import CellSummary
from ser.grid.crossings import trained
from ser.grid.procedure import Procedure
from ser.tracking import cells

COLUMNS = (
    "model",
    "loss",
    "trained_on",
    "tested_on",
    "classes",
    "transductive",
    "synthetic",
    "num_seeds",
    "num_speakers",
    "num_utterances",
    "uar",
    "uar_low",
    "uar_high",
    "wa",
    "wa_low",
    "wa_high",
    "within_corpus",
    "within_uar",
    "within_uar_low",
    "within_uar_high",
)

#: Of transductive scores, wherever they are shown.
TRANSDUCTIVE = (
    "TRANSDUCTIVE: inputs are normalised by statistics of what is tested, without its labels"
)


@dataclass(frozen=True, slots=True)
class Within:
    """The grid's own predictions of a cell.

    Args:
        corpus: The name of the corpus of params.yaml, on which the grid is trained and tested.
        frame: Predictions of all folds and seeds.
        speaker_of: Utterance id -> speaker.
    """

    corpus: str
    frame: pd.DataFrame
    speaker_of: Mapping[str, str]


def restricted(frame: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return predictions among some of the classes.

    Args:
        frame: Predictions, see `ser.predictions.table`.
        classes: Some of its classes, in order.

    Returns:
        The rows whose truth is one of them. The other classes are masked: probabilities are
        divided by their sum, and the most probable class of those that are left is predicted.
    """
    if tuple(classes) == predictions.emotions_of(frame):
        return frame
    rows = frame[frame["truth"].isin(classes)].reset_index(drop=True)
    names = [f"probability_{emotion}" for emotion in classes]
    probabilities = rows[names].to_numpy(dtype=np.float64)
    totals = probabilities.sum(axis=1, keepdims=True)
    # What a softmax leaves of them can be zero to the last bit.
    kept = np.divide(probabilities, totals, out=np.full_like(probabilities, 1 / len(classes)),
                     where=totals > 0)  # fmt: skip
    found = rows.drop(columns=[f"probability_{e}" for e in predictions.emotions_of(frame)])
    chosen = np.asarray(classes, dtype=object)[kept.argmax(axis=1)]
    found = found.assign(prediction=chosen, **dict(zip(names, kept.T, strict=True)))
    return found[[*predictions.KEYS, *names]]


def row(crossing: Crossing, folder: CorpusFolder, within: Within) -> dict[str, object]:
    """Return what a crossing shows.

    Args:
        crossing: The cell and the corpora.
        folder: What training left of it.
        within: The grid's predictions of the same cell.

    Returns:
        A row with `COLUMNS`. The numbers within the corpus of params.yaml are those of the grid,
        among the same classes.

    Raises:
        FileError, ManifestError: A file is missing or damaged.
    """
    folder_of_cell = trained(folder, crossing.cell)
    utterances = manifest.read(folder.manifest)
    frame = predictions.read(folder_of_cell.predictions)
    scores = summary.summarise(frame, {u.id: u.speaker for u in utterances})
    own = summary.summarise(restricted(within.frame, scores.emotions), within.speaker_of)
    spec = cells.read(folder_of_cell).cell.spec
    test = frame[frame["part"] == "test"]
    return {
        "model": spec.tags["ser.model"],
        "loss": spec.tags["ser.loss"],
        "trained_on": crossing.trained_on.name,
        "tested_on": crossing.tested_on.name,
        "classes": " ".join(scores.emotions),
        "transductive": Procedure.of_params(spec.params).is_transductive,
        "synthetic": CorpusCard.read(folder.corpus_card).synthetic,
        "num_seeds": scores.num_seeds,
        "num_speakers": len(scores.by_speaker),
        "num_utterances": test["utterance_id"].nunique(),
        **_interval(scores, "uar", "uar"),
        **_interval(scores, "wa", "wa"),
        "within_corpus": within.corpus,
        **_interval(own, "uar", "within_uar"),
    }


def table(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Return rows as `reports/cross_corpus.csv`, in their order."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def matrix(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the UAR of one cell for every pair of corpora.

    Args:
        rows: Of `table`: one model, loss and set of classes.

    Returns:
        Trained on (index) x tested on (columns), the corpus of params.yaml first; on its
        diagonal is the grid's own number; NaN where nothing was trained.
    """
    own = str(rows["within_corpus"].iloc[0])
    others = sorted({*rows["trained_on"], *rows["tested_on"]} - {own})
    found = pd.DataFrame(np.nan, index=[own, *others], columns=[own, *others])
    found.loc[own, own] = rows["within_uar"].iloc[0]
    for trained_on, tested_on, uar in zip(
        rows["trained_on"], rows["tested_on"], rows["uar"], strict=True
    ):
        found.loc[trained_on, tested_on] = uar
    return found


def as_text(found: Mapping[str, object]) -> str:
    """Return a row for a terminal."""
    own = found["within_corpus"]
    lines = [
        f"{found['model']}-{found['loss']}{' (SYNTHETIC speech)' if found['synthetic'] else ''}, "
        f"classes: {found['classes']}",
        f"{'trained on':<16} {'tested on':<16} {'UAR %':>6} {'95 % interval':>16}",
        _line(f"{own} (grid)", own, found, "within_uar"),
        _line(found["trained_on"], found["tested_on"], found, "uar"),
    ]
    return "\n".join([*lines, TRANSDUCTIVE] if found["transductive"] else lines)


def _line(trained_on: object, tested_on: object, found: Mapping[str, object], key: str) -> str:
    uar, low, high = (100 * float(str(found[f"{key}{end}"])) for end in ("", "_low", "_high"))
    interval = f"{low:.1f} to {high:.1f}"
    return f"{trained_on!s:<16} {tested_on!s:<16} {uar:>6.1f} {interval:>16}"


def _interval(scores: CellSummary, score: str, name: str) -> dict[str, float]:
    interval = scores.intervals[score]
    return {name: scores.scores[score], f"{name}_low": interval.low, f"{name}_high": interval.high}
