import numpy as np
import pytest

from ser import predictions
from ser.errors import BundleError, FileError
from ser.evaluation import calibration
from ser.project import Project
from ser.registry import packing
from ser.registry.bundle import ServingParams
from ser.registry.packing import TrainedCell


@pytest.fixture
def cell(trained):
    return TrainedCell(Project(), "lstm-aam")


def source_of(cell, record, **params):
    return packing.source_of_fold(cell, record, params=ServingParams(**params), limits={})


def test_the_fold_of_the_highest_dev_uar_is_chosen(cell):
    uars = {r.fold: r.metrics["dev/best_uar"] for r in cell.record.folds}
    chosen = packing.choose(cell)
    assert uars[chosen.fold] == max(uars.values())
    assert chosen.fold == min(fold for fold, uar in uars.items() if uar == max(uars.values()))


def test_a_named_fold_is_taken(cell):
    assert packing.choose(cell, fold=3).fold == 3


@pytest.mark.parametrize("named", [{"fold": 9}, {"seed": 7}])
def test_what_was_not_trained_is_refused_with_what_was(cell, named):
    with pytest.raises(BundleError, match=r"trained are: fold 1 seed 0, fold 2 seed 0"):
        packing.choose(cell, **named)


def test_a_cell_that_was_not_trained_is_refused(trained):
    with pytest.raises(FileError, match=r"none/run\.json: no such file"):
        packing.choose(TrainedCell(Project(), "none"))


def test_temperature_and_threshold_come_from_the_dev_part_of_that_fold(cell):
    record = packing.choose(cell, fold=2)
    answers = source_of(cell, record, coverage=0.75).bundle.answering
    frame = cell.frame
    dev = frame[(frame["fold"] == 2) & (frame["part"] == "dev")]
    probabilities = predictions.probabilities_of(dev)
    truth = predictions.label_ids(dev["truth"], predictions.emotions_of(dev))
    assert answers.temperature == calibration.fit_temperature(
        truth=truth, probabilities=probabilities
    )
    confidence = calibration.scale(probabilities, answers.temperature).max(axis=1)
    assert np.mean(confidence >= answers.min_confidence) == pytest.approx(0.75, abs=0.07)


def test_test_labels_have_no_part_in_the_answers(cell, monkeypatch):
    record = packing.choose(cell, fold=2)
    before = source_of(cell, record).bundle.answering
    frame = cell.frame
    frame.loc[frame["part"] == "test", "truth"] = "sad"
    monkeypatch.setattr(TrainedCell, "frame", lambda _: frame)
    assert source_of(cell, record).bundle.answering == before


def test_a_window_is_as_long_as_the_longest_utterance_unless_said(cell):
    record = packing.choose(cell)
    assert source_of(cell, record).bundle.answering.window_s == pytest.approx(0.75)
    assert source_of(cell, record, window_s=2.0).bundle.answering.window_s == 2.0


def test_the_bundle_says_what_it_is(cell):
    record = packing.choose(cell, fold=1)
    bundle = source_of(cell, record).bundle
    assert bundle.training.described.startswith("fold 1, seed 0, epoch ")
    assert bundle.training.run_key == record.spec.run_key
    assert bundle.is_synthetic
    assert bundle.corpus.protocol == "session"
    assert bundle.params["loss"]["name"] == "aam"
    assert bundle.tags["ser.split_sha256"] == record.spec.tags["ser.split_sha256"]


def with_params(cell, monkeypatch, section, **changes):
    """Let the record of a cell's runs say other params."""
    record = cell.record
    for run in record.runs:
        run.spec.params[section].update(changes)
    monkeypatch.setattr(TrainedCell, "record", lambda _: record)


@pytest.mark.parametrize("normalisation", ["speaker", "session"])
def test_a_cell_that_needs_many_recordings_of_a_speaker_is_refused(
    cell, monkeypatch, normalisation
):
    packing.require_inductive(cell)
    with_params(cell, monkeypatch, "recipe", normalisation=normalisation)
    message = (
        rf"lstm-aam: it is transductive \(recipes\.lstm\.normalisation: {normalisation}\): .* "
        r"hears one at a time; write `normalisation: fold` and run `dvc repro`"
    )
    with pytest.raises(BundleError, match=message):
        packing.require_inductive(cell)


def test_the_bundle_says_whether_its_weights_were_refitted(cell, monkeypatch):
    training = source_of(cell, packing.choose(cell, fold=1)).bundle.training
    assert (training.refit, training.has_seen_dev) == (False, False)
    with_params(cell, monkeypatch, "training", refit=True)
    training = source_of(cell, packing.choose(cell, fold=1)).bundle.training
    assert training.described.startswith("fold 1, seed 0, refitted on its train and dev parts, ")
    assert (training.refit, training.has_seen_dev) == (True, True)
