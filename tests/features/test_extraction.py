import dataclasses
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.data import audio
from ser.errors import AudioError
from ser.features import copies, extraction
from ser.features.extraction import AudioParams, Places
from ser.features.extractors import mfcc
from ser.features.store import FeatureStore
from tests import synthetic

ROOT = Path(__file__).parents[2]


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
        "places": Places(
            recordings=root,
            store=tmp_path / "features" / "mfcc",
            kept=tmp_path / "kept" / "mfcc",
            sounds=tmp_path / "sounds",
        ),
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


class OneAtATime:
    """An extractor as one on a GPU: no two threads may call it at once.

    Args:
        inner: What computes.
        all_read: Set when the last recording has been read; the first call waits for it.
    """

    is_thread_safe = False

    def __init__(self, inner, all_read):
        self.inner, self.all_read = inner, all_read
        self.num_bins, self.dtype, self.provenance = inner.num_bins, inner.dtype, inner.provenance
        self.threads = set()

    def __call__(self, waveform):
        assert self.all_read.wait(timeout=20), "what comes next is not read meanwhile"
        self.threads.add(threading.get_ident())
        return self.inner(waveform)


def test_one_thread_computes_on_a_gpu_and_others_read_what_comes_next(
    recordings, tmp_path, monkeypatch
):
    expected = contents(extract(recordings, tmp_path / "in threads"))
    monkeypatch.setattr(extraction.torch, "get_num_threads", lambda: 1)
    all_read, read, decode = threading.Event(), [], audio.read

    def reading(path, **options):
        samples = decode(path, **options)
        read.append(path.name)
        if len(read) == 2:
            all_read.set()
        return samples

    monkeypatch.setattr(extraction.audio, "read", reading)
    build = extraction.build_extractor
    built = []

    def building(*args, **options):
        built.append(OneAtATime(build(*args, **options), all_read))
        return built[-1]

    monkeypatch.setattr(extraction, "build_extractor", building)
    assert contents(extract(recordings, tmp_path / "ahead")) == expected
    assert len(built[0].threads) == 1
    assert threading.get_ident() not in built[0].threads


def test_each_recording_is_read_once_for_all_copies(recordings, tmp_path, monkeypatch):
    read, decode = [], audio.read
    monkeypatch.setattr(
        extraction.audio,
        "read",
        lambda path, **options: (read.append(path.name), decode(path, **options))[1],
    )
    params = mfcc.Params(copies=["clean", "noise_10db", "telephone", "speed_1.1"])
    extract(recordings, tmp_path, params=params)
    assert sorted(read) == ["a.wav", "b.wav"]
    # One copy more reads each once again, no copy more reads none.
    more = mfcc.Params(copies=[*params.copies, "gain_6db"])
    extract(recordings, tmp_path, params=more)
    assert sorted(read) == ["a.wav", "a.wav", "b.wav", "b.wav"]
    extract(recordings, tmp_path, params=params)
    assert len(read) == 4


def test_a_copy_more_leaves_the_bytes_of_the_others(recordings, tmp_path):
    few = mfcc.Params(copies=["clean", "noise_10db"])
    many = mfcc.Params(copies=["clean", "noise_10db", "reverb_0.3s"])
    before = contents(extract(recordings, tmp_path, params=few))
    grown = contents(extract(recordings, tmp_path, params=many))
    assert grown == contents(extract(recordings, tmp_path / "at once", params=many))
    assert {name: grown[name] for name in before} == before
    assert contents(extract(recordings, tmp_path, params=few)) == before


def test_a_killed_extraction_of_copies_ends_with_the_same_bytes(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction.store, "UTTERANCES_PER_SHARD", 1)
    params = mfcc.Params(copies=["clean", "noise_10db", "speed_1.1"])
    whole = contents(extract(recordings, tmp_path / "whole", params=params))
    changed, change_of = [], copies.change_of

    def dies(copy, sounds):
        changed.append(copy)
        if len(changed) == at:
            raise KeyboardInterrupt
        return change_of(copy, sounds)

    for at in range(1, 7):
        changed.clear()
        with monkeypatch.context() as patch:
            patch.setattr(extraction.copies, "change_of", dies)
            with pytest.raises(KeyboardInterrupt):
                extract(recordings, tmp_path / str(at), params=params)
        assert contents(extract(recordings, tmp_path / str(at), params=params)) == whole


@pytest.mark.system
def test_another_process_extracts_the_same_bytes(recordings, tmp_path):
    names = [
        *("clean", "babble_10db", "clip_6db", "gain_-6db", "mp3_32k", "noise_10db", "opus_16k"),
        *("pink_10db", "pitch_2st", "reverb_0.3s", "telephone", "trimmed"),
    ]
    root, utterances = recordings
    params = mfcc.Params(copies=names)
    here = contents(extract(recordings, tmp_path / "here", params=params))
    asked = {
        "utterances": [dataclasses.asdict(utterance) for utterance in utterances],
        "copies": names[::-1],
        "root": str(root),
        "folder": str(tmp_path / "there"),
    }
    subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, json.dumps(asked)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "5", "PYTHONPATH": str(ROOT)},
    )
    store = FeatureStore(tmp_path / "there" / "store")
    assert contents(store) == here


IN_ANOTHER_PROCESS = """
import json, sys
from pathlib import Path
from ser.features import extraction
from ser.features.extractors import mfcc
from ser.utterance import Utterance

asked = json.loads(sys.argv[1])
folder = Path(asked["folder"])
extraction.extract(
    [Utterance(**fields) for fields in asked["utterances"]],
    name="mfcc",
    params=mfcc.Params(copies=asked["copies"]),
    audio_params=extraction.AudioParams(),
    places=extraction.Places(
        recordings=Path(asked["root"]),
        store=folder / "store",
        kept=folder / "kept",
        sounds=folder / "sounds",
    ),
)
"""


@pytest.mark.parametrize(
    ("name", "counts", "counts_not"),
    [
        ("clean", "ser/data/audio.py", "ser/features/changes/noise.py"),
        ("clean", "ser/features/extractors/mfcc.py", "ser/features/copies.py"),
        ("noise_10db", "ser/features/changes/noise.py", "ser/features/changes/room.py"),
        ("noise_10db", "ser/features/copies.py", "ser/data/voices.py"),
        ("babble_10db", "ser/data/voices.py", "ser/features/changes/pace.py"),
        ("speed_0.9", "ser/data/hearing.py", "ser/features/extractors/logmel.py"),
    ],
)
def test_the_code_of_a_change_decides_its_copies_alone(name, counts, counts_not):
    sources = extraction._sources(name, "mfcc")
    assert counts in sources
    assert counts_not not in sources
