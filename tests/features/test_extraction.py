import dataclasses

import numpy as np
import pytest
import soundfile

from ser.data import audio
from ser.errors import AudioError
from ser.features import copies, extraction
from ser.features.extraction import AudioParams
from ser.features.extractors import mfcc
from tests import synthetic


@pytest.fixture
def recordings(tmp_path):
    """Three utterances, one of them at another rate and in stereo, one without an emotion."""
    root = tmp_path / "corpus"
    (root / "wav").mkdir(parents=True)
    rng = np.random.default_rng(0)
    utterances = []
    for id_, rate, channels in (("a", 16000, 1), ("b", 8000, 2), ("c", 16000, 1)):
        samples = 0.1 * rng.normal(size=(rate // 2, channels))
        soundfile.write(root / "wav" / f"{id_}.wav", samples, rate)
        utterances.append(synthetic.utterance(id_, sampling_rate=rate))
    utterances[2] = dataclasses.replace(utterances[2], emotion=None)
    return root, utterances


def extract(recordings, tmp_path, **changes):
    root, utterances = recordings
    arguments = {
        "name": "mfcc",
        "params": mfcc.Params(hop_ms=10.0),
        "audio_params": AudioParams(),
        "root": root,
        "folder": tmp_path / "features" / "mfcc",
    }
    return extraction.extract(utterances, **{**arguments, **changes})


def test_every_utterance_of_the_study_is_extracted_at_the_common_rate(recordings, tmp_path):
    store = extract(recordings, tmp_path)
    assert len(store) == 2
    # Half a second at 16 kHz, whatever the file's own rate: 50 hops and the frame at zero.
    assert store.num_frames("a") == store.num_frames("b") == 51


def test_meta_says_what_made_the_frames(recordings, tmp_path):
    meta = extract(recordings, tmp_path).meta
    assert meta["extractor"] == "mfcc"
    assert meta["params"] == mfcc.Params(hop_ms=10.0).model_dump(mode="json")
    assert (meta["sampling_rate"], meta["dimension"]) == (16000, 39)


def test_a_recording_lost_since_the_manifest_was_made_stops_the_stage_by_name(recordings, tmp_path):
    root, _ = recordings
    (root / "wav" / "b.wav").unlink()
    with pytest.raises(AudioError, match=r"b\.wav"):
        extract(recordings, tmp_path)
    assert not (tmp_path / "features" / "mfcc").exists()


def contents(store):
    return {
        path.relative_to(store.folder).as_posix(): path.read_bytes()
        for path in store.folder.rglob("*")
        if path.is_file()
    }


def test_each_copy_is_extracted_from_its_own_change_of_the_waveform(recordings, tmp_path):
    params = mfcc.Params(copies=["clean", "speed_0.5", "noise_10db"])
    store = extract(recordings, tmp_path, params=params)
    assert store.copies == ("clean", "noise_10db", "speed_0.5")
    assert store.num_frames("a") == 51
    assert store.of_copy("speed_0.5").num_frames("a") == 101
    noisy = store.of_copy("noise_10db")
    assert noisy.num_frames("a") == 51
    assert np.abs(noisy["a"] - store["a"]).max() > 1.0
    root, (utterance, *_) = recordings
    waveform = audio.read(root / utterance.audio, sampling_rate=16000)
    fast = copies.change_of("speed_0.5")(waveform, 16000, np.random.default_rng(0))
    extractor = mfcc.build(params, sampling_rate=16000)
    np.testing.assert_array_equal(store.of_copy("speed_0.5")["a"], extractor(fast))


def test_copies_leave_clean_as_it_is_to_the_byte(recordings, tmp_path):
    plain = contents(extract(recordings, tmp_path))
    params = mfcc.Params(hop_ms=10.0, copies=["clean", "speed_0.9"])
    both = contents(extract(recordings, tmp_path, params=params))
    assert {name: both[name] for name in plain} == plain
    assert {name for name in both if name.startswith("copies/speed_0.9/")} == both.keys() - (
        plain.keys()
    )


def test_copies_depend_neither_on_the_order_of_work_nor_on_threads(
    recordings, tmp_path, monkeypatch
):
    root, utterances = recordings
    params = mfcc.Params(copies=["clean", "speed_1.1", "noise_10db"])
    first = contents(extract(recordings, tmp_path / "one", params=params))
    monkeypatch.setattr(extraction.torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(extraction.torch, "set_num_threads", lambda _: None)
    other = mfcc.Params(copies=["noise_10db", "speed_1.1", "clean"])
    again = extract((root, utterances[::-1]), tmp_path / "three", params=other)
    assert contents(again) == first
