"""The kinds of files that are read, each with an undamaged one: see `benchmarks.damaged_files`."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ser import files, predictions
from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.data import leakage, manifest, splits
from ser.data.card import CorpusCard
from ser.data.corpora import csv
from ser.data.protocols import SplitParams
from ser.data.split_report import SplitReport
from ser.emotion import EMOTIONS
from ser.features import store
from ser.features.collection import INDEX, META, shard_name
from ser.features.dataset import Statistics
from ser.features.store import FeatureStore
from ser.params import read
from ser.tracking import cells
from ser.training.checkpoint import Checkpoint, Snapshot
from ser.utterance import Gender, Utterance
from ser.workflow.preset import Preset


@dataclass(frozen=True, slots=True)
class Kind:
    """A file that is read.

    Args:
        place: Its path in a folder of its own.
        good: Its content, undamaged.
        read: Reads it, given the folder.
        beside: Further files that are read with it: place -> content.
    """

    place: str
    good: bytes
    read: Callable[[Path], object]
    beside: Mapping[str, bytes] = field(default_factory=dict)


_TABLE = b"""path,label,speaker,gender,session,text,valence
a.wav,angry,ann,female,S1,"Well, ""no"".",1.5
b.wav,joy (acted),bob,male,S2,,
c.wav,sad,cat,f,S3,Hm.,4
"""
_MAP = {"joy (acted)": "happy"}


def _utterance(session: int, gender: Gender, emotion: str) -> Utterance:
    name = f"S{session}{gender[0]}_{emotion}"
    return Utterance(
        id=name,
        corpus="csv",
        audio=f"{name}.wav",
        speaker=f"S{session}{gender[0]}",
        gender=gender,
        session=f"S{session}",
        dialogue=name,
        scripted=None,
        text="Hm.",
        label=emotion,
        emotion=emotion,
        valence=3.0,
        votes={emotion: 2},
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        num_samples=16000,
        sampling_rate=16000,
        duration_s=1.0,
    )


def _examples(folder: Path) -> dict[str, bytes]:
    """Return undamaged artefacts of a corpus of three sessions."""
    genders: tuple[Gender, ...] = ("female", "male")
    spoken = [_utterance(n, g, e) for n in (1, 2, 3) for g in genders for e in EMOTIONS]
    params = SplitParams()
    folds = splits.split(spoken, params)
    card = CorpusCard(
        name="csv",
        synthetic=False,
        licence="Ours.",
        citation="Us.",
        emotions=EMOTIONS,
        num_utterances=len(spoken),
        num_used=len(spoken),
        num_rejected=0,
        num_speakers=6,
        num_sessions=3,
        duration_s=float(len(spoken)),
        counts=dict.fromkeys(EMOTIONS, 6),
        labels=dict.fromkeys(EMOTIONS, 6),
        params=csv.Params(label_map=dict(_MAP)).model_dump(mode="json"),
    )
    report = SplitReport(
        protocol=params.protocol,
        speaker_independent=True,
        params=params,
        manifest_sha256="0" * 64,
        split_sha256="0" * 64,
        folds=leakage.audit(folds, spoken, params.protocol),
    )
    spec = RunSpec("lstm-focal", "key", {"ser.model": "lstm"}, {"corpus": {"name": "csv"}})
    run = cells.RunRecord(spec, metrics={"dev/uar": 0.5}, artifacts=(("a.csv", ""),))
    manifest.write(folder / "manifest", spoken)
    files.write_text(folder / "splits", splits.to_csv(folds))
    card.write(folder / "card")
    report.write(folder / "split report")
    cells.write(CellFolder(folder), cells.CellRecord("ser/csv/session", "", {}, run, (run,)))
    (folder / "run.json").rename(folder / "record")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _binary_kinds(folder: Path) -> dict[str, Kind]:
    """Return the kinds that programs write and no hand does."""
    ids = [f"u{number}" for number in range(8)]
    frame = predictions.table(
        ids=ids,
        truth=np.arange(8) % 4,
        probabilities=np.full((8, 4), 0.25),
        emotions=EMOTIONS,
        fold=1,
        seed=0,
        part="test",
    )
    predictions.write(folder / "predictions.parquet", frame)
    store.build(
        folder / "mfcc",
        ids,
        lambda _: np.ones((5, 3), np.float32),
        meta={"extractor": "mfcc", "params": {}, "dimension": 3, "dtype": "float32"},
        scratch=folder / "scratch",
    )
    names = (INDEX, META, shard_name(0))
    stored = {f"mfcc/{name}": (folder / "mfcc" / name).read_bytes() for name in names}
    checkpoint = Checkpoint(folder / "a.safetensors", "key")
    tensors = {"weight": torch.ones(3, 2)}
    checkpoint.save(Snapshot(tensors, tensors, tensors, {"epoch": 1}))
    Statistics(np.zeros(3, np.float32), np.ones(3, np.float32)).save(folder / "statistics")
    return {
        "predictions": Kind(
            "a.parquet",
            (folder / "predictions.parquet").read_bytes(),
            lambda place: predictions.read(place / "a.parquet"),
        ),
        "checkpoint": Kind(
            "a.safetensors",
            (folder / "a.safetensors").read_bytes(),
            lambda place: Checkpoint(place / "a.safetensors", "key").load(),
        ),
        "statistics": Kind(
            "a.safetensors",
            (folder / "statistics").read_bytes(),
            lambda place: Statistics.load(place / "a.safetensors"),
        ),
        **{
            f"features {name.partition('/')[2]}": Kind(
                name,
                stored[name],
                lambda place: _read_store(place / "mfcc", ids),
                {other: content for other, content in stored.items() if other != name},
            )
            for name in stored
        },
    }


def _read_store(folder: Path, ids: Sequence[str]) -> object:
    features = FeatureStore(folder)
    return features.spec, [np.array(features[id_]) for id_ in ids]


def _parse_table(folder: Path) -> object:
    return csv.build(csv.Params(num_sessions=2, label_map=_MAP)).parse(folder)


def kinds_of(folder: Path, root: Path) -> dict[str, Kind]:
    """Return the kinds of files, with an undamaged one of each.

    Args:
        folder: Where undamaged files may be written.
        root: The project's root, for a preset.
    """
    examples = _examples(folder)
    return {
        **_binary_kinds(folder / "binary"),
        "params": Kind(
            "params.yaml",
            (root / "configs" / "demo.yaml").read_bytes(),
            lambda place: read(place / "params.yaml", Preset),
        ),
        "table": Kind("utterances.csv", _TABLE, _parse_table),
        "manifest": Kind(
            "manifest.jsonl", examples["manifest"], lambda p: manifest.read(p / "manifest.jsonl")
        ),
        "splits": Kind("splits.csv", examples["splits"], lambda p: splits.read(p / "splits.csv")),
        "card": Kind("corpus.json", examples["card"], lambda p: CorpusCard.read(p / "corpus.json")),
        "split report": Kind(
            "split.json", examples["split report"], lambda p: SplitReport.read(p / "split.json")
        ),
        "record": Kind("run.json", examples["record"], lambda p: cells.read(CellFolder(p))),
    }
