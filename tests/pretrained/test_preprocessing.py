import json
import logging
from dataclasses import replace

import pytest
from transformers import (
    AutoFeatureExtractor,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
)

from ser.errors import FileError, WeightsError
from ser.pretrained import preprocessing
from ser.pretrained.architectures import ARCHITECTURES
from ser.pretrained.preprocessing import Preprocessing

OLD, NEW = "preprocessor_config.json", "processor_config.json"


def write(folder, **contents):
    """Write the settings of `old`, and of `new` those of the key or all."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / {"old": OLD, "new": NEW}[name]).write_text(json.dumps(content))
    return folder


def read(folder, **words):
    return preprocessing.read(folder, "wav2vec2", **words)


def said(rate, normalised):
    return {
        "sampling_rate": rate,
        "do_normalize": normalised,
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    }


@pytest.fixture
def transformers5(tmp_path):
    """What transformers 5 writes for a model that also transcribes: one file for both."""
    (tmp_path / "vocab.json").write_text('{"<pad>": 0, "|": 1, "<unk>": 2, "<s>": 3, "</s>": 4}')
    processor = Wav2Vec2Processor(
        Wav2Vec2FeatureExtractor(sampling_rate=8000, do_normalize=False),
        Wav2Vec2CTCTokenizer(tmp_path / "vocab.json"),
    )
    processor.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_the_file_that_transformers_5_writes_is_read(transformers5):
    assert not (transformers5 / OLD).exists()
    assert read(transformers5) == Preprocessing(8000, False)
    assert preprocessing.settings(transformers5)[0] == NEW


@pytest.mark.parametrize(
    "contents",
    [
        {"old": said(8000, False)},
        {"new": {"feature_extractor": said(8000, False)}},
        {"new": {"audio_processor": said(8000, False)}},
        {"old": said(16000, True), "new": {"feature_extractor": said(8000, False)}},
        {"old": said(8000, False), "new": {"processor_class": "Wav2Vec2Processor"}},
        {"old": said(8000, False), "new": {"feature_extractor": None}},
        {"old": said(8000, False), "new": said(16000, True)},
    ],
)
def test_the_file_that_counts_is_the_one_that_transformers_reads(tmp_path, contents):
    folder = write(tmp_path, **contents)
    own = AutoFeatureExtractor.from_pretrained(folder)
    found = read(folder)
    assert found == Preprocessing(own.sampling_rate, own.do_normalize) == Preprocessing(8000, False)


def test_settings_at_the_top_of_the_new_file_count_where_there_is_no_other(tmp_path):
    write(tmp_path, new=said(8000, False))
    assert read(tmp_path) == Preprocessing(8000, False)
    assert preprocessing.settings(tmp_path)[0] == NEW


@pytest.mark.parametrize(
    ("contents", "lacks", "assumed"),
    [
        ({}, f"it has no {OLD} and no {NEW}", "sampling_rate 16000 and do_normalize true"),
        ({"new": {"processor_class": "x"}}, f"it has no {OLD} and no {NEW}", "do_normalize true"),
        ({"old": {}}, f"{OLD}: it does not say sampling_rate and do_normalize", "16000"),
        ({"old": {"sampling_rate": 16000}}, f"{OLD}: it does not say do_normalize", "true"),
        ({"new": {"feature_extractor": {"do_normalize": True}}}, f"{NEW}: it does not", "16000"),
    ],
)
def test_what_is_assumed_is_said_once(tmp_path, caplog, contents, lacks, assumed):
    write(tmp_path, **contents)
    for _ in range(2):
        assert read(tmp_path) == Preprocessing(16000, True)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert str(tmp_path) in message
    assert lacks in message
    assert f"default is assumed: {assumed}" in message or assumed in message
    assert "`normalise: true` or `normalise: false`" in message


def test_an_architecture_that_never_normalises_need_not_say_so(tmp_path, caplog, monkeypatch):
    facts = replace(ARCHITECTURES["wavlm"], is_normalised=False)
    monkeypatch.setattr(preprocessing, "ARCHITECTURES", {"wavlm": facts})
    write(tmp_path, old={"sampling_rate": 16000})
    assert preprocessing.read(tmp_path, "wavlm") == Preprocessing(16000, False)
    assert caplog.records == []
    assert preprocessing.read(tmp_path, "wavlm", normalise=True) == Preprocessing(16000, True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_defaults_are_those_of_transformers(tmp_path, architecture):
    content = {"model_type": ARCHITECTURES[architecture].model_type}
    (tmp_path / "config.json").write_text(json.dumps(content))
    write(tmp_path, old={})
    own = AutoFeatureExtractor.from_pretrained(tmp_path)
    expected = Preprocessing(own.sampling_rate, getattr(own, "do_normalize", False))
    assert preprocessing.read(tmp_path, architecture) == expected


def test_what_is_said_needs_no_warning(tmp_path, caplog):
    read(write(tmp_path / "old", old=said(16000, True)))
    read(write(tmp_path / "none"), normalise=False)
    assert caplog.records == []


@pytest.mark.parametrize("word", [True, False])
def test_the_params_overrule_the_checkpoint(tmp_path, word):
    folder = write(tmp_path, old=said(8000, not word))
    assert read(folder, normalise=word) == Preprocessing(8000, word)
    assert read(folder) == Preprocessing(8000, not word)
    nothing = write(tmp_path / "nothing")
    assert read(nothing, normalise=word) == Preprocessing(16000, word)


@pytest.mark.parametrize("rate", ["16k", None, 0, -1, 1.5, True])
def test_a_sampling_rate_that_is_none_is_refused(tmp_path, rate):
    write(tmp_path, old=said(rate, True))
    with pytest.raises(WeightsError, match=rf"{OLD}: sampling_rate is {rate!r}"):
        read(tmp_path)


def test_damaged_files_are_refused_by_name(tmp_path):
    (tmp_path / OLD).write_text("{")
    with pytest.raises(FileError, match=OLD):
        read(tmp_path)
    (tmp_path / NEW).write_text("version https://git-lfs.github.com/spec/v1\nsize 5\n")
    with pytest.raises(WeightsError, match=f"{NEW}: it is a Git LFS pointer"):
        read(tmp_path)
