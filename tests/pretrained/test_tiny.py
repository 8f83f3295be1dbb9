import itertools
import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from ser.pretrained import checkpoints, tiny
from ser.pretrained.architectures import ARCHITECTURES
from ser.pretrained.tiny import TinyCheckpoint
from tests.pretrained.support import outputs_of, waveforms, whole_model

SMALL = {"hidden_size": 16, "num_layers": 2, "conv_dim": 8}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_params_give_the_same_bytes_and_another_seed_other_weights(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(int.from_bytes(name.encode()))
        tiny.write(tmp_path / name, TinyCheckpoint(architecture="hubert", seed=seed, **SMALL))
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert set(first) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert first["model.safetensors"] != other["model.safetensors"]


def test_writing_draws_nothing_from_the_generator_of_others(tmp_path):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    tiny.write(tmp_path, TinyCheckpoint(architecture="wav2vec2", **SMALL))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "whisper"])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_it_loads_like_a_published_one_and_says_that_it_is_random(tmp_path, architecture, norm):
    params = TinyCheckpoint(architecture=architecture, norm=norm, seed=3, **SMALL)
    tiny.write(tmp_path, params)
    assert checkpoints.origin(str(tmp_path), None) == "random weights (seed 3)"
    config = checkpoints.load(tmp_path, architecture).config
    assert (config.hidden_size, config.num_hidden_layers, config.conv_dim) == (16, 2, [8] * 7)
    assert np.prod(config.conv_stride) == 320
    if architecture != "data2vec_audio":
        assert config.feat_extract_norm == norm
        assert config.do_stable_layer_norm == (norm == "layer")
    (samples,) = waveforms(3200)
    states = outputs_of(whole_model(tmp_path), samples).last_hidden_state
    assert states.shape == (1, 9, 16)


def test_a_tiny_whisper_is_an_encoder_alone_and_says_that_it_is_random(tmp_path):
    tiny.write(tmp_path, TinyCheckpoint(architecture="whisper", seed=3, **SMALL))
    assert checkpoints.origin(str(tmp_path), None) == "random weights (seed 3)"
    config = checkpoints.load(tmp_path, "whisper").config
    assert (config.hidden_size, config.num_hidden_layers) == (16, 2)
    assert not [name for name in load_file(tmp_path / "model.safetensors") if "decoder" in name]
    (samples,) = waveforms(3200)
    assert outputs_of(whole_model(tmp_path), samples).last_hidden_state.shape == (1, 10, 16)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_layer_does_something(tmp_path, architecture):
    """At the scale that transformers draws, a narrow layer would hardly change its input."""
    tiny.write(tmp_path, TinyCheckpoint(architecture=architecture, **SMALL))
    states = outputs_of(whole_model(tmp_path), waveforms(16000)[0]).hidden_states
    for before, after in itertools.pairwise(states):
        assert (after - before).norm() > 0.3 * before.norm()


def test_the_preprocessing_is_that_of_the_published_kind(tmp_path):
    tiny.write(tmp_path, TinyCheckpoint(architecture="hubert", **SMALL))
    content = json.loads((tmp_path / "preprocessor_config.json").read_text())
    from transformers import Wav2Vec2FeatureExtractor

    extractor = Wav2Vec2FeatureExtractor.from_pretrained(tmp_path)
    assert extractor.do_normalize is content["do_normalize"] is True
    assert extractor.sampling_rate == 16000


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"num_heads": 3}, "hidden_size 64 must be a multiple of num_heads 3"),
        ({"hidden_size": 10, "num_heads": 5}, "and of 4"),
        ({"architecture": "bert"}, "architecture"),
        ({"norm": "batch"}, "norm"),
    ],
)
def test_settings_that_make_no_network_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        TinyCheckpoint(**{"architecture": "hubert", **bad})
