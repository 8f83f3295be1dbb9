"""The whole search with the record of it: runs, figures, the table of trials."""

import pandas as pd
import pytest

from ser.errors import ParamsError
from ser.grid import tuned
from ser.grid.tuned import UNTUNED
from ser.tracking.memory_tracker import MemoryExperiment
from ser.tuning import recording, search
from ser.tuning import study as studies
from ser.tuning.search import Place
from tests.tuning.support import load_inputs, tiny_cell, tuning_params

pytestmark = pytest.mark.stage


@pytest.fixture(scope="module")
def searched(tmp_path_factory, fresh_database, project):
    """One real search over two folds, with its place, its runs and what it chose."""
    import shutil

    from tests import synthetic
    from tests.grid.support import write_inputs

    root = tmp_path_factory.mktemp("searched")
    (root / "ser").symlink_to(project / "ser")
    shutil.copy(fresh_database, root / "optuna.db")
    data = load_inputs(write_inputs(root, synthetic.corpus(num_sessions=3)))
    params = tuning_params(num_trials=4, loss="aam", pruner_warmup_epochs=0)
    jobs = search.make_jobs([(tiny_cell("aam"), data)], params, root=root)
    place = Place(root, f"sqlite:///{root / 'optuna.db'}", root / "reports" / "tuning")
    experiment = MemoryExperiment()
    outcomes = search.search(jobs, experiment, place, num_workers=1)
    return jobs, place, experiment, outcomes


def test_every_fold_has_an_outcome_within_the_space(searched):
    jobs, _, _, outcomes = searched
    folds = outcomes["lstm", "aam"]
    assert list(folds) == [1, 2, 3]
    for job, _ in jobs:
        found = folds[job.study.fold]
        assert (found.study, found.num_trials) == (job.study.name, 4)
        assert 0.0 <= found.dev_uar <= 1.0
        assert all(d.holds(found.params[d.name]) for d in job.study.space)
        # What training will do with it.
        job.study.cell.with_values(found.params)


def test_every_trial_is_a_run_below_its_study(searched):
    jobs, _, experiment, outcomes = searched
    parents = {r.spec.name: r for r in experiment.runs.values() if r.parent_key is None}
    assert list(parents) == [f"lstm-aam/fold-{n}" for n in (1, 2, 3)]
    assert len(experiment.runs) == 3 + 12
    assert {run.status for run in experiment.runs.values()} == {"FINISHED"}
    for job, _ in jobs:
        plan = job.study
        parent = parents[f"lstm-aam/fold-{plan.fold}"]
        found = outcomes["lstm", "aam"][plan.fold]
        assert parent.tags["ser.study"] == found.study
        assert parent.metrics["dev/best_uar"] == [(0, found.dev_uar)]
        nested = [r for r in experiment.runs.values() if r.parent_key == parent.spec.run_key]
        assert [run.spec.name for run in nested] == [
            f"lstm-aam/fold-{plan.fold}/trial-{slot}" for slot in range(4)
        ]
        for run in nested:
            assert run.tags["ser.study"] == found.study
            assert run.tags["ser.trial_state"] in ("COMPLETE", "PRUNED")
            assert run.metrics["dev/uar"][0][0] == 1
        assert nested[0].params["loss.margin_rad"] == "0.5"
        assert nested[0].params["loss.scale"] == "30.0"
        assert nested[1].params["loss.margin_rad"] == "0.2"


def test_the_figures_are_on_disk_and_with_the_run(searched):
    _, place, experiment, _ = searched
    folder = place.figures / "lstm-aam" / "fold-1"
    parent = next(r for r in experiment.runs.values() if r.spec.name == "lstm-aam/fold-1")
    drawn = {path.name for path in folder.iterdir()}
    assert {"history.png", "slice.png"} <= drawn
    assert {f"figures/{name}" for name in drawn} == set(parent.artifacts)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())


def test_the_table_has_a_row_per_trial(searched):
    _, place, _, outcomes = searched
    trials = pd.read_csv(place.figures / "trials.csv")
    assert trials[["fold", "trial"]].to_numpy().tolist() == [
        [fold, trial] for fold in (1, 2, 3) for trial in range(4)
    ]
    complete = trials[trials["state"] == "complete"]
    best = complete.groupby("fold")["dev_uar"].max()
    assert best.to_dict() == pytest.approx(
        {fold: found.dev_uar for fold, found in outcomes["lstm", "aam"].items()}, abs=1e-6
    )
    assert (trials["epochs"] <= 2).all()


def test_a_second_search_runs_no_trial_and_records_none(searched):
    jobs, place, experiment, outcomes = searched
    before = {key: dict(run.metrics) for key, run in experiment.runs.items()}
    again = search.search(jobs, experiment, place, num_workers=1)
    assert again == outcomes
    assert {key: dict(run.metrics) for key, run in experiment.runs.items()} == before


def test_a_lost_tracking_store_is_filled_from_the_studies(searched):
    jobs, place, experiment, _ = searched
    fresh = MemoryExperiment()
    search.search(jobs, fresh, place, num_workers=1)
    assert fresh.runs.keys() == experiment.runs.keys()
    for key, run in fresh.runs.items():
        assert run.metrics == experiment.runs[key].metrics
        assert run.params == experiment.runs[key].params


def test_what_is_not_tuned_keeps_its_values():
    cells = [("lstm", "focal"), ("lstm", "aam")]
    found = {("lstm", "aam"): {1: studies.TunedFold({"loss.scale": 8.0}, "s", 2, 0.5)}}
    entries = tuned.with_untuned(found, cells, [1, 2])
    assert list(entries) == cells
    assert entries["lstm", "focal"] == {1: UNTUNED, 2: UNTUNED}
    assert entries["lstm", "aam"] == found["lstm", "aam"]


def test_no_trials_leave_no_cell_to_search():
    assert tuning_params(num_trials=0).chosen([]) == []
    assert tuning_params().chosen([]) == ["lstm-focal"]
    assert tuning_params(cell={"num_trials": 0}).chosen(["lstm-focal"]) == []
    with pytest.raises(ParamsError, match=r"has no lstm-aam; there are: lstm-focal"):
        tuning_params().chosen(["lstm-aam"])


def test_only_cells_that_read_the_feature_are_searched_with_it():
    assert tuning_params().chosen([], "mfcc") == ["lstm-focal"]
    assert tuning_params().chosen([], "hubert") == []


def test_the_experiment_says_what_its_runs_are(searched):
    jobs = searched[0]
    assert "dev/best_uar" in recording.experiment_note(jobs[0][1])
