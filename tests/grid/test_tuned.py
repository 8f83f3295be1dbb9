import json

import pytest

from ser.errors import FileError, LineageError, ParamsError, TuningError
from ser.grid import tuned
from ser.grid.tuned import UNTUNED, TunedFold
from ser.project import Project
from ser.tracking import cells
from ser.tracking.memory_tracker import MemoryExperiment
from tests.grid.support import make_runner

FOCAL = {1: TunedFold({"loss.gamma": 1.25}, "lstm-focal/fold-1/ab", 20, 0.625), 2: UNTUNED}


def test_what_is_written_is_read_back_per_cell(tmp_path):
    path = tmp_path / "tuned.json"
    tuned.write(path, {("lstm", "focal"): FOCAL, ("lstm", "aam"): {1: UNTUNED, 2: UNTUNED}})
    assert tuned.read(path, "lstm", "focal") == FOCAL
    assert tuned.read(path, "lstm", "aam") == {1: UNTUNED, 2: UNTUNED}
    assert json.loads(path.read_text())["lstm"]["focal"]["1"] == {
        "params": {"loss.gamma": 1.25},
        "study": "lstm-focal/fold-1/ab",
        "num_trials": 20,
        "dev_uar": 0.625,
    }


def test_the_bytes_do_not_depend_on_the_order(tmp_path):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    tuned.write(first, {("lstm", "focal"): FOCAL, ("hubert", "aam"): {1: UNTUNED}})
    backwards = dict(reversed(FOCAL.items()))
    tuned.write(second, {("hubert", "aam"): {1: UNTUNED}, ("lstm", "focal"): backwards})
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        ("{", r"it is not an outcome of tuning with an entry lstm\.focal"),
        ("{}", r"an entry lstm\.focal \(no key 'lstm'\)"),
        ('{"lstm": {"focal": []}}', r"an entry lstm\.focal \("),
        ('{"lstm": {"focal": {"1": {"trials": 3}}}}', r"an entry lstm\.focal \(.*'trials'"),
        (
            '{"lstm": {"focal": {"1": {"params": {"loss.gamma": "2"}}}}}',
            "must be a number, got '2'",
        ),
    ],
)
def test_what_is_no_outcome_of_tuning_is_refused_with_the_cure(tmp_path, content, message):
    path = tmp_path / "tuned.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(FileError, match=f"{message}.*; `dvc repro tune` makes it"):
        tuned.read(path, "lstm", "focal")


SAID = {"manifest": "m", "split": "s", "features": "f", "params": "p"}


@pytest.mark.parametrize("name", SAID)
def test_values_that_were_chosen_for_something_else_are_refused_with_the_cure(tmp_path, name):
    path = tmp_path / "tuned.json"
    tuned.write(path, {("lstm", "focal"): FOCAL}, {("lstm", "focal"): SAID})
    assert tuned.read(path, "lstm", "focal") == FOCAL
    tuned.require_made_from(path, "lstm", "focal", SAID)
    with pytest.raises(LineageError, match=f"with other {name} than .*run `dvc repro tune`"):
        tuned.require_made_from(path, "lstm", "focal", SAID | {name: "another"})


def test_values_of_which_nothing_is_known_are_refused(tmp_path):
    path = tmp_path / "tuned.json"
    tuned.write(path, {("lstm", "focal"): FOCAL})
    with pytest.raises(FileError, match=r"what lstm\.focal was tuned on"):
        tuned.require_made_from(path, "lstm", "focal", SAID)


def tuned_runner(root, paths, experiment, changes, **settings):
    cell = {n: TunedFold(changes, f"lstm-cross_entropy/fold-{n}/ab", 3, 0.5) for n in (1, 2, 3)}
    return make_runner(root, paths, experiment, tuned=cell, **settings)


@pytest.mark.stage
def test_a_fold_is_trained_with_its_own_values_and_the_runs_show_them(root, paths):
    plain, experiment = MemoryExperiment(), MemoryExperiment()
    make_runner(root, paths, plain).run()
    runner = tuned_runner(root, paths, experiment, {"recipe.learning_rate": 0.02})
    runner.run()
    assert plain.runs.keys().isdisjoint(experiment.runs)
    parent, *nested = experiment.runs.values()
    assert parent.tags["ser.tuned"] == "true"
    assert parent.params["recipe.learning_rate"] == "tuned"
    assert parent.params["tuned.fold-2.recipe.learning_rate"] == "0.02"
    assert [run.params["recipe.learning_rate"] for run in nested] == ["0.02"] * 3
    assert [run.tags["ser.study"] for run in nested] == [
        f"lstm-cross_entropy/fold-{n}/ab" for n in (1, 2, 3)
    ]
    assert "ser/demo/session/tuning" in parent.spec.note
    assert {run.tags["ser.tuned"] for run in plain.runs.values()} == {"false"}
    recorded = cells.read(Project(root).trained("lstm-cross_entropy"))
    assert recorded.cell.spec.params["tuned"]["fold-1"] == {"recipe.learning_rate": 0.02}


@pytest.mark.stage
def test_values_that_change_nothing_give_the_same_keys(root, paths):
    keys = []
    for changes in ({}, {"recipe.num_epochs": 2}):
        experiment = MemoryExperiment()
        tuned_runner(root, paths, experiment, changes).run()
        keys.append(list(experiment.runs))
    assert keys[0] == keys[1]


@pytest.mark.stage
def test_a_variant_has_keys_and_scratch_of_its_own(root, paths):
    plain, other = MemoryExperiment(), MemoryExperiment()
    make_runner(root, paths, plain).run()
    runner = make_runner(root, paths, other, variant="untuned")
    assert (
        runner.assembly.staging.folder == root / "work" / "cells" / "untuned" / "lstm-cross_entropy"
    )
    runner.run()
    assert plain.runs.keys().isdisjoint(other.runs)
    recorded = cells.read(Project(root).trained("lstm-cross_entropy", "untuned"))
    assert recorded.experiment == "ser/demo/session/untuned"


def test_folds_that_tuning_does_not_know_are_refused_with_the_cure(root, paths):
    with pytest.raises(TuningError, match=r"knows no fold 2, but: 1; run `dvc repro tune`"):
        make_runner(root, paths, MemoryExperiment(), tuned={1: UNTUNED})


def test_a_value_out_of_bounds_is_refused_by_name(root, paths):
    with pytest.raises(ParamsError, match=r"recipes\.lstm .*\n  learning_rate: .* greater than 0"):
        tuned_runner(root, paths, MemoryExperiment(), {"recipe.learning_rate": -1.0})
