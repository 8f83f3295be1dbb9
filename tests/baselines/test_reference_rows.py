from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.svm import LinearSVC

from ser.baselines import cross_validation, functionals, reference_rows
from ser.baselines.classifiers import Answers
from ser.baselines.params import BaselineParams
from ser.emotion import EMOTIONS
from ser.errors import ParamsError
from ser.params import parse
from tests import synthetic
from tests.baselines.support import corpus, emotion_task, folds_of

C_GRID = (0.0001, 0.01, 1.0)
PARAMS = BaselineParams(c_grid=C_GRID)


@pytest.fixture(scope="module")
def utterances():
    return corpus()


@pytest.fixture(scope="module")
def task(utterances):
    return emotion_task(utterances)


@pytest.fixture(scope="module")
def folds(utterances):
    return folds_of(utterances)


def arrays(task, ids):
    return np.array([task.inputs[i] for i in ids]), np.array([task.label_of[i] for i in ids])


def by_sklearn(task, folds, predict):
    """UAR, WA and macro-F1 of all test parts together, by scikit-learn alone."""
    truth, said = [], []
    for fold in folds:
        parts = [arrays(task, ids) for ids in (fold.train, fold.dev, fold.test)]
        truth.extend(parts[2][1])
        said.extend(predict(*parts[0], *parts[1], parts[2][0]))
    return [
        balanced_accuracy_score(truth, said),
        accuracy_score(truth, said),
        f1_score(truth, said, average="macro"),
    ]


def predict_majority(inputs, labels, _dev_inputs, _dev_labels, test_inputs):
    return DummyClassifier(strategy="most_frequent").fit(inputs, labels).predict(test_inputs)


def predict_svm(inputs, labels, dev_inputs, dev_labels, test_inputs):
    mean, std = inputs.mean(axis=0), inputs.std(axis=0)
    best = -1.0
    for c in C_GRID:
        machine = LinearSVC(C=c, class_weight="balanced", dual=False)
        machine.fit((inputs - mean) / std, labels)
        uar = balanced_accuracy_score(dev_labels, machine.predict((dev_inputs - mean) / std))
        if uar > best:
            best, said = uar, machine.predict((test_inputs - mean) / std)
    return said


@pytest.mark.parametrize(("row", "predict"), [(0, predict_majority), (1, predict_svm)])
def test_a_row_is_what_scikit_learn_says_alone(task, folds, row, predict):
    found = reference_rows.table(task, folds, reference_rows.baselines(PARAMS)).iloc[row]
    expected = by_sklearn(task, folds, predict)
    assert found[["uar", "wa", "macro_f1"]].tolist() == pytest.approx(expected)
    assert found["uar_low"] <= found["uar"] <= found["uar_high"]
    assert found["num_folds"] == 5


def test_the_majority_has_the_uar_of_guessing_and_says_which_it_is(task, folds):
    majority, svm = reference_rows.table(task, folds, reference_rows.baselines(PARAMS)).to_dict(
        "records"
    )
    assert majority["name"] == "majority"
    assert majority["uar"] == 0.25
    assert majority["uar_low"] < 0.25 < majority["uar_high"]  # that it guesses is not looked at
    assert majority["wa"] == pytest.approx(2 / 5)
    assert "(neutral in all 5 folds)" in majority["description"]
    assert svm["name"] == "mfcc_svm"
    assert svm["uar"] > 0.3
    assert "C = " in svm["description"]


@pytest.mark.parametrize("position", range(5))
def test_wrong_labels_of_the_test_part_change_no_choice_and_no_answer(task, folds, position):
    fold = folds[position]
    shifted = {name: EMOTIONS[(EMOTIONS.index(name) + 1) % 4] for name in EMOTIONS}
    corrupted = replace(
        task,
        label_of={
            id_: shifted[name] if id_ in fold.test else name for id_, name in task.label_of.items()
        },
    )
    for row in reference_rows.baselines(PARAMS):
        before = cross_validation.over_folds(row.classifier, task, [fold])
        after = cross_validation.over_folds(row.classifier, corrupted, [fold])
        assert after.choices == before.choices
        said = [o.table["prediction"].to_numpy(dtype="U").tobytes() for o in (before, after)]
        assert said[0] == said[1]
        assert (after.table["truth"] != before.table["truth"]).all()


