from functools import partial

import numpy as np
import pytest
import sklearn.svm

from ser.baselines import classifiers
from ser.baselines.classifiers import Labelled
from ser.errors import TrainingError


def part(labels, *, spread=1.0, seed=0):
    """Two inputs; the first tells `b` from the others, under noise."""
    names = np.array(list(labels), dtype=np.str_)
    inputs = np.random.default_rng(seed).normal(scale=spread, size=(len(names), 2))
    inputs[:, 0] += 3.0 * (names == "b")
    return Labelled(inputs, names)


def test_majority_says_the_commonest_class_of_train_for_everyone():
    verdict = classifiers.majority(part("abbac"), part("ccccc"), np.zeros((4, 2)))
    assert verdict.prediction.tolist() == ["a"] * 4
    assert verdict.choice == "a"
    assert classifiers.majority(part("abb"), part("aaa"), np.zeros((1, 2))).choice == "b"


def test_by_value_says_the_class_a_value_speaks_for_most_however_rare_it_is():
    # 1 is said by half of b (1 of 2) and by a third of a (3 of 9).
    values = np.array([[1.0]] * 3 + [[0.0]] * 6 + [[1.0], [0.0]])
    train = Labelled(values, np.array(["a"] * 9 + ["b"] * 2))
    verdict = classifiers.by_value(train, train, np.array([[0.0], [1.0], [0.0]]))
    assert verdict.prediction.tolist() == ["a", "b", "a"]
    assert verdict.choice == "a or b"


def test_the_svm_takes_the_smallest_c_among_equals():
    train, dev = part("ab" * 20, spread=0.1), part("ab" * 5, spread=0.1, seed=1)
    verdict = classifiers.linear_svm(train, dev, dev.inputs, c_grid=(10.0, 0.1, 1.0))
    assert verdict.choice == "C = 0.1"
    assert verdict.prediction.tolist() == dev.labels.tolist()


def test_the_svm_weighs_rare_classes_up():
    train, dev = part("a" * 300 + "b" * 6, spread=2.0), part("ab" * 50, spread=2.0, seed=1)
    verdict = classifiers.linear_svm(train, dev, dev.inputs, c_grid=(0.1,))
    recall_of_rare = (verdict.prediction[dev.labels == "b"] == "b").mean()
    assert recall_of_rare > 0.5


def test_inputs_of_any_scale_and_constant_ones_give_the_same_answer():
    train, dev = part("ab" * 30, spread=1.5), part("ab" * 20, spread=1.5, seed=1)

    def scaled(inputs):
        # What tells the classes apart is the faintest input, which regularisation would mute.
        return np.column_stack(
            [1e-4 * inputs[:, 0] + 7.0, 1e2 * inputs[:, 1], np.full(len(inputs), 5.0)]
        )

    plain = classifiers.linear_svm(train, dev, dev.inputs, c_grid=(0.1,))
    other = classifiers.linear_svm(
        Labelled(scaled(train.inputs), train.labels),
        Labelled(scaled(dev.inputs), dev.labels),
        scaled(dev.inputs),
        c_grid=(0.1,),
    )
    assert other.prediction.tolist() == plain.prediction.tolist()


def test_a_solver_that_does_not_converge_is_said_with_the_cure(monkeypatch):
    monkeypatch.setattr(sklearn.svm, "LinearSVC", partial(sklearn.svm.LinearSVC, max_iter=1))
    train = part("abc" * 20, spread=3.0)
    with pytest.raises(TrainingError, match=r"did not converge at C = 100 .* baselines\.c_grid"):
        classifiers.linear_svm(train, train, train.inputs, c_grid=(100.0,))


def wide(labels, *, num_inputs=300, seed=0, alike=0.0):
    """More inputs than utterances; of three, each tells one class from the others."""
    names = np.array(list(labels), dtype=np.str_)
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(len(names), num_inputs))
    inputs[:, :3] += 2.0 * (names[:, None] == ["a", "b", "c"])
    # What two factors add makes all inputs alike.
    return Labelled(
        inputs + alike * rng.normal(size=(len(names), 2)) @ np.ones((2, num_inputs)), names
    )


@pytest.mark.parametrize("c", [0.0001, 0.001, 0.01])
def test_more_inputs_than_utterances_are_answered_as_the_primal_answers_all_inputs(c):
    train, test = wide("abc" * 20), wide("abc" * 30, seed=1)
    mean, std = train.inputs.mean(axis=0), train.inputs.std(axis=0)
    primal = sklearn.svm.LinearSVC(
        C=c, class_weight="balanced", dual=False, tol=1e-8, max_iter=100_000
    )
    primal.fit((train.inputs - mean) / std, train.labels)
    expected = primal.predict((test.inputs - mean) / std)
    verdict = classifiers.linear_svm(train, test, test.inputs, c_grid=(c,))
    assert verdict.prediction.tolist() == expected.tolist()
    assert 0.4 < (verdict.prediction == test.labels).mean() < 1.0


@pytest.fixture
def fits(monkeypatch):
    """Shape of the inputs, solver and weights of every machine that is fitted."""
    done = []

    class Watched(sklearn.svm.LinearSVC):
        def fit(self, inputs, labels):
            done.append([inputs.shape, "dual" if self.dual else "primal"])
            super().fit(inputs, labels)
            done[-1].append(self.coef_.tobytes())
            return self

    monkeypatch.setattr(sklearn.svm, "LinearSVC", Watched)
    return done


def test_more_inputs_than_utterances_are_solved_in_as_many_coordinates_as_utterances(fits):
    train, dev = wide("abc" * 20), wide("abc" * 5, seed=1)
    for _ in range(2):
        classifiers.linear_svm(train, dev, dev.inputs, c_grid=(0.001, 1.0, 1000.0))
    assert [fit[:2] for fit in fits] == [[(60, 60), "dual"]] * 6
    assert fits[:3] == fits[3:]  # to the last bit, though the dual draws random numbers


def test_fewer_inputs_than_utterances_draw_no_random_number(fits):
    train = part("abc" * 20)
    classifiers.linear_svm(train, train, train.inputs, c_grid=(0.1,))
    assert [fit[:2] for fit in fits] == [[(60, 2), "primal"]]


def test_where_the_dual_does_not_converge_the_primal_answers(fits):
    train, test = wide("abc" * 20, alike=5.0), wide("abc" * 20, alike=5.0, seed=1)
    verdict = classifiers.linear_svm(train, test, test.inputs, c_grid=(10.0,))
    assert [fit[1] for fit in fits] == ["dual", "primal"]
    mean, std = train.inputs.mean(axis=0), train.inputs.std(axis=0)
    primal = sklearn.svm.LinearSVC(C=10.0, class_weight="balanced", dual=False, max_iter=100_000)
    primal.fit((train.inputs - mean) / std, train.labels)
    said = primal.predict((test.inputs - mean) / std)
    assert verdict.prediction.tolist() == said.tolist()


def test_a_dev_part_that_lacks_a_class_is_refused():
    with pytest.raises(ValueError, match="recall is undefined"):
        classifiers.linear_svm(part("ab" * 9), part("aaa"), np.zeros((1, 2)), c_grid=(1.0,))
