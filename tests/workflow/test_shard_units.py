"""Shards that another machine extracts: the store is the one that this machine would have made."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import yaml

from ser import components
from ser.contracts import UnitOutcome
from ser.data import manifest
from ser.errors import FileError, NodeError, PipelineError
from ser.features import collection, extraction, store
from ser.params import read_entry
from ser.project import Project
from ser.utterance import used_of
from ser.workflow import missing_shards, shard_units
from ser.workflow.missing_stages import Missing
from tests import synthetic
from tests.recordings import write_corpus

PARAMS = {
    "audio": {"sampling_rate": 16000},
    "corpus": {"name": "csv"},
    "features": {"mfcc": {"hop_ms": 20.0, "copies": ["clean", "noise_20db"]}},
}
STAGE = Missing("extract@mfcc", "")


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The same project twice, of three shards: `here`, the working directory, and a node."""
    here = Project(tmp_path / "here")
    write_corpus(here.raw("csv"))
    here.params.write_text(yaml.safe_dump(PARAMS))
    wavs = sorted(here.raw("csv").rglob("*.wav"))[:5]
    utterances = [
        synthetic.utterance(
            path.stem,
            audio=path.relative_to(here.raw("csv")).as_posix(),
            sha256=shard_units.lineage.sha256_file(path),
        )
        for path in wavs
    ]
    manifest.write(here.manifest, utterances)
    shutil.copytree(here.root, tmp_path / "node")
    monkeypatch.setattr(store, "UTTERANCES_PER_SHARD", 2)
    monkeypatch.chdir(here.root)
    shard_units._opened_once.cache_clear()
    yield tmp_path
    shard_units._opened_once.cache_clear()


class Node:
    """Does units in another folder and brings what they leave, as a cluster does."""

    def __init__(self, folders, monkeypatch, failing=()):
        self.folders, self.patch, self.failing = folders, monkeypatch, failing
        self.names = []

    def run(self, work, units):
        for unit in units:
            self.names.append(unit.name)
            if unit.shard in self.failing:
                yield UnitOutcome(unit, "its node died")
                continue
            self.patch.chdir(self.folders / "node")
            work(unit)
            self.patch.chdir(self.folders / "here")
            shutil.copytree(self.folders / "node" / unit.folder, unit.folder)
            yield UnitOutcome(unit, None)


def stored(folder):
    """Extract what is missing, as the stage does; return the bytes of the store."""
    project = Project(folder)
    extraction.extract(
        manifest.read(project.manifest),
        name="mfcc",
        params=read_entry(project.params, "features", components.EXTRACTORS, "mfcc"),
        audio_params=extraction.AudioParams(),
        places=extraction.Places(
            recordings=project.raw("csv"),
            store=project.features("mfcc"),
            kept=project.kept_copies("mfcc"),
            sounds=project.sounds,
        ),
    )
    files = (path for path in project.features("mfcc").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_shards_of_a_node_make_the_store_of_one_machine(folders, monkeypatch):
    node = Node(folders, monkeypatch)
    missing_shards.extract([STAGE], node)
    assert node.names == [f"extract/mfcc/shard-{number}" for number in (0, 1, 2)]
    assert list(shard_units.missing("mfcc")) == []
    assert not list(Path("work/shards").iterdir())
    alone = folders / "alone"
    shutil.copytree(folders / "here", alone, ignore=shutil.ignore_patterns("work"))
    monkeypatch.setattr(collection.Collection, "_write_shard", _never)
    here = stored(Path())
    monkeypatch.undo()
    monkeypatch.setattr(store, "UTTERANCES_PER_SHARD", 2)
    assert here == stored(alone)
    assert len([name for name in here if "shard-" in name]) == 2 * 3


def _never(*_):
    raise AssertionError("a shard that came from a node is extracted again")


def test_a_shard_that_fails_keeps_the_others(folders, monkeypatch):
    with pytest.raises(PipelineError, match=r"extract/mfcc/shard-1: its node died; .*same command"):
        missing_shards.extract([STAGE], Node(folders, monkeypatch, failing=[1]))
    assert [unit.shard for unit in shard_units.missing("mfcc")] == [1]


def test_a_node_that_would_extract_something_else_refuses(folders, monkeypatch):
    unit = next(shard_units.missing("mfcc"))
    monkeypatch.chdir(folders / "node")
    other = Project()
    utterances = manifest.read(other.manifest)
    wav = other.raw("csv") / used_of(utterances)[0].audio
    content = wav.read_bytes()
    wav.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(NodeError, match="not the recording that the manifest names"):
        shard_units.extract(unit)
    wav.unlink()
    with pytest.raises(NodeError, match="cannot be read"):
        shard_units.extract(unit)
    manifest.write(
        other.manifest,
        [dataclasses.replace(utterances[0], sha256="0" * 64), *utterances[1:]],
    )
    shard_units._opened_once.cache_clear()
    with pytest.raises(NodeError, match=r"clean.decided_by.recordings is \w+... there and"):
        shard_units.extract(unit)
    other.manifest.unlink()
    shard_units._opened_once.cache_clear()
    with pytest.raises(NodeError, match="no such file"):
        shard_units.extract(unit)


def test_a_shard_of_another_plan_or_half_of_one_is_not_taken(folders):
    unit = next(shard_units.missing("mfcc"))
    shard_units.extract(unit)
    plan = unit.folder / "clean" / "plan.json"
    said = plan.read_text()
    plan.write_text("{}")
    with pytest.raises(FileError, match="extracted in another way"):
        shard_units.take(unit)
    plan.write_text(said)
    next((unit.folder / "clean").glob("lengths-*")).unlink()
    with pytest.raises(FileError, match="is missing; give the same command again"):
        shard_units.take(unit)
    assert [one.shard for one in shard_units.missing("mfcc")] == [0, 1, 2]
