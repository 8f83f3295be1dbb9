import dataclasses
from pathlib import Path

import pytest

from ser.project import Project
from ser.promotion import asking, stand_ins
from ser.promotion.asking import Question
from ser.registry import model_files, versions
from ser.registry.bundle import FILE, Bundle
from ser.tracking import store
from tests.promotion.support import SERVED_WITHIN, cell_of, known_version
from tests.serving.support import recordings


@pytest.fixture
def version(trained):
    return known_version("lstm-aam", fold=2)


def folds(version):
    return [found.fold for found in stand_ins.of(version, Project())]


def test_they_are_the_other_folds_of_the_cell(version):
    assert folds(version) == [1, 3]
    refit = dataclasses.replace(version, tags={**version.tags, "ser.fold": "refit"})
    assert folds(refit) == [1, 2, 3]


def test_another_cell_of_that_name_stands_in_for_nobody(version):
    tags = {**version.tags, "ser.cell_run_key": "another"}
    assert folds(dataclasses.replace(version, tags=tags)) == []
    tags = {**version.tags, "ser.cell": "lstm-focal"}
    assert folds(dataclasses.replace(version, tags=tags)) == []


def test_a_fold_whose_weights_were_not_kept_is_left_out(version):
    weights = cell_of("lstm-aam").saved(3, 0).weights
    away = weights.rename(weights.with_suffix(".away"))
    try:
        assert folds(version) == [1]
    finally:
        away.rename(weights)


def test_what_it_is_asked_about_is_its_own_test_part(version):
    others = list(stand_ins.of(version, Project()))
    assert len(others) == 2
    for found in others:
        frame = found.test
        assert set(frame["fold"]) == {found.fold}
        assert set(frame["part"]) == {"test"}


def test_it_answers_as_the_training_pipeline_did(version, tmp_path, warm):
    folder = model_files.fetch_bundle(version.source, versions.open_registry(Path()).uri, tmp_path)
    found = next(stand_ins.of(version, Project()))
    model = found.save(Bundle.read(folder / FILE), tmp_path / "saved")
    paths = recordings(Path())
    ids = found.test["utterance_id"].tolist()[:3]
    asked = [Question(id_, "clean", paths[id_], 0.75) for id_ in ids]
    answers = asking.ask(str(model), asked, tracking_uri=store.default_uri(Path()))
    assert asking.compare(asked, answers, found.test).difference < SERVED_WITHIN
