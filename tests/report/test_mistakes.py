"""What the page shows of the surest mistakes, and that no recording slips into it unasked."""

import base64
import hashlib
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from ser.data import audio
from ser.data.limits import WIDEST
from ser.evaluation.mistakes import Mistake, SurestMistakes
from ser.report import mistakes
from ser.report import page as pages
from ser.utterance import Segment
from tests import synthetic
from tests.report.support import make_report, section

RATE = 16000


def write(folder, id_, *, num_channels=1, rate=RATE, seconds=0.2):
    """The mistake on a recording of noise, and its samples, the loudest ones among them."""
    rng = np.random.default_rng([ord(letter) for letter in id_])
    shape = (int(seconds * rate), num_channels)
    samples = rng.integers(-(2**15), 2**15, size=shape).astype(np.int16)
    samples[:2] = [[-(2**15)], [2**15 - 1]]
    path = folder / f"wav/{id_}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return mistake(id_, path.read_bytes(), len(samples), rate), samples


def mistake(id_, content, num_samples, rate=RATE, **changes):
    utterance = synthetic.utterance(
        id_,
        sha256=hashlib.sha256(content).hexdigest(),
        num_samples=num_samples,
        sampling_rate=rate,
        duration_s=num_samples / rate,
        **changes,
    )
    return Mistake(utterance, "sad", "angry", 0.876, 0.0543)


def found(*made, num_seeds=1):
    return SurestMistakes(tuple(made), len(made), 40, num_seeds)


def decoded(address):
    """Samples, rate, format and subtype of what a player is given."""
    head, content = address.split(",")
    assert head == "data:audio/flac;base64"
    with soundfile.SoundFile(io.BytesIO(base64.b64decode(content))) as file:
        form = (file.samplerate, file.format, file.subtype)
        return file.read(dtype="int16", always_2d=True), form


def render(tmp_path, shown, **changes):
    return pages.render(replace(make_report(tmp_path, **changes), mistakes=shown))


def rows_of(page):
    """Id of a mistake -> what stands under it, as HTML."""
    start = page.index('id="mistakes"')
    bodies = page[start : page.index("</table>", start)].split("<tbody>")[1:]
    return {re.search("<td>([^<]*)</td>", body)[1]: body for body in bodies}


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_samples_of_16_bit_are_kept_number_by_number_at_their_rate(tmp_path, rate):
    made, samples = write(tmp_path, "a", rate=rate)
    (one,) = mistakes.section("lstm-aam", found(made), tmp_path).heard
    heard, form = decoded(one.sound)
    assert form == (rate, "FLAC", "PCM_16")
    np.testing.assert_array_equal(heard, samples)


def test_two_channels_are_heard_as_one_as_the_models_hear_them(tmp_path):
    made, samples = write(tmp_path, "a", num_channels=2)
    (one,) = mistakes.section("lstm-aam", found(made), tmp_path).heard
    heard, _ = decoded(one.sound)
    np.testing.assert_allclose(heard[:, 0], samples.mean(axis=1), atol=0.5)


def test_what_is_louder_than_16_bit_can_say_is_cut_and_does_not_wrap_around(tmp_path):
    path = tmp_path / "wav/a.wav"
    path.parent.mkdir()
    soundfile.write(path, np.array([1.5, -1.5, 0.25] * 1000), RATE, subtype="FLOAT")
    made = mistake("a", path.read_bytes(), 3000)
    (one,) = mistakes.section("lstm-aam", found(made), tmp_path).heard
    assert decoded(one.sound)[0][:3, 0].tolist() == [2**15 - 1, -(2**15), 2**13]


def spoilt(tmp_path, how):
    made, _ = write(tmp_path, "a")
    path = tmp_path / made.utterance.audio
    if how == "gone":
        path.unlink()
    elif how == "replaced":
        path.write_bytes((tmp_path / write(tmp_path, "b")[0].utterance.audio).read_bytes())
    elif how == "damaged":
        path.write_bytes(b"RIFF of nothing")
        made = mistake("a", path.read_bytes(), 3200)
    elif how == "long":
        made = write(tmp_path, "a", rate=8000, seconds=mistakes.MAX_DURATION_S + 0.01)[0]
    return made


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("gone", "not on this disk"),
        ("replaced", "not the recording of the manifest"),
        ("damaged", "cannot be read"),
        ("long", "longer than 20 s"),
    ],
)
def test_what_cannot_be_heard_stands_in_the_table_with_the_reason_and_the_cure(tmp_path, how, why):
    good, _ = write(tmp_path, "good")
    shown = mistakes.section("lstm-aam", found(spoilt(tmp_path, how), good), tmp_path)
    assert [(one.sound is None, one.silence) for one in shown.heard] == [(True, why), (False, "")]
    page = render(tmp_path, shown)
    rows = rows_of(page)
    assert f"No sound here: {why}." in rows["a"]
    assert "<code>wav/a.wav</code>" in rows["a"]
    assert page.count("<audio") == rows["good"].count("<audio") == 1
    assert "<code>.venv/bin/ser doctor</code>" in page
    assert "<code>make repro</code> makes the page again" in page


