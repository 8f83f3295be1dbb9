import numpy as np
import pandas as pd
import pytest

from benchmarks import temperature
from ser import predictions
from ser.emotion import EMOTIONS
from ser.evaluation import calibration

CHOSEN = "gamma prior, 2 nats (chosen)"


def test_the_chosen_candidate_is_the_one_that_is_written_out_as_a_search():
    rng = np.random.default_rng(0)
    truth, table = temperature.draw(rng, 50, sureness=2.0, temperature=1.5)
    other = temperature._gamma(calibration.PRIOR_NATS)(truth, table)
    assert temperature.CANDIDATES[CHOSEN](truth, table) == pytest.approx(other, rel=1e-4)


def test_simulated_models_are_as_accurate_as_they_would_be_if_honest():
    sureness = temperature.sureness_for(0.9)
    rng = np.random.default_rng(1)
    truth, table = temperature.draw(rng, 5000, sureness=sureness, temperature=3.0)
    assert (table.argmax(axis=1) == truth).mean() == pytest.approx(0.9, abs=0.02)


def test_every_candidate_has_a_row_of_simulated_parts(capsys, monkeypatch):
    monkeypatch.setattr(temperature, "_NUM_TEST", 200)
    monkeypatch.setattr(temperature, "_SIZES", (60,))
    monkeypatch.setattr(temperature, "_TEMPERATURES", (1.0,))
    assert temperature.main(["--repeats", "1"]) == 0
    shown = capsys.readouterr().out
    assert all(f"| {name} |" in shown for name in temperature.CANDIDATES)


def test_predictions_of_cells_are_compared_by_fold_and_together(tmp_path, capsys):
    rng = np.random.default_rng(2)
    frames = []
    for fold in (1, 2):
        for part, kind in (("dev", "d"), ("test", "t")):
            truth, table = temperature.draw(rng, 40, sureness=2.0, temperature=2.0)
            ids = [f"{kind}{fold}-{number}" for number in range(40)]
            frames.append(
                predictions.table(
                    ids=ids, truth=truth, probabilities=np.exp(table), emotions=EMOTIONS,
                    fold=fold, seed=0, part=part,
                )
            )  # fmt: skip
    frame = pd.concat(frames, ignore_index=True)
    path = tmp_path / "predictions.parquet"
    predictions.write(path, frame)
    assert temperature.main([str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"| {CHOSEN}, all folds |" in shown
    _, temperatures = calibration.calibrate(frame)
    row = next(line for line in shown.splitlines() if line.startswith(f"| {CHOSEN} |"))
    lowest, highest = (f"{end(temperatures):.3f}" for end in (min, max))
    assert row.endswith(f"| {lowest} | {highest} |")
