"""What a split is worth: the same cell, utterances and features under two protocols.

The stages themselves are run, by the commands of the pipeline with other paths; nothing of
what DVC manages is touched.
"""

import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pandas as pd
import yaml

from ser import files, predictions
from ser.contracts import RunSpec
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.data.protocols import Protocol
from ser.data.split_report import SplitReport
from ser.errors import SerError
from ser.evaluation import protocol_cost
from ser.evaluation.protocol_cost import ProtocolCost
from ser.params import load_mapping, parse, read
from ser.project import Project
from ser.tracking import cells
from ser.wording import shown
from ser.workflow import commands as stage_commands
from ser.workflow.preset import Preset

#: Below the scratch folder: finished protocols are kept there, to be resumed.
FOLDER = Project().work / "protocol-gap"
#: Keys of the section `split` that are refused under any other protocol.
_OF_FILE = ("part_map", "may_share")


class ProtocolGapError(SerError):
    """A stage of one of the protocols failed."""


def measure(
    cell: str, *, root: Path, protocols: tuple[str, str] = ("session", "random")
) -> ProtocolCost:
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
        ParamsError: There is no such cell; or params.yaml would not do under a protocol, as where
            a recipe draws from voices that it would mix from one part into another.
        ProtocolGapError: There is no such protocol; a stage failed, and has said why; or no
            utterance of some emotion was tested under both protocols.
    """
    if unknown := [protocol for protocol in protocols if protocol not in get_args(Protocol)]:
        raise ProtocolGapError(
            f"there is no protocol {shown(unknown[0])}; there are {', '.join(get_args(Protocol))}"
        )
    if not CorpusCard.read(Project(root).corpus_card).emotions:
        raise ProtocolGapError(
            "corpus.emotions is empty: the gap is in UAR, which a corpus without classes has not"
        )
    params = [params_under(protocol, root) for protocol in protocols]  # both, before one trains
    first, second = map(partial(_train, cell, root), protocols, params)
    utterances = manifest.read(Project(root).manifest)
    try:
        return protocol_cost.measure(
            second.spec,
            frames=(first.frame, second.frame),
            splits=(first.split, second.split),
            speaker_of={u.id: u.speaker for u in utterances},
            synthetic=CorpusCard.read(Project(root).corpus_card).synthetic,
        )
    except ValueError as error:
        raise ProtocolGapError(
            f"{cell} under {protocols[0]} and {protocols[1]} cannot be compared: {error}"
        ) from error


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


class _Trained(NamedTuple):
    """A cell as it was trained under a protocol."""

    spec: RunSpec
    frame: pd.DataFrame
    split: SplitReport


def params_under(protocol: str, root: Path) -> dict[str, Any]:
    """Return the content of params.yaml with another protocol.

    Args:
        protocol: Its name.
        root: The project's root.

    Raises:
        ParamsError: They would not do, and say why.
    """
    path = Project(root).params
    params: dict[str, Any] = load_mapping(path)
    split = {**params["split"], "protocol": protocol}
    if protocol != "file":
        split = {key: value for key, value in split.items() if key not in _OF_FILE}
    params["split"] = split
    parse(params, Preset, where=f"{path} under split.protocol {protocol}")
    return params


def _train(cell: str, root: Path, protocol: str, params: Mapping[str, Any]) -> _Trained:
    folder = root / FOLDER / protocol
    planned = commands(cell, protocol, root)
    text = yaml.safe_dump(dict(params), sort_keys=False, allow_unicode=True)
    files.write_text(Project(folder).params, text)
    for command in planned:
        _run(command, root)
    project = Project(root, folds=folder)
    trained = project.trained(cell)
    return _Trained(
        cells.require_data(trained, project).cell.spec,
        predictions.read(trained.predictions),
        SplitReport.read(project.split_report),
    )


def _run(command: Sequence[str], root: Path) -> None:
    status = subprocess.run(command, cwd=root, check=False).returncode
    if status:
        raise ProtocolGapError(f"`{' '.join(command)}` ended with status {status}; see above")
