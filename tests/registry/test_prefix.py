import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from ser import components
from ser.components import EXTRACTORS
from ser.errors import BundleError, WeightsError
from ser.pretrained import checkpoint_files, checkpoints, tiny
from ser.pretrained.tiny import TinyCheckpoint
from ser.pretrained.vggish import Trunk
from ser.registry import prefix
from tests.pretrained.support import write_sharded
from tests.rounding import FORMULA, NETWORK

pytestmark = pytest.mark.numeric

RATE = 16000


def noise(num_samples=12000):
    return (0.1 * np.random.default_rng(0).standard_normal(num_samples)).astype(np.float32)


def frames_of(section, folder):
    params = prefix.resolved(section, folder)
    extractor = components.load(EXTRACTORS, section["name"]).build(params, sampling_rate=RATE)
    return extractor(noise())


def meta_of(name, **params):
    params_class = components.load(EXTRACTORS, name).Params
    return {
        "extractor": name,
        "sampling_rate": RATE,
        "params": params_class(**params).model_dump(mode="json"),
    }


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "published"
    tiny.write(
        folder, TinyCheckpoint(architecture="hubert", hidden_size=16, num_layers=2, conv_dim=8)
    )
    return folder


def transformer_meta(folder, **params):
    meta = meta_of("hubert", checkpoint=str(folder), freeze=1, **params)
    return {**meta, "weights_sha256": checkpoints.digest(folder)}


def test_a_feature_without_weights_packs_nothing(tmp_path):
    section = prefix.pack(meta_of("mfcc"), tmp_path, embed=True)
    assert section["name"] == "mfcc"
    assert list(tmp_path.iterdir()) == []


def test_an_embedded_checkpoint_is_all_that_is_needed(checkpoint, tmp_path):
    meta = transformer_meta(checkpoint)
    before = frames_of({"name": "hubert", "sampling_rate": RATE, **meta["params"]}, tmp_path)
    folder = tmp_path / "bundle"
    folder.mkdir()
    section = prefix.pack(meta, folder, embed=True)
    checkpoint.rename(tmp_path / "gone")
    moved = folder.rename(tmp_path / "moved")
    assert section["checkpoint"] == "checkpoint"
    assert np.array_equal(frames_of(section, moved), before)


@pytest.mark.parametrize("name", ["hubert", "hubert__base"])
def test_a_pickled_checkpoint_is_packed_as_safetensors(name, checkpoint, tmp_path):
    model = AutoModel.from_pretrained(checkpoint)
    torch.save(model.state_dict(), checkpoint / checkpoint_files.TORCH_FILE)
    (checkpoint / checkpoint_files.SAFETENSORS).unlink()
    meta = {**transformer_meta(checkpoint), "extractor": name}
    before = frames_of({"name": name, "sampling_rate": RATE, **meta["params"]}, tmp_path)
    folder = tmp_path / "bundle"
    folder.mkdir()
    section = prefix.pack(meta, folder, embed=True)
    names = {path.name for path in (folder / "checkpoint").iterdir()}
    assert checkpoint_files.SAFETENSORS in names
    assert checkpoint_files.TORCH_FILE not in names
    assert np.allclose(frames_of(section, folder), before, atol=FORMULA)


def test_a_sharded_checkpoint_is_packed_as_it_is(checkpoint, tmp_path):
    source = write_sharded(tmp_path / "sharded", checkpoint)
    (source / "README.md").write_text("words")
    meta = transformer_meta(source)
    before = frames_of({"name": "hubert", "sampling_rate": RATE, **meta["params"]}, tmp_path)
    folder = tmp_path / "bundle"
    folder.mkdir()
    section = prefix.pack(meta, folder, embed=True)
    packed = {path.name for path in (folder / "checkpoint").iterdir()}
    assert packed == {path.name for path in source.iterdir()} - {"README.md"}
    assert checkpoints.digest(folder / "checkpoint") == meta["weights_sha256"]
    source.rename(tmp_path / "gone")
    assert np.array_equal(frames_of(section, folder), before)


