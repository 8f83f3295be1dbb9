import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ser.errors import AudioError, RegistryError, TrackingError
from ser.promotion import asking, measuring, stand_ins
from ser.promotion.measuring import Workplace
from ser.registry import model_files, versions
from ser.registry.gate_params import GateParams
from ser.registry.gates import judge
from tests.promotion.support import FEW, SERVED_WITHIN, cell_of, known_version


@pytest.fixture
def place(trained):
    return Workplace(versions.open_registry(Path()), Path(), allow_synthetic=True)


class S3Error(Exception):
    """As botocore raises them: no relation of any other."""

    def __init__(self, status):
        super().__init__(f"An error occurred ({status}) when calling the HeadObject operation")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.fixture
def quick(monkeypatch, warm):
    """Ask the challenger alone."""
    monkeypatch.setattr(stand_ins, "of", lambda *_: iter(()))


def measured(challenger, champion, place):
    return measuring.measure(challenger, champion, place, FEW)


def test_everything_is_measured_of_a_first_challenger(place, quick):
    evidence = measured(known_version("lstm-aam"), None, place)
    assert evidence.champion is None
    assert evidence.difference_low is None
    metrics = json.loads(Path("runs/lstm-aam/metrics.json").read_text())
    assert evidence.uar_low == pytest.approx(metrics["uar"]["low"])
    assert evidence.class_recall == pytest.approx(metrics["recall"])
    assert set(evidence.speaker_wa) == {"s1f", "s1m", "s2f", "s2m", "s3f", "s3m"}
    assert set(evidence.gender_uar) == {"female", "male"}
    assert evidence.audit.split_matches
    assert evidence.audit.manifest_matches
    assert evidence.audit.num_shared_speakers == 0
    assert evidence.lineage_differences == ()
    assert evidence.model == "lstm"
    assert evidence.served.difference < SERVED_WITHIN
    assert set(evidence.robustness.stability) == {"telephone"}
    assert evidence.synthetic
    assert 0 < evidence.size_mib < 5


def test_a_champion_is_paired_on_the_same_utterances(place, quick):
    champion, challenger = known_version("lstm-aam"), known_version("vggish-cross_entropy")
    evidence = measured(challenger, champion, place)
    assert evidence.champion == champion.title
    assert evidence.shared.share == 1.0
    assert evidence.shared.matched_by == "recording"
    assert -1 <= evidence.difference_low <= 1
    same = measured(champion, champion, place)
    # One utterance might have been decided otherwise: alike is not the same for all to come.
    assert -0.1 < same.difference_low < 0.0


@pytest.fixture
def unasked(monkeypatch):
    """Measure all that needs no answer of a model."""

    def crash(*arguments, **options):
        raise RegistryError("it crashed")

    monkeypatch.setattr(asking, "ask", crash)


def test_what_only_one_of_them_tested_is_left_out_of_the_comparison(place, unasked, monkeypatch):
    champion, challenger = known_version("lstm-aam"), known_version("vggish-cross_entropy")
    whole = measuring.tracked_cell

    def fewer(version, registry):
        frame = whole(version, registry)
        return frame if version.number == challenger.number else frame[frame["fold"] < 3]

    monkeypatch.setattr(measuring, "tracked_cell", fewer)
    evidence = measured(challenger, champion, place)
    shared = evidence.shared
    assert shared.num_utterances == shared.num_champion < shared.num_challenger
    assert -1 <= evidence.difference_low <= 1
    assert "that both tested" in verdict_of(evidence).reason


def test_a_champion_of_other_recordings_is_no_pair(place, unasked, monkeypatch):
    champion, challenger = known_version("lstm-aam"), known_version("vggish-cross_entropy")
    noted = measuring.recordings_of

    def other(version, registry):
        found = noted(version, registry)
        return found if version.number == challenger.number else dict.fromkeys(found, "none")

    monkeypatch.setattr(measuring, "recordings_of", other)
    evidence = measured(challenger, champion, place)
    assert evidence.shared.num_utterances == 0
    assert evidence.difference_low is None
    verdict = verdict_of(evidence)
    assert not verdict.passed
    assert "no utterance was tested by both" in verdict.reason


def test_a_new_line_does_not_ask_for_the_champion(place, unasked, monkeypatch):
    champion, challenger = known_version("lstm-aam"), known_version("vggish-cross_entropy")
    whole = measuring.tracked_cell

    def lost(version, registry):
        if version.number == champion.number:
            raise RegistryError("its predictions are gone")
        return whole(version, registry)

    monkeypatch.setattr(measuring, "tracked_cell", lost)
    with pytest.raises(RegistryError, match="gone"):
        measured(challenger, champion, place)
    evidence = measured(challenger, champion, replace(place, new_line="recorded anew"))
    assert evidence.new_line == "recorded anew"
    assert (evidence.shared, evidence.difference_low) == (None, None)
    assert verdict_of(evidence).passed


def verdict_of(evidence):
    """What the comparison with the champion came to."""
    (found,) = (one for one in judge(evidence, GateParams()) if one.gate == "non_inferiority")
    return found


