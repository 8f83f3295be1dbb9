import numpy as np
import pytest

from benchmarks import no_speech, pages, sounds
from ser.data import speech_activity
from ser.errors import FileError
from ser.monitoring import measures

RATE = 16000


@pytest.mark.parametrize("kind", sounds.kinds(RATE))
def test_every_sound_is_whole_and_no_speech(kind):
    sound = sounds.kinds(RATE)[kind](RATE, np.random.default_rng(0))
    assert sound.shape == (RATE,)
    assert sound.dtype == np.float32
    assert 0.0 < np.abs(sound).max() <= 1.0
    assert not speech_activity.speech_frames(sound, RATE).any()


@pytest.mark.parametrize("noise", [sounds.white, sounds.pink])
def test_noise_has_its_level(noise):
    sound = noise(RATE, np.random.default_rng(0), rms_dbfs=-20.0)
    assert measures.level_dbfs(sound) == pytest.approx(-20.0, abs=0.1)


def test_pink_noise_has_the_same_power_in_every_octave():
    sound = sounds.pink(1 << 18, np.random.default_rng(0), rms_dbfs=-20.0)
    power = np.abs(np.fft.rfft(sound)) ** 2
    low, high = (power[start : 2 * start].sum() for start in (1 << 10, 1 << 16))
    assert low == pytest.approx(high, rel=0.2)


def test_every_kind_of_sound_has_a_row(trained, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n" + "\nold\n".join(no_speech._MARKERS) + "\nafter\n")
    assert no_speech.main(["lstm-aam", "--into", str(page)]) == 0
    table = capsys.readouterr().out
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| ")]
    kinds = [f"| {kind}" for kind in sounds.kinds(RATE)]
    assert rows[1:-2] == kinds
    # The corpus is noise and a tone, so nothing is refused as no speech; all folds are tested.
    assert rows[-2] == "| speech: the test part"
    assert "| speech: the test part | 48 | 0 |" in table
    text = page.read_text()
    assert table.strip() in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "\nold\n" not in text


def test_a_page_without_a_place_for_the_table_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(FileError, match=r"page\.md: has no marks"):
        pages.write_between(tmp_path / "page.md", *no_speech._MARKERS, "table")