def test_dev_chooses_c_and_not_the_same_everywhere(task, folds):
    svm = reference_rows.baselines(PARAMS)[1].classifier
    choices = cross_validation.over_folds(svm, task, folds).choices
    assert len(set(choices)) > 1
    fold = folds[0]
    shifted = dict(zip(EMOTIONS, np.roll(EMOTIONS, 1), strict=True))
    label_of = {id_: shifted[n] if id_ in fold.dev else n for id_, n in task.label_of.items()}
    other = cross_validation.over_folds(svm, replace(task, label_of=label_of), [fold]).choices
    assert other != choices[:1]


def test_the_same_folds_give_the_same_bytes(task, folds, tmp_path):
    for name in ("a", "b"):
        reference_rows.write(
            tmp_path / name, reference_rows.table(task, folds, reference_rows.baselines(PARAMS))
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    back = pd.read_csv(tmp_path / "a")
    assert list(back.columns) == [
        "name", "description", "num_folds", "uar", "uar_low", "uar_high", "wa", "wa_low",
        "wa_high", "macro_f1",
    ]  # fmt: skip


def test_a_third_baseline_is_one_entry(task, folds):
    def first_by_name(train, dev, inputs):
        return Answers(np.full(len(inputs), min(train.labels)), "fixed")

    row = reference_rows.Baseline("first", "the first emotion by name", first_by_name)
    (found,) = reference_rows.table(task, folds, [row]).to_dict("records")
    assert found["uar"] == 0.25
    assert found["description"] == "the first emotion by name (fixed in all 5 folds)"


def test_a_row_of_functionals_hears_nothing_else(utterances, task, folds):
    names = {u.id: EMOTIONS.index(u.emotion) for u in utterances}
    told = {id_: np.eye(4)[index] for id_, index in names.items()}
    row = reference_rows.of_functionals("compare_svm", told, PARAMS)
    assert row.name == "compare_svm"
    rows = [*reference_rows.baselines(PARAMS), row]
    found = reference_rows.table(task, folds, rows).to_dict("records")
    assert found[2]["uar"] == 1.0
    assert found[1]["uar"] < 1.0
    said = (
        "linear SVM on the 6373 functionals ComParE_2016 of openSMILE (C = 0.0001 in all 5 folds)"
    )
    assert found[2]["description"] == said


@pytest.mark.parametrize(
    ("asked", "version", "present", "absent"),
    [
        (("egemaps", "compare"), "2.6.0", ("egemaps_svm", "compare_svm"), ()),
        (("compare",), None, (), ("compare_svm",)),
        ((), "2.6.0", (), ()),
    ],
)
def test_rows_of_functionals_are_there_where_opensmile_is(
    asked, version, present, absent, monkeypatch, caplog
):
    monkeypatch.setattr(functionals, "installed", lambda: version)
    rows = reference_rows.functional_rows(BaselineParams(functionals=asked))
    assert (rows.present, rows.absent) == (present, absent)
    assert rows.opensmile == (version if asked else None)
    assert [message.partition(":")[0] for message in caplog.messages] == list(absent)
    assert ("pip install -c constraints.txt -e '.[opensmile]'" in caplog.text) == bool(absent)


@pytest.mark.parametrize(
    ("functionals", "fault"), [(["egemaps", "egemaps"], "stands twice"), (["gemaps"], "'egemaps'")]
)
def test_functionals_that_cannot_be_are_refused(functionals, fault):
    with pytest.raises(ParamsError, match=f"functionals.*{fault}"):
        parse({"functionals": functionals}, BaselineParams, where="baselines")


def test_statistics_of_frames_are_means_then_deviations_over_time(tmp_path):
    utterances = synthetic.corpus(num_sessions=1, per_speaker=1)
    store = synthetic.feature_store(tmp_path / "mfcc", utterances, num_bins=3)
    ids = [u.id for u in utterances]
    found = reference_rows.frame_statistics(store, ids)
    assert list(found) == ids
    for id_ in ids:
        frames = [[float(value) for value in frame] for frame in store[id_]]
        for bin_ in range(3):
            column = [frame[bin_] for frame in frames]
            mean = sum(column) / len(column)
            variance = sum((value - mean) ** 2 for value in column) / len(column)
            assert found[id_][bin_] == pytest.approx(mean)
            assert found[id_][3 + bin_] == pytest.approx(variance**0.5)


@pytest.mark.parametrize("grid", [[], [0.0], [-1.0], ["large"]])
def test_a_grid_of_c_that_cannot_be_is_refused(grid):
    with pytest.raises(ParamsError, match="c_grid"):
        parse({"c_grid": grid}, BaselineParams, where="baselines")


def test_defaults_need_nothing_said():
    params = BaselineParams()
    assert params.feature == "mfcc"
    assert params.functionals == ("egemaps", "compare")
    assert params.c_grid == tuple(sorted(params.c_grid))
