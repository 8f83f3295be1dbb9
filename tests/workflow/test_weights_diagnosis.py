"""What `ser doctor` says of the weights that params.yaml names."""

import json
import shutil

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from ser.params import load_mapping, parse
from ser.pretrained import checkpoints, tiny
from ser.pretrained.tiny import TinyCheckpoint
from ser.pretrained.vggish import Trunk
from ser.workflow import weights_diagnosis
from ser.workflow.preset import Preset
from tests.pretrained.support import write_sharded
from tests.pretrained.weights_files import write_weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUBERT = {"checkpoint": "weights/hubert", "revision": None, "freeze": 1}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A HuBERT checkpoint; must not be changed."""
    folder = tmp_path_factory.mktemp("published")
    tiny.write(
        folder, TinyCheckpoint(architecture="hubert", hidden_size=32, num_layers=2, conv_dim=16)
    )
    return folder


@pytest.fixture
def folder(published, tmp_path, monkeypatch):
    """The same in weights/hubert of the working directory, to be changed; an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(published, tmp_path / "weights" / "hubert")


@pytest.fixture(scope="module")
def preset(project):
    """The preset demo, with other params of features and models."""
    content = load_mapping(project / "configs" / "demo.yaml")

    def changed(*, features, weights="none", models=None):
        cells = {"lstm-focal": {"model": "lstm", "loss": "focal", "feature": "mfcc"}}
        for name in models or {}:
            cells[f"{name}-focal"] = {"model": name, "loss": "focal", "feature": "logmel"}
        extracted = {name: {"weights": weights} for name in features}
        return parse(
            {
                **content,
                "features": {"mfcc": {}, "logmel": {}, **features},
                "models": {**content["models"], **(models or {})},
                "recipes": {**content["recipes"], **{name: {} for name in models or {}}},
                "extracted": {
                    "mfcc": {"weights": "none"},
                    "logmel": {"weights": "none"},
                    **extracted,
                },
                "baselines": {**content["baselines"], "feature": "mfcc"},
                "cells": cells,
                "tuning": {**content["tuning"], "cells": {}},
            },
            Preset,
            where="test",
        )

    return changed


def only(preset):
    (finding,) = weights_diagnosis.examine(preset)
    assert finding.what == "checkpoint"
    return finding


def test_what_can_be_loaded_is_ok(preset, folder, published, tmp_path):
    assert only(preset(features={"hubert": HUBERT})).level == "ok"
    place = tmp_path / "cache" / "models--a--b" / "snapshots" / COMMIT
    shutil.copytree(published, place)
    finding = only(preset(features={"hubert": {"checkpoint": "a/b", "revision": COMMIT}}))
    assert (finding.level, finding.cure) == ("ok", "")
    assert finding.detail == "features.hubert: a/b@0123456789ab"
    sharded = write_sharded(tmp_path / "sharded", published)
    assert only(preset(features={"hubert": {**HUBERT, "checkpoint": str(sharded)}})).level == "ok"


def test_nothing_is_loaded(preset, folder, monkeypatch):
    def load(*_, **__):
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(checkpoints, "load", load)
    monkeypatch.setattr(torch, "load", load)
    assert only(preset(features={"hubert": HUBERT})).level == "ok"


def lose_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("encoder.layer_norm.bias")
    save_file(tensors, folder / "model.safetensors")


def lose_a_shard(folder):
    sharded = write_sharded(folder.parent / "sharded", folder)
    sorted(sharded.glob("model-*"))[1].unlink()
    shutil.rmtree(folder)
    sharded.rename(folder)


def name_another_type(folder):
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "model_type": "wav2vec2"}))


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def point(folder):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 377607901\n"
    (folder / "model.safetensors").write_text(pointer)


def say_8000_hz(folder):
    (folder / "preprocessor_config.json").unlink()
    said = {"feature_extractor": {"sampling_rate": 8000}}
    (folder / "processor_config.json").write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_a_tensor, "1 tensors are missing, which would stay random: encoder.layer_norm.bias"),
        (lose_a_shard, "missing model-00002-of-0"),
        (name_another_type, "model_type is 'wav2vec2', but hubert needs 'hubert'"),
        (cut, "it is cut off or damaged"),
        (point, "a Git LFS pointer, which only names the file of 377607901 bytes; `git lfs pull`"),
        (say_8000_hz, "audio.sampling_rate is 16000, but features.hubert needs 8000"),
        (lambda folder: (folder / "config.json").unlink(), "missing config.json; put them"),
        (lambda folder: (folder / "config.json").write_text("{"), "not a JSON object"),
    ],
)
def test_what_loading_would_refuse_is_a_failure(preset, folder, damage, said):
    damage(folder)
    finding = only(preset(features={"hubert": HUBERT}))
    assert finding.level == "fail"
    assert finding.detail.startswith("features.hubert: found but not loadable: ")
    assert said in finding.detail
    assert finding.cure


def test_more_frozen_layers_than_there_are_is_a_failure(preset, folder):
    finding = only(preset(features={"hubert": {**HUBERT, "freeze": 3}}))
    assert "freeze: 3 layers, but the checkpoint weights/hubert has 2" in finding.detail


