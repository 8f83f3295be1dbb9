import pytest

from ser import provenance
from ser.errors import TuningError
from ser.tuning import storage as storages
from ser.tuning import study as studies
from ser.tuning import study_files, trial_provenance
from tests.tuning.support import bowl, fill, study_plan, told


def test_a_study_is_the_same_after_its_way_and_is_taken_once(storage, url, tmp_path):
    plan = study_plan()
    study = fill(plan, storage, url)
    folder = tmp_path / "sent"
    folder.mkdir()
    study_files.write(plan, url, folder)
    assert [path.name for path in folder.iterdir()] == ["study.db"]
    here = f"sqlite:///{tmp_path / 'here.db'}"
    assert study_files.take(plan, folder, here) == 3
    assert study_files.take(plan, folder, here) == 0
    assert told(plan, studies.load(plan, storages.connect(here))) == told(plan, study)


def test_a_trial_that_came_names_the_commit_of_its_node(storage, url, tmp_path):
    plan = study_plan(num_trials=1)
    study = studies.prepare(plan, storage, url)
    trial = studies.claim(plan, study, storage, url)
    node = provenance.here(tmp_path).model_copy(update={"git_commit": "c" * 40})
    trial_provenance.note(trial, node)
    studies.run_trial(study, trial, bowl, storage)
    study_files.write(plan, url, tmp_path)
    here = f"sqlite:///{tmp_path / 'here.db'}"
    study_files.take(plan, tmp_path, here)
    (came,) = studies.finished(plan, studies.load(plan, storages.connect(here)))
    assert trial_provenance.tags_of(came) == node.tags


def test_a_slot_that_waits_here_is_not_run_once_it_has_come(storage, url, tmp_path):
    plan = study_plan()
    fill(plan, storage, url)
    folder = tmp_path / "sent"
    folder.mkdir()
    study_files.write(plan, url, folder)
    here = f"sqlite:///{tmp_path / 'here.db'}"
    mine = storages.connect(here)
    study = studies.prepare(plan, mine, here)
    trial = studies.claim(plan, study, mine, here)  # a process is at the first
    assert study_files.take(plan, folder, here) == 2
    assert not studies.waits(plan, mine)
    studies.run_trial(study, trial, lambda *_: 0.5, mine)
    done = studies.finished(plan, studies.load(plan, mine))
    assert [studies.slot_of(one) for one in done] == [0, 1, 2]
    assert done[0].value == 0.5


def test_what_is_no_study_is_said(url, tmp_path):
    with pytest.raises(TuningError, match="no such file"):
        study_files.take(study_plan(), tmp_path, url)
    (tmp_path / "study.db").write_text("no database")
    with pytest.raises(TuningError, match="no file of a study"):
        study_files.take(study_plan(), tmp_path, url)
