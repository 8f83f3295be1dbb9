"""Classifiers that need no network: what a model of the grid has to beat.

Each is called as `Classifier` says: it sees the answers of train and dev, and of the test
part nothing but the inputs.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser import metrics
from ser.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Labelled:
    """Utterances of one part of a fold, with their answers.

    Args:
        inputs: `(num_utterances, num_inputs)`, float64.
        labels: Names of classes `(num_utterances,)`.
    """

    inputs: NDArray[np.float64]
    labels: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of a test part.

    Args:
        prediction: Names of classes `(num_test_utterances,)`.
        choice: What it settled on in this fold, on train and dev, e.g. `C = 0.1`.
    """

    prediction: NDArray[np.str_]
    choice: str


#: (train, dev, inputs of the test part) -> what it says of the test part.
Classifier = Callable[[Labelled, Labelled, NDArray[np.float64]], Answers]


def majority(train: Labelled, dev: Labelled, inputs: NDArray[np.float64]) -> Answers:  # noqa: ARG001
    """Say the commonest class of the train part, whatever is heard.

    Args:
        train: Its labels decide; of equally common classes the first by name.
        dev: Not looked at.
        inputs: Of the test part `(num_test_utterances, num_inputs)`; only counted.

    Returns:
        One class for all; its UAR is chance.
    """
    names, counts = np.unique(train.labels, return_counts=True)
    commonest = names[counts.argmax()]
    return Answers(np.full(len(inputs), commonest), str(commonest))


def by_value(train: Labelled, dev: Labelled, inputs: NDArray[np.float64]) -> Answers:  # noqa: ARG001
    """Say, for each value of a single input, the class that it speaks for most.

    That is the class k with the largest P(value | k): classes count the same however often
    they are spoken, as they do in UAR.

    Args:
        train: One input, of few values, each of which occurs here.
        dev: Not looked at.
        inputs: Of the test part `(num_test_utterances, 1)`.

    Returns:
        At most as many different classes as there are values; of classes that a value
        speaks for equally, the first by name.
    """
    names = np.unique(train.labels)
    said = {}
    for value in np.unique(train.inputs[:, 0]):
        holds = train.inputs[:, 0] == value
        shares = [holds[train.labels == name].mean() for name in names]
        said[value] = names[int(np.argmax(shares))]
    prediction = np.array([said[value] for value in inputs[:, 0]], dtype=np.str_)
    return Answers(prediction, " or ".join(str(said[value]) for value in sorted(said)))


def linear_svm(
    train: Labelled, dev: Labelled, inputs: NDArray[np.float64], *, c_grid: Sequence[float]
) -> Answers:
    """Say what a linear support vector machine says.

    One against the rest, squared hinge loss, classes weighted by 1 / their number in train,
    inputs standardised by train. With fewer inputs than utterances it is solved in the
    primal, which draws no random number, otherwise in the dual, whose seed is fixed; where
    the one does not converge, in the other.

    Args:
        train: What it is fitted on.
        dev: Chooses C: highest UAR, ties to the smaller C. Every class of train must
            occur in it.
        inputs: Of the test part `(num_test_utterances, num_inputs)`.
        c_grid: The values of C, the inverse of the regularisation's strength.

    Returns:
        Its predictions, and the C chosen.

    Raises:
        ValueError: A class of train does not occur in dev.
        TrainingError: Neither solver converged at one of the values.

    Source:
        Fan et al. (2008), "LIBLINEAR: A Library for Large Linear Classification".
    """
    classes = np.unique(train.labels)
    standardise = _standardiser(train.inputs)
    fitted_on = Labelled(standardise(train.inputs), train.labels)
    of_dev, of_test = standardise(dev.inputs), standardise(inputs)
    best_uar, best_c, best_prediction = -1.0, 0.0, np.empty(0, dtype=np.str_)
    for c in sorted(c_grid):
        predict = _fitted_svm(fitted_on, c)
        uar = metrics.uar(
            truth=np.searchsorted(classes, dev.labels),
            prediction=np.searchsorted(classes, predict(of_dev)),
            num_classes=len(classes),
        )
        if uar > best_uar:
            best_uar, best_c, best_prediction = uar, c, predict(of_test)
    return Answers(best_prediction, f"C = {best_c:g}")


def _standardiser(inputs: NDArray[np.float64]) -> Callable[[Any], NDArray[np.float64]]:
    """Return what standardises by train, and keeps no more inputs than train has utterances."""
    # scikit-learn costs a second to import; reading a file of params must not.
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(inputs)
    standardise: Callable[[Any], NDArray[np.float64]] = scaler.transform
    num_utterances, num_inputs = inputs.shape
    if num_inputs < num_utterances:
        return standardise
    # The weights of such a machine are a sum of its train inputs, so what is at right angles
    # to all of these changes no answer: 6373 inputs of 300 utterances are 300 coordinates.
    basis, _ = np.linalg.qr(standardise(inputs).T)  # (num_inputs, num_utterances)
    return lambda others: standardise(others) @ basis


def _fitted_svm(train: Labelled, c: float) -> Callable[[NDArray[np.float64]], NDArray[np.str_]]:
    """Return the prediction function of a machine fitted under one value of C."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    num_utterances, num_inputs = train.inputs.shape
    wide = num_inputs >= num_utterances
    # Both solvers lead to the same, only minimum. The primal needs thousands of steps where the
    # inputs tell all of train apart, the dual where many of them say the same.
    for dual in (wide, not wide):
        machine = LinearSVC(C=c, class_weight="balanced", dual=dual, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            try:
                predict: Callable[[Any], NDArray[np.str_]] = machine.fit(
                    train.inputs, train.labels
                ).predict
            except ConvergenceWarning as warning:
                given_up = warning
            else:
                return predict
    raise TrainingError(
        f"the linear SVM did not converge at C = {c:g} ({given_up}); "
        f"take smaller values into baselines.c_grid"
    )
