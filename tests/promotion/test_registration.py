from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from ser import provenance
from ser.errors import AudioError, BundleError, RegistryError, SerError
from ser.params import read
from ser.promotion import measuring, refit, registration
from ser.promotion.measuring import TRACKED
from ser.registry import model_files, packing, versions
from ser.registry.versions import CHALLENGER
from ser.serving import mlflow_model
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
    shown = registry.client.get_model_version(NAME, str(version.number))
    assert shown.description.startswith("# lstm-aam, trained on csv")


def test_a_version_has_few_tags_of_its_own_and_leads_to_its_runs_and_back(trained):
    version = version_of("lstm-aam")
    client = versions.open_registry(Path()).client
    shown = client.get_model_version(NAME, str(version.number))
    known = client.get_run(version.run_id).data.tags
    assert len(known) > 25
    assert {key for key in shown.tags if key in known} == {
        *("ser.cell", "ser.task", "ser.protocol", "ser.weights"),
        *("ser.bundle_sha256", "ser.model_sha256"),
    }
    run = client.get_run(version.tags["ser.cell_run_id"])
    address = f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
    assert f"[Run of the cell]({address})" in shown.description
    assert run.data.tags["ser.model_version"] == f"{NAME}/{version.number}"
    about = client.get_registered_model(NAME).description
    assert "angry, happy, neutral, sad" in about
    assert "`session`" in about


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


def test_a_registration_says_where_the_weights_were_trained_and_its_bundle_does_not(trained):
    version = version_of("lstm-aam", fold=1)
    client = versions.open_registry(Path()).client
    cell = cell_of("lstm-aam")
    (record,) = (record for record in cell.record.folds if record.fold == 1)
    experiment = mlflow_tracker.open_experiment(
        cell.record.experiment, note=cell.record.note, tags=cell.record.experiment_tags
    )
    run = client.get_run(experiment.run_id(record.spec.run_key)).data.tags
    said = client.get_run(version.run_id).data.tags
    for name in (*provenance.UNKNOWN, "ser.dvc_lock_sha256"):
        assert said[name] == run[name]
    bundle = registration.pack_fold(cell, read(Path("params.yaml"), Preset), fold=1, seed=None)
    assert not provenance.UNKNOWN.keys() & bundle.source.bundle.tags.keys()


def test_no_scratch_is_left_behind(trained):
    register("lstm-aam", fold=3)
    assert list(Path("work/bundles").iterdir()) == []


def fail_once(monkeypatch, owner, name, failure, *, after=False):
    """Let a function fail the next time, before or after it has done its work."""
    real = getattr(owner, name)

    def failing(*arguments, **named):
        monkeypatch.setattr(owner, name, real)
        if after:
            real(*arguments, **named)
        raise failure

    monkeypatch.setattr(owner, name, failing)


#: Where a store may fail while a cell is registered.
PLACES = {
    "before the model is sent": (mlflow.pyfunc, "log_model", False),
    "after the model was sent": (mlflow.pyfunc, "log_model", True),
    "while the files are listed": (model_files, "download_unchecked", False),
    "before the version is made": (MlflowClient, "create_model_version", False),
    "after the version was made": (MlflowClient, "create_model_version", True),
    "before it is the challenger": (MlflowClient, "set_registered_model_alias", False),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_store_that_fails_once_leaves_one_model_and_one_version(trained, monkeypatch, place):
    owner, name, after = PLACES[place]
    # Bundles of their own, that no other test has registered.
    serving = {"window_s": 2.0 + list(PLACES).index(place)}
    cell = cell_of("lstm-aam")
    params = read(Path("params.yaml"), Preset)
    params = params.model_copy(update={"serving": params.serving.model_copy(update=serving)})
    registry = versions.open_registry(Path())

    def go():
        packed = registration.pack_fold(cell, params, fold=1, seed=None)
        return registration.register(cell, packed, root=Path())

    failure = mlflow.MlflowException("API request failed: Connection refused")
    fail_once(monkeypatch, owner, name, failure, after=after)
    with pytest.raises(SerError, match="Connection refused"):
        go()
    done = go()
    version = registry.require(NAME, done.version)
    assert go() == registration.Registered(NAME, done.version, False, done.weights)
    bundle = version.tags["ser.bundle_sha256"]
    same = registry.client.search_model_versions(f"tags.`ser.bundle_sha256` = '{bundle}'")
    assert [int(found.version) for found in same] == [done.version]
    assert registry.require(NAME, CHALLENGER).number == done.version
    experiment = registry.client.get_run(version.run_id).info.experiment_id
    runs = registry.client.search_runs([experiment], f"tags.`ser.bundle_sha256` = '{bundle}'")
    assert [run.info.status for run in runs] == ["FINISHED"]
    sent = registry.client.search_logged_models([experiment], f"source_run_id = '{version.run_id}'")
    assert len(sent) == 1


def test_a_fault_of_ours_is_none_of_the_store_s(trained, monkeypatch):
    params = read(Path("params.yaml"), Preset)
    serving = params.serving.model_copy(update={"window_s": 9.0})
    params = params.model_copy(update={"serving": serving})
    cell = cell_of("lstm-aam")
    packed = registration.pack_fold(cell, params, fold=1, seed=None)
    monkeypatch.setattr(mlflow_model, "input_example", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        registration.register(cell, packed, root=Path())


def test_a_store_that_does_not_answer_gets_no_second_model(trained, monkeypatch):
    first = register("lstm-aam", fold=1)
    unanswered = model_files.UnansweredError("cannot be fetched")
    fail_once(monkeypatch, model_files, "require_unchanged", unanswered)
    with pytest.raises(RegistryError, match="cannot be fetched"):
        register("lstm-aam", fold=1)
    assert register("lstm-aam", fold=1) == first.__class__(
        NAME, first.version, False, first.weights
    )


def test_a_registration_that_another_hand_closed_is_done_once_more(trained):
    version = version_of("hubert-label_smoothing", fold=1)
    client = versions.open_registry(Path()).client
    client.delete_tag(version.run_id, "ser.model_uri")
    again = version_of("hubert-label_smoothing", fold=1)
    assert again.run_id != version.run_id


def test_runs_that_are_not_tracked_are_refused_with_the_cure(trained, monkeypatch):
    monkeypatch.setattr(mlflow_tracker.MlflowExperiment, "run_id", lambda *_: None)
    with pytest.raises(RegistryError, match="`ser restore-runs`"):
        register("lstm-aam", fold=1)


def test_a_missing_recording_is_known_before_anything_is_packed_or_trained(
    trained, lost, monkeypatch, tmp_path
):
    cell, params = cell_of("lstm-aam"), read(Path("params.yaml"), Preset)
    monkeypatch.setattr(packing, "choose", lambda *_, **__: pytest.fail("the work had begun"))
    monkeypatch.setattr(refit, "select", lambda *_: pytest.fail("the work had begun"))
    said = r"s1f_sad_0\.wav: missing: .*registering listens to it; .*`ser link-corpus`"
    with lost("s1f_sad_0.wav"):
        with pytest.raises(AudioError, match=said):
            registration.pack_fold(cell, params, fold=1, seed=None)
        with pytest.raises(AudioError, match=said):
            refit.pack(cell, params, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


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
