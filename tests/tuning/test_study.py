import dataclasses
import os
import signal
import time
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import TrialState

from ser.errors import TrainingError, TuningError
from ser.tuning import study as studies
from ser.wording import without_password
from tests.tuning.support import bowl, fill, study_plan, told


def test_a_study_says_to_optunas_tools_what_it_tunes_of_what(storage, url):
    plan = study_plan()
    studies.prepare(plan, storage, url)
    (shown,) = optuna.get_all_study_summaries(storage)
    assert shown.study_name == f"ser/demo/session/lstm-focal/fold-1/{'k' * 16}"
    assert shown.user_attrs == {
        "task": "demo",
        "protocol": "session",
        "model": "lstm",
        "loss": "focal",
        "fold": 1,
        "seed": 0,
        "tuned": ["loss.gamma", "loss.alpha"],
        "emotions": ["angry", "happy", "neutral", "sad"],
    }
    assert optuna.load_study(study_name=plan.name, storage=storage).metric_names == [studies.METRIC]


def test_a_study_has_exactly_its_trials_and_the_best_wins(storage, url):
    plan = study_plan(num_trials=8)
    study = fill(plan, storage, url)
    trials = told(plan, study)
    assert [trial.slot for trial in trials] == list(range(8))
    assert len(study.trials) == 8
    ended = [trial for trial in trials if trial.state == "COMPLETE"]
    best = max(ended, key=lambda trial: trial.value)
    assert studies.outcome(plan, study) == studies.TunedFold(best.params, plan.name, 8, best.value)


def test_the_first_trial_is_the_studys_constants(storage, url):
    plan = study_plan(num_trials=2)
    first = told(plan, fill(plan, storage, url))[0]
    assert first.params == {"loss.gamma": 2.0, "loss.alpha": 1.0}


def test_hopeless_trials_are_ended_early_and_kept(storage, url):
    plan = study_plan(num_trials=10, pruner_warmup_epochs=0)
    trials = told(plan, fill(plan, storage, url))
    pruned = [trial for trial in trials if trial.state == "PRUNED"]
    assert pruned
    assert all(len(trial.curve) < 3 for trial in pruned)
    assert all(len(trial.curve) == 3 for trial in trials if trial.state == "COMPLETE")


def test_without_pruner_every_trial_comes_to_its_end(storage, url):
    plan = study_plan(num_trials=10, pruner="none")
    assert {trial.state for trial in told(plan, fill(plan, storage, url))} == {"COMPLETE"}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_with_one_worker_the_same_seed_gives_the_same_trials(url, tmp_path, storage, sampler):
    plan = study_plan(num_trials=7, sampler=sampler)
    again = dataclasses.replace(plan, key="a" * 32)
    other = dataclasses.replace(
        plan, key="b" * 32, params=plan.params.model_copy(update={"seed": 1})
    )
    trials, same, different = (told(p, fill(p, storage, url)) for p in (plan, again, other))
    assert trials == same
    assert trials[0] == different[0]
    assert trials[1:] != different[1:]


def test_a_bigger_budget_goes_on_with_the_same_trials(storage, url):
    small, big = study_plan(num_trials=3), study_plan(num_trials=6)
    first = told(small, fill(small, storage, url))
    count = []
    study = fill(big, storage, url, lambda *a: count.append(1) or bowl(*a))
    assert told(big, study)[:3] == first
    assert len(count) == 3
    whole = dataclasses.replace(big, key="c" * 32)
    assert told(whole, fill(whole, storage, url)) == told(big, study)
    assert studies.outcome(small, study).num_trials == 3


def test_a_study_is_not_finished_until_all_its_trials_are(storage, url):
    plan = study_plan(num_trials=4)
    study = fill(plan, storage, url, limit=2)
    with pytest.raises(TuningError, match=r"2 of 4 trials are finished; .* run the command again"):
        studies.outcome(plan, study)


def test_a_trial_whose_loss_diverges_is_kept_with_its_reason_and_not_retried(storage, url):
    def diverge(values, tracker):
        if values["loss.gamma"] == 2.0:
            raise TrainingError("loss is not finite")
        return bowl(values, tracker)

    plan = study_plan(num_trials=3)
    study = fill(plan, storage, url, diverge)
    states = [trial.state.name for trial in studies.finished(plan, study)]
    assert states[0] == "PRUNED"
    assert studies.finished(plan, study)[0].user_attrs["error"] == "loss is not finite"
    assert len(fill(plan, storage, url).trials) == 3


def test_a_study_in_which_nothing_came_to_its_end_says_so(storage, url):
    def diverge(_values, _tracker):
        raise TrainingError("loss is not finite")

    plan = study_plan(num_trials=2)
    with pytest.raises(TuningError, match="none of 2 trials came to its end"):
        studies.outcome(plan, fill(plan, storage, url, diverge))