def test_an_empty_or_another_revision_in_the_cache_is_not_the_checkpoint(
    preset, folder, published, tmp_path
):
    snapshots = tmp_path / "cache" / "models--a--b" / "snapshots"
    shutil.copytree(published, snapshots / ("f" * 40))
    wanted = preset(features={"hubert": {"checkpoint": "a/b", "revision": COMMIT}})
    finding = only(wanted)
    assert finding.level == "warn"
    assert f"`ser download-weights a/b --revision {COMMIT}`" in finding.detail
    (snapshots / COMMIT).mkdir()
    finding = only(wanted)
    assert finding.level == "fail"
    assert "found but not loadable: a/b@0123456789ab: missing config.json" in finding.detail


def test_a_name_without_a_revision_and_a_published_default_are_looked_for(preset, folder):
    finding = only(preset(features={"hubert": {"checkpoint": "facebook/hubert"}}))
    assert finding.level == "warn"
    assert "if it is a Hugging Face id, give its revision, too" in finding.detail
    finding = only(preset(features={"wav2vec2": {}}))
    assert finding.level == "warn"
    assert "ser download-weights facebook/wav2vec2-base --revision 0b5b8e8" in finding.detail


def test_what_the_pipeline_makes_may_be_absent(preset, folder):
    shutil.rmtree(folder)
    assert only(preset(features={"hubert": HUBERT}, weights="other")).level == "warn"
    finding = only(preset(features={"hubert": HUBERT}, weights="hubert"))
    assert (finding.level, finding.cure) == ("ok", "")
    assert "`dvc repro` makes it" in finding.detail


def test_the_file_of_vggish_is_looked_at_as_feature_and_as_model(preset, folder, tmp_path):
    torch.manual_seed(0)
    path, digest = write_weights(tmp_path / "vggish.pth", Trunk(width=1 / 32).state_dict())
    params = {"weights": str(path), "sha256": digest, "width": 1 / 32}
    both = preset(features={"vggish": params}, models={"vggish": params})
    assert [f.level for f in weights_diagnosis.examine(both)] == ["ok", "ok"]
    path.write_bytes(path.read_bytes()[:-1])
    found = list(weights_diagnosis.examine(both))
    assert [f.level for f in found] == ["fail", "fail"]
    assert [f.detail.partition(":")[0] for f in found] == ["features.vggish", "models.vggish"]
    path.unlink()
    assert [f.level for f in weights_diagnosis.examine(both)] == ["warn", "warn"]
    fresh = preset(features={}, models={"vggish": {}})
    assert only(fresh).detail == "models.vggish: from scratch"


@pytest.fixture
def fit(preset, folder):
    """What does not fit of a model hubert on two layers, of which the lowest is frozen."""

    def look(freeze=1, feature="hubert", **params):
        found = preset(features={"hubert": {**HUBERT, "freeze": freeze}}, models={"hubert": params})
        cell = found.cells["hubert-focal"].model_copy(update={"feature": feature})
        cells = {**found.cells, "hubert-focal": cell}
        findings = weights_diagnosis.examine(found.model_copy(update={"cells": cells}))
        return [item.detail for item in findings if item.level == "fail"]

    return look


def test_a_model_that_fits_its_checkpoint_is_well(fit):
    assert fit(num_layers=1, pooling="attention", attention_heads=8, frozen_layers=1) == []
    assert fit("all") == fit("feature_encoder", num_layers=0) == []


@pytest.mark.parametrize(
    ("freeze", "params", "said"),
    [
        (1, {"num_layers": 2}, "2 layers above freeze: 1, but the checkpoint weights/hubert has 1"),
        (1, {"frozen_layers": 2}, "frozen_layers is 2, but only 1 layers lie above"),
        (1, {"attention_heads": 5}, "attention_heads is 5, which does not divide the width"),
        ("all", {"num_layers": 1}, "freeze: all weights all layers; write null"),
        ("all", {"pooling": "attention"}, "pooling: attention needs frames"),
        ("all", {"frozen_layers": 1}, "leaves no layer to train"),
        (1, {"feature": "mfcc"}, "models.hubert goes on where the feature hubert ends"),
    ],
)
def test_a_model_that_does_not_fit_its_checkpoint_is_a_failure(fit, freeze, params, said):
    (detail,) = fit(freeze, **params)
    assert detail.startswith("models.hubert: ")
    assert said in detail


def test_a_feature_that_cannot_be_built_at_the_rate_is_a_failure(preset, folder):
    (finding,) = weights_diagnosis.examine(preset(features={"mfcc": {"max_hz": 9000}}))
    assert (finding.level, finding.what) == ("fail", "params")
    assert "max_hz 9000.0 is above half of audio.sampling_rate 16000" in finding.detail


def test_features_that_read_no_weights_are_not_mentioned(preset, folder):
    assert list(weights_diagnosis.examine(preset(features={}))) == []


def test_what_is_refused_of_an_entry_is_said_of_the_entry(preset, folder):
    changed = preset(features={"hubert__cut": HUBERT}, models={"hubert__deep": {}})
    details = [finding.detail for finding in weights_diagnosis.examine(changed)]
    assert details[0] == "features.hubert__cut: weights/hubert"
    assert details[1].startswith(
        "models.hubert__deep: models.hubert__deep goes on where the feature hubert ends, got the "
        "feature 'logmel'"
    )
    too_many = preset(features={"hubert__cut": {**HUBERT, "freeze": 9}})
    (finding,) = weights_diagnosis.examine(too_many)
    assert finding.level == "fail"
    assert finding.detail.startswith("features.hubert__cut: ")