@pytest.mark.parametrize("is_pickled", [False, True])
def test_the_preprocessing_is_packed_whatever_file_says_it(checkpoint, tmp_path, is_pickled):
    """Were it lost, waveforms would be normalised."""
    (checkpoint / checkpoint_files.PREPROCESSING).unlink()
    nested = {"feature_extractor": {"do_normalize": False, "sampling_rate": RATE}}
    (checkpoint / checkpoint_files.PROCESSOR).write_text(json.dumps(nested))
    if is_pickled:
        state = load_file(checkpoint / checkpoint_files.SAFETENSORS)
        torch.save(state, checkpoint / checkpoint_files.TORCH_FILE)
        (checkpoint / checkpoint_files.SAFETENSORS).unlink()
    meta = transformer_meta(checkpoint)
    section = {"name": "hubert", "sampling_rate": RATE, **meta["params"]}
    before = frames_of(section, tmp_path)
    normalised = frames_of({**section, "normalise": True}, tmp_path)
    assert not np.allclose(before, normalised, atol=FORMULA)
    folder = tmp_path / "bundle"
    folder.mkdir()
    packed = prefix.pack(meta, folder, embed=True)
    checkpoint.rename(tmp_path / "gone")
    np.testing.assert_allclose(frames_of(packed, folder), before, atol=FORMULA)


@pytest.mark.parametrize("normalise", [True, False])
def test_a_bundle_normalises_as_the_params_said(checkpoint, tmp_path, normalise):
    (checkpoint / checkpoint_files.PREPROCESSING).unlink()
    meta = transformer_meta(checkpoint, normalise=normalise)
    folder = tmp_path / "bundle"
    folder.mkdir()
    section = json.loads(json.dumps(prefix.pack(meta, folder, embed=True)))
    assert section["normalise"] is normalise
    loud = 0.2 + 3.0 * noise()
    params = prefix.resolved(section, folder)
    extractor = components.load(EXTRACTORS, "hubert").build(params, sampling_rate=RATE)
    assert np.allclose(extractor(noise()), extractor(loud), atol=NETWORK) == normalise


def test_a_bundle_from_before_there_was_a_choice_serves_as_before(checkpoint, tmp_path):
    meta = transformer_meta(checkpoint)
    section = {"name": "hubert", "sampling_rate": RATE, **meta["params"]}
    older = {key: value for key, value in section.items() if key != "normalise"}
    assert np.array_equal(frames_of(older, tmp_path), frames_of(section, tmp_path))


def test_another_checkpoint_than_that_of_the_features_is_refused(checkpoint, tmp_path):
    meta = transformer_meta(checkpoint)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    with pytest.raises(WeightsError, match="features were extracted"):
        prefix.pack(meta, tmp_path, embed=True)


def test_a_folder_cannot_be_left_out(checkpoint, tmp_path):
    with pytest.raises(BundleError, match="can only be embedded"):
        prefix.pack(transformer_meta(checkpoint), tmp_path, embed=False)


def test_a_pinned_checkpoint_is_left_where_it_is(tmp_path):
    meta = meta_of("hubert", checkpoint="facebook/hubert-base-ls960", revision="0" * 40)
    section = prefix.pack({**meta, "weights_sha256": "0" * 64}, tmp_path, embed=False)
    assert (section["checkpoint"], section["revision"]) == ("facebook/hubert-base-ls960", "0" * 40)
    assert list(tmp_path.iterdir()) == []


def test_a_frozen_vggish_trunk_is_embedded(tmp_path):
    path = tmp_path / "vggish.pth"
    torch.manual_seed(0)
    torch.save(Trunk(width=1 / 32).state_dict(), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    meta = meta_of("vggish", weights=str(path), sha256=sha256, width=1 / 32)
    before = frames_of({"name": "vggish", "sampling_rate": RATE, **meta["params"]}, tmp_path)
    folder = tmp_path / "bundle"
    folder.mkdir()
    section = prefix.pack({**meta, "weights_sha256": sha256}, folder, embed=True)
    path.unlink()
    assert [p.suffix for p in (folder / "checkpoint").iterdir()] == [".safetensors"]
    assert np.array_equal(frames_of(section, folder), before)


def test_a_model_is_built_without_the_file_it_started_from(tmp_path):
    path = tmp_path / "vggish.safetensors"
    save_file(Trunk(width=1 / 32).state_dict(), path)
    section = {"name": "vggish", "weights": str(path), "sha256": "0" * 64, "width": 1 / 32}
    assert prefix.without_weights(section) == {
        "name": "vggish",
        "weights": "none",
        "sha256": None,
        "width": 1 / 32,
    }
    assert prefix.without_weights({"name": "lstm"}) == {"name": "lstm"}
