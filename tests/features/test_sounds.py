import dataclasses

import numpy as np
import pytest
import soundfile

from ser.errors import AudioError, FileError, ParamsError
from ser.features import copies
from ser.features.sounds import CorpusSounds
from tests import synthetic
from tests.features.changes.voices import RATE, power_db, speech, tone

SPEAKERS = ("Ses01F", "Ses01M", "Ses02F", "Ses02M")


@pytest.fixture
def corpus(tmp_path):
    """Two sessions of two speakers: each speaks on a tone of its own, in three recordings."""
    utterances = []
    for number, speaker in enumerate(SPEAKERS):
        for take in range(3):
            id_ = f"{speaker}_{take}"
            utterances.append(
                synthetic.utterance(
                    id_, speaker=speaker, session=speaker[:5], emotion=None if take else "sad"
                )
            )
            path = tmp_path / "raw" / utterances[-1].audio
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.2 * tone(hz_of(number), 0.5 + 0.1 * take), RATE)
    return utterances


def hz_of(number):
    return 400.0 + 300.0 * number


@pytest.fixture
def sounds_of(tmp_path, corpus):
    def make(**changes):
        arguments = {
            "root": tmp_path / "raw",
            "folder": tmp_path / "sounds",
            "noise_folder": "office",
            "sampling_rate": RATE,
        }
        return CorpusSounds(changes.pop("utterances", corpus), **{**arguments, **changes})

    return make


def write(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="FLOAT")


def changed(copy, utterance, sounds, waveform):
    change = copies.change_of(copy, sounds.beside(utterance))
    return change(waveform, RATE, copies.rng_of(utterance, copy))


def heard_hz(noise):
    """The tones of the corpus that are heard."""
    spectrum = np.abs(np.fft.rfft(noise * np.hanning(len(noise))))
    at = [round(hz_of(number) * len(noise) / RATE) for number in range(len(SPEAKERS))]
    return {SPEAKERS[n] for n, k in enumerate(at) if spectrum[k - 3 : k + 4].max() > 50}


@pytest.mark.parametrize("snr_db", [0, 12.5])
def test_a_babble_has_its_snr_and_the_voices_of_the_session_alone(corpus, sounds_of, snr_db):
    waveform = speech()
    for utterance in corpus:
        found = changed(f"babble_{snr_db}db", utterance, sounds_of(), waveform)
        babble = found.astype(np.float64) - waveform
        assert power_db(waveform) - power_db(babble) == pytest.approx(snr_db, abs=0.01)
        (other,) = {u.speaker for u in corpus if u.session == utterance.session} - {
            utterance.speaker
        }
        assert heard_hz(babble / np.std(babble)) == {other}


def test_a_babble_does_not_depend_on_what_was_heard_before(corpus, sounds_of):
    one, other = sounds_of(), sounds_of(utterances=corpus[::-1])
    found = [changed("babble_5db", u, one, speech()) for u in corpus]
    again = [changed("babble_5db", u, other, speech()) for u in corpus[::-1]]
    for first, second in zip(found, again[::-1], strict=True):
        np.testing.assert_array_equal(first, second)
    assert np.abs(found[0] - found[1]).max() > 1e-3


@pytest.mark.parametrize("duration_s", [0.2, 7.0])
def test_noise_of_a_file_has_its_snr_whether_it_is_shorter_or_longer(
    tmp_path, corpus, sounds_of, duration_s
):
    write(tmp_path / "sounds" / "office" / "fan.wav", 0.1 * tone(1000.0, duration_s, 44100), 44100)
    noise = changed("noisefile_10db", corpus[0], sounds_of(), speech()) - speech()
    assert power_db(speech()) - power_db(noise) == pytest.approx(10, abs=0.01)
    spectrum = np.abs(np.fft.rfft(noise))
    assert spectrum.argmax() * RATE / len(noise) == pytest.approx(1000, abs=2)


