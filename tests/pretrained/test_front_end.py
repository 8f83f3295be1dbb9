import json

import pytest
from transformers import WhisperFeatureExtractor

from ser import components
from ser.errors import WeightsError
from ser.pretrained import front_end, tiny, whisper
from ser.pretrained.tiny import TinyCheckpoint

OLD, NEW = "preprocessor_config.json", "processor_config.json"
OTHERS = {"sampling_rate": 8000, "n_fft": 512, "hop_length": 80, "chunk_length": 20}


@pytest.fixture
def folder(tmp_path):
    """A tiny checkpoint, whose settings say only the rate."""
    sizes = {"hidden_size": 16, "num_layers": 2}
    tiny.write(tmp_path, TinyCheckpoint(architecture="whisper", **sizes))
    return tmp_path


def say(folder, name=OLD, **settings):
    (folder / name).write_text(json.dumps(settings))


def test_what_is_expected_is_what_is_computed():
    computed = {
        "sampling_rate": whisper.SAMPLING_RATE,
        "n_fft": whisper.WINDOW,
        "hop_length": whisper.HOP,
        "chunk_length": whisper.CHUNK_S,
    }
    assert {"whisper": computed} == front_end.COMPUTED


def test_what_is_expected_is_the_default_of_the_published_feature_extractor():
    published = WhisperFeatureExtractor()
    for name, value in front_end.COMPUTED["whisper"].items():
        assert getattr(published, name) == value


def test_a_checkpoint_that_says_all_or_nothing_of_it_is_accepted(folder):
    front_end.require(folder, "whisper")
    say(folder, **front_end.COMPUTED["whisper"])
    front_end.require(folder, "whisper")
    (folder / OLD).unlink()
    front_end.require(folder, "whisper")


@pytest.mark.parametrize(("name", "value"), OTHERS.items())
def test_each_other_setting_is_refused_with_file_value_and_rule(folder, name, value):
    say(folder, **{**front_end.COMPUTED["whisper"], name: value})
    rule = front_end.COMPUTED["whisper"][name]
    with pytest.raises(WeightsError, match=rf"{OLD}: {name} is {value}; expected {name} {rule},"):
        front_end.require(folder, "whisper")


def test_all_that_differs_is_named_at_once_from_the_file_that_counts(folder):
    say(folder, NEW, feature_extractor=OTHERS)
    said = "sampling_rate is 8000, n_fft is 512, hop_length is 80, chunk_length is 20"
    with pytest.raises(WeightsError, match=f"{NEW}: {said}; expected sampling_rate 16000, n_fft"):
        front_end.require(folder, "whisper")


def test_an_architecture_that_hears_the_waveform_may_say_what_it_likes(folder):
    say(folder, **OTHERS)
    front_end.require(folder, "wav2vec2")


@pytest.mark.parametrize("function", ["build", "inspect_weights"])
def test_the_feature_and_the_doctor_refuse_it(folder, function):
    feature = components.load(components.EXTRACTORS, "whisper")
    params, ask = feature.Params(checkpoint=str(folder), freeze=1), getattr(feature, function)
    ask(params, sampling_rate=16000)
    say(folder, sampling_rate=16000, hop_length=80)
    with pytest.raises(WeightsError, match="hop_length is 80; expected hop_length 160"):
        ask(params, sampling_rate=16000)
