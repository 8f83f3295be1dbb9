"""The path to openSMILE is tested with a stub, and with the package where it is installed.

The package is no part of `make setup`: who installs it accepts its licence
(docs/decisions/0019-functionals.md). Whether it is there is asked of its files, so that a package
that is there and cannot be imported fails here.
"""

import importlib.util
import math
import sys
from typing import get_args

import numpy as np
import pytest
import soundfile
import soxr

from ser.baselines import functionals
from ser.baselines.functionals import SETS
from ser.baselines.params import FunctionalSetName
from ser.data import audio
from ser.errors import AudioError, StaleFeaturesError, TrainingError
from tests import synthetic
from tests.baselines import opensmile_stub
from tests.baselines.opensmile_stub import Smile

RATE = 16000

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("opensmile") is None,
    reason="opensmile is not installed: pip install -c constraints.txt -e '.[dev,opensmile]'",
)
each_set = pytest.mark.parametrize("name", SETS)


@pytest.fixture(params=["stub", pytest.param("package", marks=needs_package)])
def opensmile(request, monkeypatch):
    """What stands for the package: the stub, and where it is installed the package."""
    if request.param == "stub":
        return opensmile_stub.put_in_place(monkeypatch)
    return importlib.import_module("opensmile")


@pytest.fixture
def stub(monkeypatch):
    return opensmile_stub.put_in_place(monkeypatch)


def voice(duration_s, *, rate=RATE, seed=0):
    """A buzz that fades under a little noise, full of 16-bit steps."""
    time = np.arange(round(duration_s * rate)) / rate
    rng = np.random.default_rng(seed)
    buzz = sum(np.sin(2 * np.pi * (120 + 40 * seed) * k * time) / k for k in range(1, 6))
    samples = 0.2 * buzz * np.exp(-time) + 0.01 * rng.normal(size=len(time))
    return (np.round(32768 * samples) / 32768).astype(np.float32)