def test_a_model_that_crashes_is_evidence_not_an_error(place, quick, unasked):
    evidence = measured(known_version("lstm-aam"), None, place)
    assert evidence.served is None
    assert evidence.served_error == evidence.robustness_error == "it crashed"
    failed = {v.gate for v in judge(evidence, GateParams(min_uar_low=0)) if not v.passed}
    assert {"stability", "robust_uar", "served_equals_tracked", "latency"} <= failed


@pytest.fixture
def changed(trained):
    """Replace a text in a file of the project, for one test."""
    before = {}

    def run(path, old, new):
        file = Path(path)
        before[file] = file.read_bytes()
        assert old.encode() in before[file]
        file.write_bytes(before[file].replace(old.encode(), new.encode(), 1))

    yield run
    for file, content in before.items():
        file.write_bytes(content)


def test_changed_sources_break_the_lineage_by_name(place, quick, changed):
    version = known_version("lstm-aam")
    changed("ser/losses/aam.py", '"""', '"""Changed. ')
    evidence = measured(version, None, place)
    assert evidence.lineage_differences == ("ser/losses/aam.py",)


def test_another_split_does_not_match_the_audit(place, quick, changed):
    version = known_version("lstm-aam")
    changed("data/splits.csv", "1,test", "1,dev")
    audit = measured(version, None, place).audit
    assert not audit.split_matches
    assert audit.manifest_matches


def test_predictions_that_are_gone_are_named(place, trained):
    version = known_version("lstm-aam")
    tags = {**version.tags, "ser.cell_run_id": version.run_id}
    lost = versions.Version(version.name, version.number, version.run_id, version.source, tags)
    with pytest.raises(RegistryError, match=r"predictions\.parquet .* no longer in the store"):
        measuring.tracked_cell(lost, place.registry)


@pytest.mark.parametrize(
    "failure",
    [
        MlflowException("API request to http://tracking:5000 failed: Connection refused"),
        requests.HTTPError("503 Server Error", response=SimpleNamespace(status_code=503)),
        ConnectionResetError(104, "Connection reset by peer"),
        S3Error(503),
    ],
    ids=repr,
)
def test_a_store_that_is_down_has_lost_no_evidence(failure, place, monkeypatch):
    def fail(*_):
        raise failure

    version = known_version("lstm-aam")
    monkeypatch.setattr(MlflowClient, "download_artifacts", fail)
    said = rf"tracking store {re.escape(place.registry.uri)}: .*`ser doctor` says"
    with pytest.raises(TrackingError, match=said):
        measuring.tracked_cell(version, place.registry)


def test_an_object_store_that_says_so_has_lost_it(place, monkeypatch):
    def fail(*_):
        raise S3Error(404)

    monkeypatch.setattr(MlflowClient, "download_artifacts", fail)
    with pytest.raises(RegistryError, match=r"no longer in the store .*: S3Error"):
        measuring.tracked_cell(known_version("lstm-aam"), place.registry)


def test_a_fault_of_ours_is_none_of_the_store_s(place, monkeypatch):
    def fault(_):
        raise ZeroDivisionError

    monkeypatch.setattr(measuring.lineage, "sha256_file", fault)
    with pytest.raises(ZeroDivisionError):
        measuring.tracked_cell(known_version("lstm-aam"), place.registry)


def test_predictions_that_were_edited_in_the_store_are_refused(place):
    version = known_version("lstm-aam")
    run_id = version.tags["ser.cell_run_id"]
    folder = Path(place.registry.client.get_run(run_id).info.artifact_uri)
    path, before = folder / "predictions.parquet", (folder / "predictions.parquet").read_bytes()
    frame = pd.read_parquet(path)
    frame.assign(prediction=frame["truth"]).to_parquet(path, index=False)
    try:
        with pytest.raises(RegistryError, match=r"not what run .* tag ser\.predictions_sha256"):
            measuring.tracked_cell(version, place.registry)
    finally:
        path.write_bytes(before)
    assert len(measuring.tracked_cell(version, place.registry)) == len(frame)


def forbid_fetching(monkeypatch):
    """What is refused has to be refused before the model is fetched."""
    monkeypatch.setattr(model_files, "fetch", lambda *_: pytest.fail("the work had begun"))


def test_a_missing_recording_is_known_before_the_model_is_fetched(place, lost, monkeypatch):
    version = known_version("lstm-aam", fold=1)
    forbid_fetching(monkeypatch)
    with lost("s1f_sad_0.wav"), pytest.raises(AudioError) as caught:
        measured(version, None, place)
    said = str(caught.value)
    assert "s1f_sad_0.wav: missing: there is no such file (1 of 48 recordings are not" in said
    assert "`ser link-corpus`" in said
    assert "`dvc repro`" in said


def test_a_version_of_utterances_that_are_not_listed_is_refused(place, monkeypatch):
    version = known_version("lstm-aam", fold=1)
    forbid_fetching(monkeypatch)
    listed = [one for one in place.utterances() if one.id != "s1f_sad_0"]
    monkeypatch.setattr(Workplace, "utterances", lambda _: listed)
    with pytest.raises(
        RegistryError, match=r"on 1 utterances that .* not list, e\.g\. 's1f_sad_0'"
    ):
        measured(version, None, place)


def test_the_tracked_cell_is_all_of_its_predictions(place):
    frame = measuring.tracked_cell(known_version("lstm-aam"), place.registry)
    assert frame.equals(cell_of("lstm-aam").frame)
