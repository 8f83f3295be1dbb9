import sys

import pandas as pd
import pytest
import yaml

from pipelines import extract, prepare
from ser.errors import ParamsError
from ser.project import Project
from ser.workflow import protocol_gap
from ser.workflow.protocol_gap import FOLDER, ProtocolGapError


@pytest.fixture
def root(project_with_params):
    """A project with the whole params.yaml."""
    with (project_with_params / "params.yaml").open("a") as file:
        file.write("extracted: {mfcc: {weights: none}}\nbaselines: {feature: mfcc}\n")
        file.write("launcher: python -m\nsynthetic_corpora: []\nsynthetic_weights: {}\n")
        file.write("tuning: {cells: {}}\nrobustness: {without_copies: {}}\n")
        file.write("cross_corpus: {corpora: {}, cells: {}}\n")
    return project_with_params


@pytest.fixture
def extracted(root):
    """The same with a manifest and features, as the working directory."""
    assert prepare.main([]) == 0
    assert extract.main(["mfcc"]) == 0
    return root


def test_commands_write_into_a_folder_of_the_protocol_only(root):
    split, train = protocol_gap.commands("lstm-cross_entropy", "random", root)
    folder = str(FOLDER / "random")
    assert split[:3] == [sys.executable, "-m", "pipelines.split"]
    for command in (split, train):
        assert command[command.index("--params") + 1] == f"{folder}/params.yaml"
        assert command[command.index("--folds") + 1] == folder
    assert "--untuned" in train
    with pytest.raises(ParamsError, match="no cell"):
        protocol_gap.commands("lstm-nothing", "random", root)


def test_same_cell_is_trained_under_both_protocols_on_the_same_utterances(extracted, warm):
    cost = protocol_gap.measure("lstm-cross_entropy", root=extracted)
    assert cost.table()["protocol"].tolist() == ["session", "random"]
    assert cost.difference == pytest.approx(cost.second.uar - cost.first.uar)
    frames = {
        protocol: pd.read_parquet(
            Project(extracted, folds=extracted / FOLDER / protocol)
            .trained("lstm-cross_entropy")
            .predictions
        ).query("part == 'test'")
        for protocol in ("session", "random")
    }
    session, random = (set(frames[name]["utterance_id"]) for name in ("session", "random"))
    assert session == random
    assert not (extracted / "runs").exists()
    assert not (extracted / "data" / "splits.csv").exists()


def test_stage_that_fails_ends_it_with_the_command(extracted, capfd):
    (extracted / "data" / "manifest.jsonl").write_text("{")
    with pytest.raises(ProtocolGapError, match=r"pipelines\.split .* ended with status 1"):
        protocol_gap.measure("lstm-cross_entropy", root=extracted)
    assert "manifest.jsonl" in capfd.readouterr().err


def test_voices_that_a_protocol_would_mix_into_other_parts_are_refused(root):
    path = root / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["features"]["mfcc"] = {"copies": ["clean", "babble_10db"]}
    content["recipes"]["lstm"]["copies"] = {"clean": 0.5, "babble_10db": 0.5}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert protocol_gap.params_under("session", root)["split"]["protocol"] == "session"
    with pytest.raises(
        ParamsError, match=r"(?s)under split\.protocol text.*'babble_10db', which would"
    ):
        protocol_gap.params_under("text", root)


def test_a_protocol_that_is_none_is_refused_before_anything_is_trained(tmp_path):
    with pytest.raises(ProtocolGapError, match=r"no protocol 'alphabet'; there are session, "):
        protocol_gap.measure("lstm-ccc", root=tmp_path, protocols=("session", "alphabet"))