def test_a_recording_of_just_the_longest_length_is_heard(tmp_path):
    made, _ = write(tmp_path, "a", rate=8000, seconds=mistakes.MAX_DURATION_S)
    assert mistakes.section("lstm-aam", found(made), tmp_path).heard[0].sound


def test_the_page_shows_what_was_taken_for_what(tmp_path):
    made, _ = write(tmp_path, "a")
    other = write(tmp_path, "b")[0]
    speaks = replace(other.utterance, text="Is <this> it?", speaker="<x>")
    shown = mistakes.section("lstm-aam", found(made, replace(other, utterance=speaks)), tmp_path)
    page = render(tmp_path, shown)
    text = section(page, "mistakes")
    assert "The best cell, lstm-aam , takes 2 of 40 tested utterances" in text
    assert "a Ses01F sad angry 87.6 5.4 0.20" in text
    assert "“words of a”" in text
    rows = rows_of(page)
    assert list(rows) == ["a", "b"]
    assert "“Is &lt;this&gt; it?”" in rows["b"]
    assert "&lt;x&gt;" in rows["b"]
    assert 'href="#mistakes"' in page
    assert "No sound" not in text
    assert "ser doctor" not in text
    assert "seeds" not in text


def test_an_utterance_without_words_has_none(tmp_path):
    made, _ = write(tmp_path, "a")
    silent = replace(made, utterance=replace(made.utterance, text=None))
    page = render(tmp_path, mistakes.section("lstm-aam", found(silent), tmp_path))
    assert "“" not in section(page, "mistakes")


def test_how_they_are_ranked_is_said(tmp_path):
    made, _ = write(tmp_path, "a")
    shown = mistakes.section("lstm-aam", found(made, num_seeds=3), None)
    text = section(render(tmp_path, shown), "mistakes")
    assert "the highest probability for the wrong emotion comes first" in text
    assert "averaged over 3 seeds" in text
    assert "They stand in order of how sure it is" in text
    many = replace(shown, found=replace(shown.found, num_mistakes=17))
    text = section(render(tmp_path, many), "mistakes")
    assert "takes 17 of 40" in text
    assert "These are the 1 of them that it is surest of" in text


def test_a_cell_without_a_mistake_is_a_sentence_and_no_table(tmp_path):
    shown = mistakes.section("lstm-aam", SurestMistakes((), 0, 40, 1), tmp_path)
    page = render(tmp_path, shown)
    assert "takes none of the 40 tested utterances" in section(page, "mistakes")
    assert "<audio" not in page


def test_recordings_that_must_not_be_passed_on_are_never_opened(tmp_path, monkeypatch):
    made, _ = write(tmp_path, "a")
    monkeypatch.setattr(mistakes, "_hear", pytest.fail)
    shown = mistakes.section("lstm-aam", found(made), None)
    page = render(tmp_path, shown)
    assert "<audio" not in page
    assert "data:audio" not in page
    text = section(page, "mistakes")
    assert "The recordings are not on this page" in text
    assert "data/raw/demo/" in text
    assert "<code>wav/a.wav</code>" in rows_of(page)["a"]


@pytest.mark.emodb
def test_recordings_of_emodb_are_on_the_page_each_under_its_own_row(tmp_path, emodb_recordings):
    files = emodb_recordings[::180]
    root = emodb_recordings[0].parent
    made = [
        mistake(path.stem, path.read_bytes(), soundfile.info(path).frames, audio=path.name)
        for path in files
    ]
    page = render(tmp_path, mistakes.section("lstm-aam", found(*made), root), is_synthetic=False)
    rows = rows_of(page)
    assert list(rows) == [path.stem for path in files]
    assert len(files) >= 3
    for path in files:
        (address,) = re.findall('<audio [^>]*src="([^"]*)"', rows[path.stem])
        heard, form = decoded(address)
        assert form == (16000, "FLAC", "PCM_16")
        np.testing.assert_array_equal(heard[:, 0], soundfile.read(path, dtype="int16")[0])
    # The page names the authors and the terms beside them.
    assert "They are from: Nobody & Co. Licence: Free <of> charge." in section(
        page, "mistakes"
    ).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")


def test_of_a_part_of_a_recording_the_player_has_that_part_alone(tmp_path):
    _, samples = write(tmp_path, "a", seconds=0.5)
    segment = Segment(0.1, 0.3)
    pinned = audio.inspect(tmp_path / "wav/a.wav", WIDEST, segment)
    utterance = synthetic.utterance(
        "a", sha256=pinned.sha256, num_samples=3200, duration_s=0.2, start_s=0.1, end_s=0.3
    )
    part = Mistake(utterance, "sad", "angry", 0.9, 0.05)
    (heard,) = mistakes.section("lstm", found(part), tmp_path).heard
    np.testing.assert_array_equal(decoded(heard.sound)[0], samples[1600:4800])
    moved = Mistake(replace(utterance, start_s=0.2, end_s=0.4), "sad", "angry", 0.9, 0.05)
    (heard,) = mistakes.section("lstm", found(moved), tmp_path).heard
    assert (heard.sound, heard.silence) == (None, "not the recording of the manifest")
