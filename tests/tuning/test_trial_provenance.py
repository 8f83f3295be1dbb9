import optuna

from ser import provenance
from ser.tuning import trial_provenance


def test_what_a_worker_notes_is_the_tags_of_its_trial_and_without_it_nothing_is_known(tmp_path):
    study = optuna.create_study()
    first, second = study.ask(), study.ask()
    worker = provenance.here(tmp_path).model_copy(update={"git_commit": "c" * 40})
    trial_provenance.note(first, worker)
    study.tell(first, 1.0)
    study.tell(second, 1.0)
    noted, silent = (trial_provenance.tags_of(trial) for trial in study.trials)
    assert noted == worker.tags
    assert noted["ser.git_commit"] == "c" * 40
    assert silent == provenance.UNKNOWN
