import shutil

import pytest

from ser.grid import kept_folds
from ser.project import Project
from ser.tracking.memory_tracker import MemoryExperiment
from tests.grid.support import make_runner


@pytest.fixture
def trained(root, paths):
    runner = make_runner(root, paths, MemoryExperiment())
    runner.run()
    return Project(root), set(runner.keys().values())


def test_every_fold_is_kept_by_its_key_and_found_again(trained):
    project, keys = trained
    assert {path.name for path in project.kept_folds.iterdir()} == keys
    for key in keys:
        assert kept_folds.find(project, key).is_complete()
    assert kept_folds.find(project, "0" * 32) is None


def test_space_that_a_results_folder_shares_is_not_counted(trained):
    project, keys = trained
    for fold in kept_folds.survey(project, keys):
        # Where it was trained is no part of the results.
        assert fold.num_bytes == project.kept_fold(fold.key).provenance.stat().st_size
    shutil.rmtree(project.trained("").folder)
    found = kept_folds.survey(project, keys)
    for fold in found:
        assert fold.num_bytes == sum(path.stat().st_size for path in fold.folder.iterdir())


def test_what_nobody_uses_is_removed_and_nothing_else(trained):
    project, keys = trained
    used, *unused = sorted(keys)
    (project.kept_folds / ".left-behind.part").mkdir()
    kept = kept_folds.survey(project, {used})
    assert [fold.is_used for fold in kept] == [fold.key == used for fold in kept]
    assert kept_folds.remove_unused(kept) == len(unused) + 1
    assert [path.name for path in project.kept_folds.iterdir()] == [used]
    assert kept_folds.find(project, used).is_complete()


def test_a_fold_without_weights_does_for_a_cell_that_keeps_the_best_only(trained, caplog):
    project, keys = trained
    key = min(keys)
    kept_folds.find(project, key).weights.unlink()
    assert kept_folds.find(project, key, with_weights=False) is not None
    with caplog.at_level("INFO", logger="ser.grid.kept_folds"):
        assert kept_folds.find(project, key) is None
    assert "its weights were not kept, so it is trained again" in caplog.text
    assert not project.kept_fold(key).folder.exists()


def test_nothing_is_kept_before_anything_is_trained(root):
    assert kept_folds.survey(Project(root), set()) == []


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_fold_that_lacks_a_file_is_not_taken_over_and_goes_as_a_whole(trained, is_empty):
    project, keys = trained
    found = kept_folds.find(project, min(keys))
    found.embeddings.unlink()
    if is_empty:  # as after a power failure
        found.embeddings.touch()
    assert kept_folds.find(project, min(keys)) is None
    assert sorted(path.name for path in project.kept_folds.iterdir()) == sorted(keys)[1:]
