from dataclasses import replace

import numpy as np
import pytest

from ser import predictions
from ser.errors import BundleError
from ser.evaluation import calibration
from ser.project import Project
from ser.registry import held_out, packing
from ser.registry.bundle import ServingParams
from ser.registry.packing import TrainedCell


@pytest.fixture
def cell(trained):
    return TrainedCell(Project(), "lstm-aam")


def reference_of(cell, fold=1):
    record = packing.choose(cell, fold=fold)
    return packing.source_of_fold(cell, record, params=ServingParams(), limits={}).drift_reference


def test_every_utterance_is_answered_once_by_weights_that_have_not_heard_it(cell):
    frame = cell.frame
    found = held_out.answers(frame).set_index("utterance_id")
    test = frame[frame["part"] == "test"].set_index("utterance_id")
    assert sorted(found.index) == sorted(set(test.index))
    assert (found["emotion"] == test.loc[found.index, "prediction"]).all()
    fold = frame[frame["fold"] == 2]
    _, (temperature,) = calibration.calibrate(fold)
    rows = fold[fold["part"] == "test"]
    expected = calibration.scale(predictions.probabilities_of(rows), temperature).max(axis=1)
    np.testing.assert_allclose(found.loc[rows["utterance_id"], "confidence"], expected)


def test_train_and_dev_predictions_have_no_part_in_it(cell):
    frame = cell.frame
    before = held_out.answers(frame)
    frame.loc[frame["part"] == "dev", "prediction"] = "sad"
    assert held_out.answers(frame).equals(before)


def test_the_reference_knows_speakers_apart_and_not_by_name(cell):
    made = reference_of(cell)
    assert made.num_speakers == len({one.speaker for one in cell.utterances})
    assert made.quantities["level_dbfs"].sizes == (8,) * made.num_speakers
    text = made.model_dump_json()
    assert not any(one.speaker in text or one.id in text for one in cell.utterances)


def test_distances_are_those_of_the_dev_and_test_speakers_of_the_served_fold(cell):
    assert sum(reference_of(cell).quantities["distance"].sizes) == 32  # four of six speakers


def test_a_recording_that_is_gone_is_refused_with_the_cure(cell):
    gone = [replace(one, audio=f"gone/{one.audio}") for one in cell.utterances]
    root = cell.project.raw("csv")
    with pytest.raises(
        BundleError, match=r"registering listens to what was tested; .*`ser link-corpus`"
    ):
        held_out.table(cell.frame, gone, root=root, sampling_rate=16000)