def test_an_interrupted_trial_is_run_again_with_its_values_and_nothing_else_changes(storage, url):
    def interrupt(values, tracker):
        bowl(values, tracker, epochs=1)
        raise KeyboardInterrupt

    plan = study_plan(num_trials=7)
    whole = dataclasses.replace(plan, key="w" * 32)
    fill(plan, storage, url, limit=3)
    with pytest.raises(KeyboardInterrupt):
        fill(plan, storage, url, interrupt)
    study = fill(plan, storage, url)
    assert [t.state.name for t in study.trials].count("FAIL") == 1
    failed = next(t for t in study.trials if t.state == TrialState.FAIL)
    slot = studies.slot_of(failed)
    assert slot == 3
    assert told(plan, study)[slot].params == failed.params
    assert told(plan, study) == told(whole, fill(whole, storage, url))


_WORKER = """
import sys, time
from ser.tuning import storage as storages
from tests.tuning.support import bowl, fill, study_plan
url, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
objective = lambda v, t: bowl(v, t, delay=lambda: time.sleep(seconds))
fill(study_plan(num_trials=count), storages.connect(url), url, objective)
"""


@pytest.fixture
def worker(forking, project, url):
    """Starts a process that fills the study."""

    def start(count, seconds):
        words = ["-c", _WORKER, url, str(count), str(seconds)]
        return forking.start(words, cwd=project, env=os.environ)

    return start


@pytest.mark.stage
def test_two_workers_share_the_trials_without_duplicates(worker, storage):
    workers = [worker(12, 0.01) for _ in range(2)]
    assert [process.wait(60) for process in workers] == [0, 0]
    plan = study_plan(num_trials=12)
    study = studies.load(plan, storage)
    assert [trial.slot for trial in told(plan, study)] == list(range(12))
    assert len(study.trials) == 12
    pids = {trial.user_attrs["pid"] for trial in study.trials}
    assert pids == {process.pid for process in workers}


@pytest.mark.stage
def test_kill_minus_9_of_a_worker_leaves_a_study_that_goes_on(worker, storage, url):
    plan = study_plan(num_trials=6)
    process = worker(6, 0.15)
    study = None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.05)
        study = studies.load(plan, storage)
        if len(studies.finished(plan, study)) < 2:
            continue
        os.kill(process.pid, signal.SIGSTOP)  # so that the trial cannot end before the kill
        trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if any(trial.intermediate_values for trial in trials):
            break
        os.kill(process.pid, signal.SIGCONT)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    kept = told(plan, study)
    (running,) = study.get_trials(states=(TrialState.RUNNING,))
    resumed = fill(plan, storage, url)
    assert told(plan, resumed)[: len(kept)] == kept
    states = [trial.state.name for trial in resumed.trials]
    assert "RUNNING" not in states
    assert states.count("FAIL") == 1
    assert len(told(plan, resumed)) == 6
    slot = studies.slot_of(running)
    assert told(plan, resumed)[slot].params == running.params
    whole = dataclasses.replace(plan, key="w" * 32)
    assert told(whole, fill(whole, storage, url)) == told(plan, resumed)


def running_trial(plan, storage, url, **attributes):
    study = studies.prepare(plan, storage, url)
    trial = studies.claim(plan, study, storage, url)
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
    return study, trial


def test_the_trial_of_a_living_worker_is_left_alone(storage, url):
    plan = study_plan(num_trials=2)
    study, trial = running_trial(plan, storage, url)
    studies.prepare(plan, storage, url)
    assert study.trials[trial.number].state == TrialState.RUNNING
    assert len(study.trials) == 2


def test_the_trial_of_another_machine_is_left_alone_until_it_falls_silent(
    storage, url, monkeypatch
):
    plan = study_plan(num_trials=2)
    study, trial = running_trial(plan, storage, url, host="elsewhere", pid=2**30)
    storage.record_heartbeat(trial._trial_id)
    studies.prepare(plan, storage, url)
    assert study.trials[trial.number].state == TrialState.RUNNING
    monkeypatch.setattr(storage, "grace_period", 0)
    time.sleep(1.1)
    studies.prepare(plan, storage, url)
    assert study.trials[trial.number].state == TrialState.FAIL
    assert len(study.trials) == 3


def test_a_process_that_took_over_a_dead_workers_id_does_not_keep_its_trial(storage, url):
    plan = study_plan(num_trials=2)
    started = psutil.Process(os.getpid()).create_time() - 1000.0
    study, trial = running_trial(plan, storage, url, pid_started=started)
    studies.prepare(plan, storage, url)
    assert study.trials[trial.number].state == TrialState.FAIL


def test_a_slot_that_two_machines_prepared_at_once_is_filled_once(storage, url):
    plan = study_plan(num_trials=2)
    study = studies.prepare(plan, storage, url)
    study.enqueue_trial({}, user_attrs={studies.SLOT: 1})
    fill(plan, storage, url)
    assert sorted(trial.state.name for trial in study.trials) == ["COMPLETE", "COMPLETE", "FAIL"]


def test_another_key_is_another_study(storage, url):
    plan = study_plan(num_trials=1)
    fill(plan, storage, url)
    other = dataclasses.replace(plan, key="o" * 32)
    assert studies.finished(other, studies.prepare(other, storage, url)) == []
    assert Path(without_password(url)).name == "optuna.db"
