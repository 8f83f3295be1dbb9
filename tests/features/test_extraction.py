import dataclasses

import numpy as np
import pytest
import soundfile

from ser.errors import AudioError
from ser.features import extraction
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
