from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ser.errors import BundleError
from ser.grid import inputs
from ser.params import read
from ser.promotion import measuring, refit, registration
from ser.promotion.measuring import Workplace
from ser.registry import versions
from ser.workflow.preset import Preset
from tests import synthetic
from tests.grid.support import make_soft_plan, write_inputs
from tests.promotion.support import FEW, NAME, SERVED_WITHIN, cell_of


@pytest.fixture
def params(trained):
    return read(Path("params.yaml"), Preset)


def packed(params, tmp_path, seed=None):
    return refit.pack(cell_of("lstm-aam"), params, scratch=tmp_path, seed=seed)


def test_it_is_trained_on_all_utterances_for_the_median_of_the_epochs(
    params, tmp_path, monkeypatch
):
    trained, select = [], refit.select

    def watched(plan, data, context):
        trained.append((data, select(plan, data, context)))
        return trained[-1][1]

    monkeypatch.setattr(refit, "select", watched)
    result = packed(params, tmp_path)
    training = result.source.bundle.training
    ((data, chosen),) = trained
    assert len(data.train) == 48
    assert data.dev == ()
    assert len(chosen.fit.history) == training.num_epochs
    epochs = [r.metrics["best_epoch"] for r in cell_of("lstm-aam").record.folds]
    assert training.num_epochs == np.sort(epochs)[1]
    assert training.described.startswith("refit on all parts, seed 0")
    assert len(result.tracked) == 48
    columns = [column for column in result.tracked if column.startswith("probability_")]
    assert np.allclose(result.tracked[columns].sum(axis=1), 1.0)


def test_where_targets_are_soft_it_learns_the_votes_on_all_utterances(tmp_path):
    utterances = synthetic.corpus(num_sessions=3, voted=True)
    data = inputs.load(write_inputs(tmp_path, utterances), "mfcc", feature_params={})
    chosen = refit._train(make_soft_plan(num_epochs=1), data, seed=0, num_epochs=1)
    shares = synthetic.share_of(utterances)
    assert set(chosen.train.ids) == shares.keys()
    np.testing.assert_array_equal(chosen.train.shares, [shares[id_] for id_ in chosen.train.ids])


def test_the_same_seed_gives_the_same_weights_and_another_others(params, tmp_path):
    first = load_file(packed(params, tmp_path / "a").source.weights)
    again = load_file(packed(params, tmp_path / "b").source.weights)
    other = load_file(packed(params, tmp_path / "c", seed=5).source.weights)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


def test_a_registered_refit_is_served_as_it_was_trained(params, tmp_path, warm):
    done = registration.register(cell_of("lstm-aam"), packed(params, tmp_path), root=Path())
    registry = versions.open_registry(Path())
    version = registry.require(NAME, done.version)
    assert version.tags["ser.fold"] == "refit"
    place = Workplace(registry, Path(), allow_synthetic=True)
    evidence = measuring.measure(version, None, place, FEW)
    assert evidence.served.difference < SERVED_WITHIN
    # Of what it was trained on it says nothing: the folds are asked, each about its test part.
    assert evidence.robustness.weights.startswith("those of fold 1, fold 2, fold 3")
    assert evidence.robustness.num_utterances == FEW.num_utterances


def test_folds_that_were_tuned_apart_are_refused(params, tmp_path, monkeypatch):
    cell = cell_of("lstm-aam")
    record = cell.record
    record.folds[1].spec.params["loss"]["margin_rad"] = 0.4
    monkeypatch.setattr(type(cell), "record", lambda _: record)
    with pytest.raises(BundleError, match="each fold was tuned by itself"):
        refit.pack(cell, params, scratch=tmp_path)
