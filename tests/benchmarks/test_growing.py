"""The plan of costs: its arithmetic, its scheduler, and that the page has what it says."""

import numpy as np
import pytest

from benchmarks import growing
from benchmarks.growing import Plan, simulate
from ser.params import read
from ser.workflow.preset import Preset


@pytest.fixture
def calm(monkeypatch):
    """Nothing fails, and each unit takes what is said."""
    for name in ("SPREAD", "STRAGGLERS", "HAND_OUT_S"):
        monkeypatch.setattr(growing, name, 0.0)
    monkeypatch.setattr(growing, "HOURS_BETWEEN_FAILURES", 1e12)


def test_without_chance_the_hours_are_the_work_shared_out(calm):
    def hours(units_h, num_gpus):
        units_s = [3600.0 * unit for unit in units_h]
        return simulate(units_s, num_gpus, np.random.default_rng(0)).hours

    assert hours([1.0] * 8, 1) == pytest.approx(8.0)
    assert hours([1.0] * 8, 4) == pytest.approx(2.0)
    assert hours([1.0] * 9, 4) == pytest.approx(3.0)
    assert hours([3.0, 1.0, 1.0, 1.0], 2) == pytest.approx(3.0)


def test_a_unit_that_was_cut_is_done_again_from_its_beginning(calm, monkeypatch):
    monkeypatch.setattr(growing, "HOURS_BETWEEN_FAILURES", 1.0)
    monkeypatch.setattr(growing, "REPAIR_S", 0.0)
    runs = [simulate([1800.0] * 20, 2, np.random.default_rng(seed)) for seed in range(200)]
    # With rate r and length d a unit that begins anew takes (exp(r d) - 1) / r on the mean.
    expected = 20 / 2 * (np.exp(0.5) - 1)
    assert np.mean([run.hours for run in runs]) == pytest.approx(expected, rel=0.1)
    assert min(run.num_again for run in runs) > 0


def test_the_machine_that_gives_out_the_units_bounds_all(calm, monkeypatch):
    monkeypatch.setattr(growing, "HAND_OUT_S", 36.0)
    run = simulate([1.0] * 100, 1000, np.random.default_rng(0))
    assert run.hours == pytest.approx(1.0, rel=0.01)


def test_the_plan_is_that_of_the_preset(project):
    preset = read(project / "configs" / "iemocap.yaml", Preset)
    plan = growing.PLANS[0]
    assert len(preset.cells) * preset.split.num_folds * len(preset.training.seeds) == plan.num_units
    for model in growing.MODELS:
        assert preset.recipes[model.name].num_epochs == model.num_epochs


def test_a_fit_takes_longer_with_more_speech_and_all_units_count():
    short, long = (Plan("", hours, 1) for hours in (7.0, 70.0))
    for model in growing.MODELS:
        moved = [plan.unit_s(model) - growing.OVERHEAD_S for plan in (short, long)]
        assert moved[1] == pytest.approx(10 * moved[0])
    assert len(short.units_s()) == short.num_units


def test_the_page_has_what_the_program_writes(project):
    text = (project / "docs" / "growing.md").read_text(encoding="utf-8")
    written = text.partition(growing.BEGIN)[2].partition(growing.END)[0].strip("\n")
    assert written == growing.table().strip("\n")
