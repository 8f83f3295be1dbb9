import json

import numpy as np

from pipelines import extract, prepare
from ser.data import audio
from ser.features.extractors import mfcc
from ser.features.store import FeatureStore


def extracted(run, feature="mfcc"):
    return run(extract.main, feature)


def prepared():
    assert prepare.main([]) == 0


def test_the_store_holds_what_the_extractor_says_of_every_utterance(workspace, stage):
    prepared()
    status, err = extracted(stage)
    assert status == 0, err
    store = FeatureStore(workspace / "data" / "features" / "mfcc")
    assert len(store) == 24
    assert store.num_bins == 39
    extractor = mfcc.build(mfcc.Params(hop_ms=20.0), sampling_rate=16000)
    waveform = audio.read(workspace / "data/raw/csv" / "s2m_happy_0.wav", sampling_rate=16000)
    np.testing.assert_array_equal(store["s2m_happy_0"], extractor(waveform))
    meta = json.loads((store.folder / "meta.json").read_text())
    assert meta["params"]["hop_ms"] == 20.0
    assert (meta["extractor"], meta["sampling_rate"]) == ("mfcc", 16000)
    assert [path.name for path in store.folder.parent.iterdir()] == ["mfcc"]


def test_utterances_outside_the_studys_emotions_are_not_extracted(workspace, stage, params):
    params("name: csv", "name: csv, emotions: [angry, sad]")
    prepared()
    assert extracted(stage)[0] == 0
    assert len(FeatureStore(workspace / "data" / "features" / "mfcc")) == 12


def test_a_recording_that_has_gone_since_is_named(workspace, fails):
    prepared()
    (workspace / "data/raw/csv" / "s1f_sad_0.wav").unlink()
    assert "s1f_sad_0.wav: missing" in extracted(fails)
    assert not (workspace / "data" / "features" / "mfcc").exists()


def test_an_unknown_feature_and_one_without_params_are_refused(workspace, fails, params):
    prepared()
    assert "no feature is named 'mfc'" in extracted(fails, "mfc")
    params("features: {mfcc: {hop_ms: 20.0}}", "features: {}")
    assert "the section features has no entry mfcc" in extracted(fails)


def test_wrong_params_of_the_feature_are_refused_with_their_path(workspace, fails, params):
    prepared()
    params("hop_ms: 20.0", "hop_ms: -1.0")
    assert "mfcc.hop_ms" in extracted(fails)


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(extract.main)[0] == 2
