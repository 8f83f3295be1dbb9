"""What a split is worth: the same cell, utterances and features under two protocols.

The stages themselves are run, by the commands of the pipeline with other paths; nothing of
what DVC manages is touched.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ser import files, predictions
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.errors import SerError
from ser.evaluation import comparison, summary
from ser.evaluation.comparison import Paired
from ser.evaluation.summary import CellSummary
from ser.params import load_mapping, read
from ser.project import Project
from ser.workflow import commands as stage_commands
from ser.workflow.preset import Preset

#: Below the scratch folder: finished protocols are kept there, to be resumed.
FOLDER = Project().work / "protocol-gap"
COLUMNS = ("protocol", "num_folds", "num_seeds", "uar", "uar_low", "uar_high", "wa")


class ProtocolGapError(SerError):
    """A stage of one of the protocols failed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell under two protocols.

    Args:
        cell: `<model>-<loss>`.
        table: One row per protocol with `COLUMNS`, in the order asked for.
        difference: Of the second protocol minus the first, on the same utterances.
        synthetic: Whether the speech is.
    """

    cell: str
    table: pd.DataFrame
    difference: Paired
    synthetic: bool


def measure(cell: str, *, root: Path, protocols: tuple[str, str] = ("session", "random")) -> Gap:
    """Train a cell under two protocols and compare.

    Args:
        cell: A name among `cells` in params.yaml; its features must have been extracted.
        root: The project's root.
        protocols: See `ser.data.splits`.

    Returns:
        Scores and paired difference. It is what the split was worth: the model, the loss,
        the features and the utterances are the same.

    Raises:
        FileError: There is no corpus card.
        ParamsError: There is no such cell.
        ProtocolGapError: A stage failed; it has said why.
    """
    scores = [_train(cell, protocol, root) for protocol in protocols]
    card = CorpusCard.read(Project(root).corpus_card)
    rows = [_row(protocol, found) for protocol, found in zip(protocols, scores, strict=True)]
    first, second = (found.by_seed for found in scores)
    return Gap(
        cell,
        pd.DataFrame(rows)[list(COLUMNS)],
        comparison.compare(second, first),
        card.synthetic,
    )


def as_text(gap: Gap) -> str:
    """Return the gap for a terminal."""
    lines = [f"{gap.cell}{' (SYNTHETIC speech)' if gap.synthetic else ''}"]
    lines.append(f"{'protocol':<10} {'UAR %':>6} {'95 % interval':>16} {'WA %':>6}")
    for row in gap.table.to_dict("records"):
        interval = f"{100 * row['uar_low']:.1f} to {100 * row['uar_high']:.1f}"
        lines.append(
            f"{row['protocol']:<10} {100 * row['uar']:>6.1f} {interval:>16} {100 * row['wa']:>6.1f}"
        )
    found, (first, second) = gap.difference, gap.table["protocol"]
    lines.append(
        f"{second} minus {first}: {100 * found.difference:+.1f} points of UAR "
        f"({100 * found.low:+.1f} to {100 * found.high:+.1f}), paired p {found.p:.3f}"
    )
    return "\n".join(lines)


def commands(cell: str, protocol: str, root: Path) -> tuple[list[str], list[str]]:
    """Return the commands of the stages split and train under another protocol.

    Tuned on the folds of one protocol, values have heard test speakers of the other's: the
    cell is trained with those of params.yaml.

    Args:
        cell: Its name.
        protocol: Its splits go into a folder of its own, and so do the cell's results.
        root: The project's root, where the commands are to be run.

    Raises:
        ParamsError: There is no such cell.
    """
    folder = FOLDER / protocol
    params = Project(folder).params
    preset = read(Project(root).params, Preset)
    return (
        stage_commands.stage("split", params=params, folds=folder),
        stage_commands.train(preset, cell, params=params, folds=folder),
    )


def _train(cell: str, protocol: str, root: Path) -> CellSummary:
    folder = root / FOLDER / protocol
    planned = commands(cell, protocol, root)  # refuses params that are wrong
    params: dict[str, Any] = load_mapping(Project(root).params)
    params["split"] = {**params["split"], "protocol": protocol}
    text = yaml.safe_dump(params, sort_keys=False, allow_unicode=True)
    files.write_text(Project(folder).params, text)
    for command in planned:
        _run(command, root)
    frame = predictions.read(Project(root, folds=folder).trained(cell).predictions)
    utterances = manifest.read(Project(root).manifest)
    return summary.summarise(frame, {u.id: u.speaker for u in utterances})


def _run(command: Sequence[str], root: Path) -> None:
    status = subprocess.run(command, cwd=root, check=False).returncode
    if status:
        raise ProtocolGapError(f"`{' '.join(command)}` ended with status {status}; see above")


def _row(protocol: str, scores: CellSummary) -> dict[str, object]:
    return {
        "protocol": protocol,
        "num_folds": scores.num_folds,
        "num_seeds": scores.num_seeds,
        "uar": scores.scores["uar"],
        "uar_low": scores.intervals["uar"].low,
        "uar_high": scores.intervals["uar"].high,
        "wa": scores.scores["wa"],
    }
