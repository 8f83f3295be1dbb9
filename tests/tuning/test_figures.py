import dataclasses

import pytest

from ser.tuning import figures
from ser.tuning import space as spaces
from tests.tuning.support import fill, study_plan, tiny_cell, tuning_params


def drawn(plan, storage, url, folder, objective):
    study = fill(plan, storage, url, objective)
    return {path.name for path in figures.draw(study, plan.space, folder, footer="corpus demo")}


def aam_plan(num_trials):
    params = tuning_params(num_trials, loss="aam", pruner="none")
    cell = tiny_cell("aam")
    space = spaces.of_cell(cell, params.cells["lstm-aam"])
    return dataclasses.replace(study_plan(num_trials), cell=cell, params=params, space=space)


def slope(values, tracker):
    value = 0.3 + 0.5 * values["loss.margin_rad"] + 0.001 * values["loss.scale"]
    tracker.log_metrics({"dev/uar": value}, step=1)
    return value


def test_a_study_of_aam_has_all_figures_the_contour_too(storage, url, tmp_path):
    found = drawn(aam_plan(6), storage, url, tmp_path / "figures", slope)
    assert found == {
        "history.png", "slice.png", "parallel_coordinates.png", "importance.png", "contour.png",
    }  # fmt: skip
    for name in found:
        assert (tmp_path / "figures" / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [1, 3])
def test_a_few_trials_are_drawn_without_what_needs_many(storage, url, tmp_path, count):
    assert drawn(aam_plan(count), storage, url, tmp_path, slope) == {"history.png", "slice.png"}


def test_trials_that_are_all_alike_have_no_importance(storage, url, tmp_path):
    found = drawn(aam_plan(6), storage, url, tmp_path, lambda *_: 0.25)
    assert found == {"history.png", "slice.png"}
