import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel

from ser import components
from ser.components import EXTRACTORS
from ser.errors import BundleError, WeightsError
from ser.pretrained import checkpoints, tiny
from ser.pretrained.tiny import TinyCheckpoint
from ser.pretrained.vggish import Trunk
from ser.registry import prefix
from tests.rounding import FORMULA

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


def test_a_pickled_checkpoint_is_packed_as_safetensors(checkpoint, tmp_path):
    model = AutoModel.from_pretrained(checkpoint)
    torch.save(model.state_dict(), checkpoint / checkpoints.TORCH_FILE)
    (checkpoint / checkpoints.SAFETENSORS).unlink()
    meta = transformer_meta(checkpoint)
    before = frames_of({"name": "hubert", "sampling_rate": RATE, **meta["params"]}, tmp_path)
    folder = tmp_path / "bundle"
    folder.mkdir()
    section = prefix.pack(meta, folder, embed=True)
    names = {path.name for path in (folder / "checkpoint").iterdir()}
    assert checkpoints.SAFETENSORS in names
    assert checkpoints.TORCH_FILE not in names
    assert np.allclose(frames_of(section, folder), before, atol=FORMULA)


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
