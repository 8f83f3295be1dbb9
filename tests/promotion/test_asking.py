import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.data import audio, manifest
from ser.errors import RegistryError
from ser.features import copies
from ser.project import Project
from ser.promotion import answering_process, asking
from ser.promotion.asking import Question, Recordings
from ser.tracking import store
from tests.promotion.support import known_version

EMOTIONS = ("angry", "happy", "neutral", "sad")


def answer(emotion, seconds=0.1, shift=0.0):
    values = {name: (0.7 if name == emotion else 0.1) + shift for name in EMOTIONS}
    shares = {f"uncalibrated_{name}": value for name, value in values.items()}
    return {"emotion": emotion, "seconds": seconds, **shares}


def tracked(*emotions):
    rows = [
        {
            "utterance_id": f"u{number}",
            **{f"probability_{name}": 0.7 if name == e else 0.1 for name in EMOTIONS},
        }
        for number, e in enumerate(emotions)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def utterances(trained):
    return manifest.read(Project().manifest)


@pytest.fixture
def recordings(trained, tmp_path):
    return Recordings(Project().raw("csv"), tmp_path, 16000)


def test_all_are_asked_as_they_are_and_some_changed(utterances, recordings):
    some = {utterances[0].id, utterances[2].id}
    asked = asking.questions(utterances[:4], some, ["gain_-6db", "trimmed"], recordings)
    assert [(q.utterance_id, q.change) for q in asked] == [
        (utterance.id, change)
        for utterance in utterances[:4]
        for change in ("clean", *(("gain_-6db", "trimmed") if utterance.id in some else ()))
    ]
    assert len({question.path for question in asked}) == len(asked)
    assert all(q.duration_s == pytest.approx(0.75) for q in asked)


def test_of_a_part_of_a_recording_that_part_is_asked(utterances, recordings, tmp_path):
    whole = utterances[0]
    part = dataclasses.replace(whole, start_s=0.25, end_s=0.5)
    clean, changed = asking.questions([part], {part.id}, ["gain_-6db"], recordings)
    heard = audio.read(recordings.root / whole.audio, sampling_rate=16000)[4000:8000]
    np.testing.assert_array_equal(soundfile.read(clean.path, dtype="float32")[0], heard)
    assert soundfile.info(changed.path).frames == 4000


def test_what_is_larger_than_a_request_s_file_is_asked_by_its_samples(utterances, recordings):
    whole = utterances[0]
    size = (recordings.root / whole.audio).stat().st_size
    part = dataclasses.replace(whole, id="part", start_s=0.0, end_s=0.5)
    few = dataclasses.replace(recordings, max_bytes=size - 1)
    asked = asking.questions([whole, part], {part.id}, ["gain_-6db"], few)
    assert [question.sampling_rate for question in asked] == [16000] * 3
    heard = audio.read(recordings.root / whole.audio, sampling_rate=16000)
    for question, expected in zip(asked, (heard, heard[:8000], heard[:8000] / 2), strict=True):
        np.testing.assert_allclose(np.load(question.path), expected, rtol=0.01)
    assert [q.sampling_rate for q in asking.questions([whole], (), (), recordings)] == [None]


def test_samples_are_answered_as_their_recording_is(utterances, recordings):
    few = dataclasses.replace(recordings, max_bytes=2000)
    asked = [who.question(utterances[0], "clean") for who in (recordings, few)]
    assert [question.sampling_rate for question in asked] == [None, 16000]
    version = known_version("lstm-aam")
    uri = f"models:/{version.name}/{version.number}"
    file, samples = asking.ask(uri, asked, tracking_uri=store.default_uri(Path()))
    assert {**file, "seconds": 0.0} == {**samples, "seconds": 0.0}


def test_what_is_asked_is_the_recording_and_its_copy(utterances, recordings):
    utterance, rate = utterances[0], recordings.sampling_rate
    clean, noisy = asking.questions([utterance], {utterance.id}, ["noise_20db"], recordings)
    waveform = audio.read(clean.path, sampling_rate=rate)
    assert clean.path == recordings.root / utterance.audio
    rng = copies.rng_of(utterance, "noise_20db")
    expected = copies.change_of("noise_20db")(waveform, rate, rng)
    assert np.array_equal(audio.read(noisy.path, sampling_rate=rate), expected)
    assert soundfile.info(noisy.path).samplerate == rate


def test_a_recording_is_changed_at_the_rate_of_the_model(utterances, recordings):
    slow = dataclasses.replace(recordings, sampling_rate=8000)
    _, quieter = asking.questions(utterances[:1], {utterances[0].id}, ["gain_-6db"], slow)
    assert soundfile.info(quieter.path).samplerate == 8000


def test_differences_and_times_are_told_apart():
    asked = [
        Question("u0", "clean", Path(), 1.0),
        Question("u0", "gain_-6db", Path(), 1.0),
        Question("u1", "clean", Path(), 2.0),
        Question("u1", "gain_-6db", Path(), 2.0),
    ]
    answers = [
        answer("angry"),
        answer("sad"),
        answer("sad", seconds=0.4, shift=0.001),
        answer("sad", seconds=0.6),
    ]
    served = asking.compare(asked, answers, tracked("angry", "sad"))
    assert served.num_utterances == 2
    assert served.difference == pytest.approx(np.log(0.101 / 0.1))
    assert served.real_time_factor == pytest.approx(np.median([0.1, 0.1, 0.2, 0.3]))


def test_a_rare_emotion_that_became_rarer_is_a_difference():
    was = tracked("angry").assign(probability_angry=0.8 - 1e-9, probability_sad=1e-9)
    (said,) = was.rename(columns=lambda name: name.replace("probability", "uncalibrated")).to_dict(
        "records"
    )
    said |= {"emotion": "angry", "seconds": 0.1, "uncalibrated_sad": 1e-10}
    served = asking.compare([Question("u0", "clean", Path(), 1.0)], [said], was)
    assert served.difference == pytest.approx(np.log(10))


def test_a_model_is_asked_in_a_process_of_its_own(utterances, recordings):
    version = known_version("lstm-aam")
    asked = asking.questions(utterances[:2], {utterances[0].id}, ["telephone"], recordings)
    uri = f"models:/{version.name}/{version.number}"
    answers = asking.ask(uri, asked, tracking_uri=store.default_uri(Path()))
    assert len(answers) == len(asked)
    assert {found["emotion"] for found in answers} <= set(EMOTIONS)
    assert all(found["seconds"] > 0 for found in answers)


def test_a_model_that_cannot_be_loaded_says_why(trained, warm):
    with pytest.raises(RegistryError, match=r"none/9 cannot be served: .*none"):
        asking.ask("models:/none/9", [], tracking_uri=store.default_uri(Path()))


def test_the_process_imports_nothing_of_this_copy_of_the_package():
    text = Path(answering_process.__file__).read_text()
    lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert not [line for line in lines if " ser" in line]
