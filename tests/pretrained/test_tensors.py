import json
import time

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from ser import files
from ser.errors import WeightsError
from ser.pretrained import checkpoints, tensors, tiny
from ser.pretrained.architectures import ARCHITECTURES
from ser.pretrained.tiny import TinyCheckpoint
from tests.pretrained.support import VARIANTS, write_as_published, write_sharded

#: Settings that change which tensors there are.
SETTINGS = (
    {},
    {"conv_bias": True},
    {"conv_pos_batch_norm": True},
    {"feat_proj_layer_norm": False},
    {"do_stable_layer_norm": True, "adapter_attn_dim": 8},
    {"adapter_attn_dim": 8},
    {"num_buckets": 40},
)


def tensors_of_transformers(architecture, settings):
    """Names and shapes of transformers' own model, without memory for its weights."""
    config = AutoConfig.for_model(ARCHITECTURES[architecture].model_type, **settings)
    with torch.device("meta"):
        model = AutoModel.from_config(config)
        state = (model.encoder if architecture == "whisper" else model).state_dict()
    # A counter of batch normalisation, which no answer depends on.
    return {n: tuple(t.shape) for n, t in state.items() if not n.endswith("batches_tracked")}


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def require(folder, architecture):
    return tensors.require(folder, architecture, config_of(folder))


@pytest.mark.parametrize("settings", SETTINGS, ids="+".join)
@pytest.mark.parametrize(("architecture", "norm"), VARIANTS)
def test_expected_are_the_tensors_of_transformers(architecture, norm, settings):
    sizes = tiny._settings(TinyCheckpoint(architecture=architecture, norm=norm, num_layers=2))
    told = {**sizes, **settings}
    expected = tensors_of_transformers(architecture, told)
    expected.pop("masked_spec_embed", None)
    assert dict(tensors.expected(architecture, told)) == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_setting_that_is_not_written_has_the_default_of_transformers(architecture):
    expected = tensors_of_transformers(architecture, {"mask_time_prob": 0.0})
    assert dict(tensors.expected(architecture, {})) == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_size_that_is_not_written_has_the_default_of_transformers(architecture, tmp_path):
    facts = ARCHITECTURES[architecture]
    files.write_json(tmp_path / "config.json", {"model_type": facts.model_type})
    default = AutoConfig.for_model(facts.model_type)
    sizes = checkpoints.read_sizes(tmp_path, architecture)
    names = [name for name, _ in facts.sizes]
    assert [getattr(default, name) for name in names] == [sizes.num_layers, sizes.hidden_size]


def test_whole_checkpoints_are_accepted_in_a_moment(variant):
    architecture, folder = variant
    started = time.perf_counter()
    assert require(folder, architecture)
    assert time.perf_counter() - started < 0.5


def test_names_of_files_are_those_of_heads_and_of_older_versions_too(hubert, tmp_path):
    pickle = write_as_published(tmp_path / "published", hubert, "hubert")
    assert not require(pickle, "hubert")  # seen when it is loaded
    state = torch.load(pickle / "pytorch_model.bin", weights_only=True)
    assert any(name.endswith("weight_g") for name in state)
    save_file(state, pickle / "model.safetensors")
    assert require(pickle, "hubert")


def test_tensors_may_lie_in_shards(hubert, tmp_path):
    folder = write_sharded(tmp_path / "sharded", hubert)
    assert require(folder, "hubert")
    shard = sorted(folder.glob("model-*"))[-1]
    lost = sorted(load_file(shard))[0]
    save_file({n: t for n, t in load_file(shard).items() if n != lost}, shard)
    with pytest.raises(WeightsError, match=rf"index\.json: 1 tensors are missing, .*: {lost}$"):
        require(folder, "hubert")


def test_what_loading_refuses_is_refused_without_loading(copied):
    """A layer more than there is, another width, a number of heads that does not fit."""
    content = config_of(copied)
    for change, said in (
        ({"num_hidden_layers": 4}, "16 tensors are missing, which would stay random: encoder"),
        ({"intermediate_size": 8}, r"tensors have another shape than config\.json says"),
        ({"num_attention_heads": 3}, "hidden_size 32 is no multiple of num_attention_heads 3"),
        ({"hidden_size": "wide"}, "it describes no hubert"),
        ({"conv_dim": [16]}, "it describes no hubert"),
        ({"num_conv_pos_embedding_groups": 0}, "it describes no hubert"),
    ):
        (copied / "config.json").write_text(json.dumps({**content, **change}))
        with pytest.raises(WeightsError, match=said):
            require(copied, "hubert")
        with pytest.raises(WeightsError):
            checkpoints.load(copied, "hubert")