def test_noises_are_drawn_from_all_files_of_the_folder(tmp_path, corpus, sounds_of):
    for name, hz in (("a.wav", 1000.0), ("deeper/b.FLAC", 3000.0)):
        path = tmp_path / "sounds" / "office" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * tone(hz), RATE, format=path.suffix[1:].upper())
    (tmp_path / "sounds" / "office" / "LICENCE").write_text("free")
    found = set()
    for utterance in corpus:
        noise = changed("noisefile_0db", utterance, sounds_of(), speech()) - speech()
        found.add(round(np.abs(np.fft.rfft(noise)).argmax() * RATE / len(noise), -2))
    assert found == {1000.0, 3000.0}


def test_a_measured_room_is_its_impulse_response_from_the_direct_sound_on(
    tmp_path, corpus, sounds_of
):
    response = np.zeros(3000)
    response[[700, 1500, 2200]] = [0.5, -0.2, 0.1]  # 700 samples before the sound arrives
    write(tmp_path / "sounds" / "hall" / "seat.wav", response)
    waveform = speech()
    found = changed("rir_hall", corpus[0], sounds_of(), waveform)
    expected = np.convolve(waveform.astype(np.float64), response[700:])[: len(waveform)]
    expected *= np.sqrt(np.mean(waveform.astype(np.float64) ** 2) / np.mean(expected**2))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_is_not_there_is_said_by_name_with_the_cure(tmp_path, sounds_of):
    with pytest.raises(ParamsError, match=r"audio\.noise_folder is null, .*put them into a folder"):
        sounds_of(noise_folder=None).heard_in("noisefile_10db")
    for name, folder in (("noisefile_10db", "office"), ("rir_hall", "hall")):
        with pytest.raises(FileError, match=rf"sounds/{folder}: no such folder, or none of its"):
            sounds_of().heard_in(name)
    (tmp_path / "sounds" / "hall").mkdir(parents=True)
    (tmp_path / "sounds" / "hall" / "README.md").write_text("empty")
    with pytest.raises(FileError, match=r"sound \(\.flac, \.mp3, \.ogg, \.wav\); copy some there"):
        sounds_of().heard_in("rir_hall")


def test_a_silent_file_is_refused(tmp_path, corpus, sounds_of):
    write(tmp_path / "sounds" / "office" / "nothing.wav", np.zeros(100))
    with pytest.raises(AudioError, match=r"nothing\.wav: digital silence.*remove it"):
        changed("noisefile_10db", corpus[0], sounds_of(), speech())


def test_the_digest_is_of_what_can_be_heard(tmp_path, corpus, sounds_of):
    def digests(**changes):
        names = ("babble_10db", "noisefile_10db", "rir_hall")
        return [sounds_of(**changes).heard_in(copy)["sha256"] for copy in names]

    office, hall = (tmp_path / "sounds" / name / "a.wav" for name in ("office", "hall"))
    write(office, 0.1 * tone(500.0))
    write(hall, 0.1 * tone(600.0))
    first = digests()
    assert digests(utterances=corpus[::-1]) == first
    write(office, 0.1 * tone(501.0))
    other = [dataclasses.replace(corpus[0], sha256="e" * 64), *corpus[1:]]
    changed_all = digests(utterances=other)
    assert [a == b for a, b in zip(first, changed_all, strict=True)] == [False, False, True]
    assert {sounds_of().heard_in(copy) for copy in ("clean", "noise_10db")} == {None}


@pytest.mark.parametrize("copy", ["babble_10db", "noisefile_10db", "rir_hall"])
def test_without_other_sounds_such_a_change_is_refused_when_it_is_applied(copy):
    change = copies.change_of(copy)
    with pytest.raises(ValueError, match="hears other recordings, and there are none here"):
        change(speech(), RATE, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["rir_../../etc", "rir_a/b", "rir_.hidden", "rir_"])
def test_a_folder_outside_of_the_sounds_is_no_name_of_a_copy(name):
    with pytest.raises(ValueError, match=r"expected the name of a folder|no copy is named"):
        copies.change_of(name)
