import numpy as np
import pytest

from benchmarks import drift
from tests.monitoring.support import heard

pytestmark = pytest.mark.stage


def test_noise_is_ten_decibels_below_the_recording():
    samples = np.sin(np.arange(16000) / 5).astype(np.float32) / 4
    noisy, rate = drift.CONDITIONS["white noise at 10 dB"](samples, 16000)
    ratio = np.mean(samples**2) / np.mean((noisy - samples) ** 2)
    assert (10 * np.log10(ratio), rate) == (pytest.approx(10.0, abs=0.3), 16000)


def test_every_choice_of_speakers_is_compared_once():
    frame, speakers = heard(num_speakers=6)
    data = drift.HeldOut(frame.assign(speaker=speakers), ("angry", "happy", "neutral", "sad"))
    rows = drift.false_alarms(data)
    assert [row["comparisons"] for row in rows[:3]] == ["6", "15", "20"]


def test_a_test_that_knows_speakers_rejects_less_than_one_that_does_not():
    for row in drift.simulated_alarms(100):
        ours, naive = (float(row[name].rstrip("%")) for name in list(row)[-2:])
        assert ours < 20 < naive


def test_the_tables_are_written_between_their_marks(trained, monkeypatch, tmp_path):
    heard_twice = drift._heard
    paths = []

    def remembered(predictor, some, change):
        paths[:] = some
        return heard_twice(predictor, some, change)

    monkeypatch.setattr(drift, "_heard", remembered)
    as_recorded = drift.CONDITIONS["as recorded"]
    monkeypatch.setattr(drift, "_demo", lambda one: heard_twice(one, paths, as_recorded))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{drift._BEGIN}\nstale\n{drift._END}\nafter\n")
    assert drift.main(["lstm-aam", "--into", str(page), "--repeats", "5"]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "stale" not in text
    assert "| through a telephone | 3 of 3 |" in text