def own_call(opensmile, name, waveform, rate=RATE):
    """What openSMILE says by itself `(num_functionals,)`."""
    smile = opensmile.Smile(
        feature_set=getattr(opensmile.FeatureSet, SETS[name].name),
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    return smile(waveform, rate).reshape(-1)


@pytest.fixture
def recorded(tmp_path):
    """Three recordings, listed out of order; the second is of another rate, in stereo."""
    folder = tmp_path / "corpus"
    (folder / "wav").mkdir(parents=True)
    waveforms = {"c": voice(0.4), "a": voice(0.3, rate=44100, seed=1), "b": voice(0.5, seed=2)}
    for id_, waveform in waveforms.items():
        rate = 44100 if id_ == "a" else RATE
        samples = np.stack([waveform, waveform], axis=1) if id_ == "a" else waveform
        soundfile.write(folder / "wav" / f"{id_}.wav", samples, rate, subtype="PCM_16")
    return [synthetic.utterance(id_) for id_ in waveforms], waveforms


def extracted(tmp_path, utterances, name="egemaps", *, sampling_rate=RATE):
    return functionals.extract(
        utterances,
        name,
        corpus=tmp_path / "corpus",
        sampling_rate=sampling_rate,
        folder=tmp_path / "kept" / name,
    )


# ---------------------------------------------------------------- what openSMILE says


@each_set
def test_they_are_those_of_opensmiles_own_call(opensmile, name):
    waveform = voice(0.4)
    found = functionals.extractor(name, sampling_rate=RATE)(waveform)
    assert found.dtype == np.float32
    assert found.shape == (SETS[name].num_functionals,)
    assert np.array_equal(found, own_call(opensmile, name, waveform))


@needs_package
@each_set
def test_they_are_those_of_the_file_as_opensmile_reads_it(name, tmp_path):
    import opensmile

    soundfile.write(tmp_path / "a.wav", voice(0.4), RATE, subtype="PCM_16")
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[SETS[name].name],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    expected = smile.process_file(tmp_path / "a.wav").to_numpy()[0]
    waveform = audio.read(tmp_path / "a.wav", sampling_rate=RATE)
    found = functionals.extractor(name, sampling_rate=RATE)(waveform)
    assert np.array_equal(found, expected)
    assert len(smile.feature_names) == SETS[name].num_functionals
    assert np.unique(found).size > 40  # no table of zeros


@each_set
@pytest.mark.parametrize("rate", [RATE, 11025])
def test_what_is_shorter_than_60_ms_is_filled_up_with_silence(opensmile, name, rate):
    needed = math.ceil(0.06 * rate)
    extractor = functionals.extractor(name, sampling_rate=rate)
    for num_samples in (1, needed - 1, needed):
        waveform = voice(0.1, rate=rate)[:num_samples]
        found = extractor(waveform)
        filled = np.concatenate([waveform, np.zeros(needed - num_samples, dtype=np.float32)])
        assert np.isfinite(found).all()
        assert np.array_equal(found, own_call(opensmile, name, filled, rate))
    with pytest.warns(UserWarning, match="too short"):
        assert np.isnan(own_call(opensmile, name, waveform[: needed - 1], rate)).all()


def test_samples_beyond_16_bits_are_clipped_and_do_not_wrap(opensmile):
    waveform = voice(0.2)
    waveform[1600:1610] = 1.3, 1.0, -1.0, -1.2, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0
    clipped = np.clip(waveform, -1.0, 32767 / 32768)
    found = functionals.extractor("egemaps", sampling_rate=RATE)(waveform)
    assert np.array_equal(found, own_call(opensmile, "egemaps", clipped))
    assert not np.array_equal(found, own_call(opensmile, "egemaps", np.clip(waveform, -1, 1)))
    assert waveform.max() == np.float32(1.3)


def test_the_sets_are_those_of_the_params():
    assert tuple(SETS) == get_args(FunctionalSetName)


# ---------------------------------------------------------------- of a corpus


@each_set
def test_a_corpus_is_heard_at_one_rate_and_answered_in_its_order(
    opensmile, name, recorded, tmp_path
):
    utterances, waveforms = recorded
    found = extracted(tmp_path, utterances, name)
    assert list(found) == ["c", "a", "b"]
    for id_, waveform in waveforms.items():
        heard = soxr.resample(waveform, 44100, RATE, quality="HQ") if id_ == "a" else waveform
        expected = own_call(opensmile, name, heard)
        assert found[id_].dtype == np.float64
        assert np.array_equal(found[id_], expected), id_


def test_they_are_computed_once(stub, recorded, tmp_path):
    utterances, _ = recorded
    first = extracted(tmp_path, utterances)
    assert len(Smile.heard) == 3
    again = extracted(tmp_path, list(reversed(utterances)))
    assert len(Smile.heard) == 3
    assert list(again) == ["b", "a", "c"]
    assert all(np.array_equal(first[id_], again[id_]) for id_ in first)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["egemaps"]


@pytest.mark.parametrize("change", ["rate", "recording", "utterances", "version", "code", "damage"])
def test_whatever_decides_them_makes_them_anew(stub, recorded, tmp_path, monkeypatch, change):
    utterances, _ = recorded
    extracted(tmp_path, utterances)
    rate = RATE
    if change == "rate":
        rate = 8000
    elif change == "recording":
        soundfile.write(tmp_path / "corpus" / "wav" / "b.wav", voice(0.2, seed=9), RATE)
        utterances[2] = synthetic.utterance("b", sha256="0" * 64)
    elif change == "utterances":
        utterances = utterances[:2]
    elif change == "version":
        monkeypatch.setattr(functionals.lineage, "package_versions", lambda _: {"opensmile": "9"})
    elif change == "code":
        monkeypatch.setattr(functionals.lineage, "sha256_file", lambda _: "other")
    else:
        next((tmp_path / "kept" / "egemaps").glob("shard-*.npy")).write_bytes(b"damaged")
    found = extracted(tmp_path, utterances, sampling_rate=rate)
    assert len(Smile.heard) == 3 + len(utterances)
    assert {heard[1] for heard in Smile.heard[3:]} == {rate}
    if change == "recording":
        assert found["b"][0] == 0.2 * RATE


def test_a_recording_without_a_finite_answer_is_named(stub, recorded, tmp_path, monkeypatch):
    utterances, _ = recorded
    monkeypatch.setattr(Smile, "__call__", lambda *_: np.full((1, 88, 1), np.nan))
    with pytest.raises(StaleFeaturesError, match="'a': its features are not finite"):
        extracted(tmp_path, utterances)


def test_a_recording_that_has_gone_is_named(stub, recorded, tmp_path):
    utterances, _ = recorded
    (tmp_path / "corpus" / "wav" / "a.wav").unlink()
    with pytest.raises(AudioError, match=r"a\.wav: missing"):
        extracted(tmp_path, utterances)


# ---------------------------------------------------------------- whether it is there


def test_what_is_installed_is_known_by_its_version(monkeypatch):
    monkeypatch.setattr(functionals.lineage, "package_versions", lambda _: {"opensmile": "2.6.0"})
    assert functionals.installed() == "2.6.0"
    monkeypatch.setattr(functionals.lineage, "package_versions", lambda _: {"opensmile": "none"})
    assert functionals.installed() is None


@needs_package
def test_the_installed_version_is_the_pinned_one(project):
    pins = (project / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"opensmile=={functionals.installed()}" in pins


@pytest.mark.parametrize("failure", [None, "OSError('another machine')", "RuntimeError('boom')"])
def test_a_package_that_cannot_be_imported_is_said_with_the_cure(monkeypatch, tmp_path, failure):
    if failure is None:
        monkeypatch.setitem(sys.modules, "opensmile", None)  # as if its import failed
    else:
        monkeypatch.delitem(sys.modules, "opensmile", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "opensmile.py").write_text(f"raise {failure}\n")
    with pytest.raises(TrainingError, match="cannot be imported") as refused:
        functionals.extractor("egemaps", sampling_rate=RATE)
    assert "pip install -c constraints.txt -e '.[opensmile]'" in str(refused.value)
    assert "functionals: []" in str(refused.value)
