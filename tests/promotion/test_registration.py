from pathlib import Path

import pandas as pd
import pytest

from ser.errors import BundleError, RegistryError
from ser.params import read
from ser.promotion import measuring, refit, registration
from ser.promotion.measuring import TRACKED
from ser.registry import packing, versions
from ser.registry.versions import CHALLENGER
from ser.tracking import mlflow_tracker
from ser.workflow.preset import Preset
from tests.promotion.support import NAME, cell_of, register, version_of


def test_a_cell_becomes_the_challenger_with_its_lineage(trained):
    version = version_of("lstm-aam")
    chosen = packing.choose(cell_of("lstm-aam"))
    assert version.tags["ser.cell"] == "lstm-aam"
    assert version.tags["ser.fold"] == str(chosen.fold)
    assert version.tags["ser.trained_run_key"] == chosen.spec.run_key
    assert version.tags["ser.split_sha256"] == chosen.spec.tags["ser.split_sha256"]
    assert version.tags["ser.synthetic"] == "true"
    assert version.tags["ser.task"] == "csv"
    registry = versions.open_registry(Path())
    assert registry.require(NAME, CHALLENGER).number == version.number
    run = registry.client.get_run(version.tags["ser.cell_run_id"])
    assert run.info.run_name == "lstm-aam"
    described = registry.client.get_model_version(NAME, str(version.number)).description
    assert described.startswith("# lstm-aam, trained on csv")


def test_the_same_weights_are_one_version_and_other_weights_another(trained):
    first = register("lstm-aam", fold=1)
    again = register("lstm-aam", fold=1)
    other = register("lstm-aam", fold=2)
    assert (again.version, again.is_new) == (first.version, False)
    assert other.version != first.version
    assert "fold 2" in other.weights


def test_what_must_be_answered_is_kept_with_the_registration(trained, tmp_path):
    version = version_of("lstm-aam", fold=1)
    client = versions.open_registry(Path()).client
    tracked = pd.read_parquet(client.download_artifacts(version.run_id, TRACKED, str(tmp_path)))
    frame = cell_of("lstm-aam").frame
    expected = frame[(frame["fold"] == 1) & (frame["part"] == "test")]
    assert tracked["utterance_id"].tolist() == expected["utterance_id"].tolist()
    noted = measuring.recordings_of(version, versions.open_registry(Path()))
    assert noted == {one.id: one.sha256 for one in cell_of("lstm-aam").utterances}
    model_card = client.download_artifacts(version.run_id, "model_card.md", str(tmp_path))
    assert "# lstm-aam" in Path(model_card).read_text()


def test_no_scratch_is_left_behind(trained):
    register("lstm-aam", fold=3)
    assert list(Path("work/bundles").iterdir()) == []


def test_runs_that_are_not_tracked_are_refused_with_the_cure(trained, monkeypatch):
    monkeypatch.setattr(mlflow_tracker.MlflowExperiment, "run_id", lambda *_: None)
    with pytest.raises(RegistryError, match="`ser restore-runs`"):
        register("lstm-aam", fold=1)


def test_a_fold_that_was_not_trained_is_refused(trained):
    with pytest.raises(BundleError, match="trained are"):
        register("lstm-aam", fold=8)


def test_scores_are_those_of_the_cell(trained):
    cell = cell_of("lstm-aam")
    found = registration.scores(cell)
    assert found.num_folds == 3
    assert found.origin == "from scratch"


def test_a_transductive_cell_is_refused_whichever_weights_are_asked_for(
    trained, monkeypatch, tmp_path
):
    cell, params = cell_of("lstm-aam"), read(Path("params.yaml"), Preset)
    record = cell.record
    record.cell.spec.params["recipe"]["normalisation"] = "speaker"
    monkeypatch.setattr(type(cell), "record", lambda _: record)
    with pytest.raises(BundleError, match="it is transductive"):
        registration.pack_fold(cell, params, fold=1, seed=None)
    with pytest.raises(BundleError, match="it is transductive"):
        refit.pack(cell, params, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []
