import json
from pathlib import Path

import pytest

from ser.promotion import measuring, stand_ins
from ser.registry import versions
from tests.promotion.support import NAME
from tests.registry.support import GOOD


@pytest.fixture
def quick(trained, monkeypatch, warm):
    """Ask the challenger alone, about few utterances."""
    monkeypatch.setattr(stand_ins, "of", lambda *_: iter(()))
    before = Path("params.yaml").read_text()
    Path("params.yaml").write_text(f"{before}\ngates: {{num_utterances: 4}}\n")
    yield
    Path("params.yaml").write_text(before)


def test_a_cell_is_registered_judged_and_refused_with_the_gates_named(trained, ser, quick):
    status, out, err = ser("register", "hubert-label_smoothing", "--fold", "1")
    assert status == 0, err
    assert out.startswith(f"{NAME} version ")
    # Another test of this process may have registered the same weights.
    assert "hubert-label_smoothing, fold 1, seed 0, epoch 1; " in out
    assert out.endswith((" registered, challenger\n", " was registered before, challenger\n"))
    status, out, err = ser("promote")
    assert status == 1
    assert err.count("error: ") == 1
    assert "is refused by: " in err
    assert "synthetic" in err.partition("refused by")[2]
    assert err.rstrip().endswith("nothing moved")
    (line,) = (line for line in out.splitlines() if line.startswith("served_equals_tracked"))
    assert "pass" in line


def test_promotion_and_rollback_say_what_moved(trained, ser, evidence):
    evidence()
    for fold in (1, 2):
        assert ser("register", "lstm-aam", "--fold", fold)[0] == 0
        status, out, err = ser("promote")
        assert status == 0, err
        assert "is champion; before: " in out
    registry = versions.open_registry(Path())
    champion = registry.require(NAME, "champion")
    assert champion.tags["ser.fold"] == "2"
    status, out, _ = ser("rollback")
    assert status == 0
    assert "is champion again" in out
    back = registry.require(NAME, "champion")
    assert back.tags["ser.fold"] == "1"
    experiment = registry.client.get_experiment_by_name("ser/csv/session/registry")
    (run,) = registry.client.search_runs(
        [experiment.experiment_id], filter_string="tags.\"ser.decision\" = 'rolled back'"
    )
    assert run.info.status == "FINISHED"
    assert run.data.tags["ser.model_version"] == f"{NAME}/{champion.number}"
    assert run.data.tags["ser.champion"] == f"{NAME}/{back.number}"
    assert f"#/models/{NAME}/versions/{back.number}" in run.data.tags["mlflow.note.content"]


def test_a_new_line_needs_a_reason_and_is_begun_by_it(trained, ser, monkeypatch):
    given = []

    def measure(challenger, champion, place, params):
        given.append(place.new_line)
        return GOOD.model_copy(update={"new_line": place.new_line})

    monkeypatch.setattr(measuring, "measure", measure)
    assert ser("register", "lstm-aam", "--fold", "1")[0] == 0
    status, _, err = ser("promote", "--new-line", " ")
    assert status == 1
    assert "--new-line needs a reason" in err
    status, out, err = ser("promote", "--new-line", "recorded anew")
    assert status == 0, err
    assert given == ["recorded anew"]
    assert "a new line" in out
    champion = versions.open_registry(Path()).require(NAME, "champion")
    assert champion.tags["ser.new_line"] == "recorded anew"


@pytest.fixture
def params(trained):
    """Replace a text in params.yaml, for one test."""
    path = Path("params.yaml")
    before = path.read_text()

    def replace(old, new):
        assert old in before
        path.write_text(before.replace(old, new))

    yield replace
    path.write_text(before)


def test_a_cell_of_other_classes_than_the_params_is_not_registered(trained, ser, params):
    params("{name: csv,", "{name: csv, emotions: [angry, sad],")
    status, _, err = ser("register", "lstm-aam")
    assert status == 1
    assert "corpus.emotions was angry, happy, neutral, sad, is angry, sad" in err
    assert "`dvc repro`" in err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("num_epochs: 2", "num_epochs: 3", "recipe.num_epochs was 2, is 3"),
        ("  lstm-aam: {model", "  other: {model", "params.yaml has no cell lstm-aam"),
    ],
)
def test_a_cell_of_other_settings_is_not_registered(trained, ser, params, old, new, said):
    params(old, new)
    status, _, err = ser("register", "lstm-aam")
    assert status == 1
    assert said in err
    assert "`make use PRESET=<name>`" in err


def test_a_cell_of_another_manifest_is_not_registered(trained, ser):
    record = trained / "runs/lstm-aam/run.json"
    before = record.read_text()
    tags = json.loads(before)["cell"]["spec"]["tags"]
    record.write_text(before.replace(tags["ser.manifest_sha256"], "0" * 64))
    try:
        status, _, err = ser("register", "lstm-aam")
    finally:
        record.write_text(before)
    assert status == 1
    assert "it was trained on another manifest" in err


def test_lines_of_other_classes_or_titles_do_not_share_a_champion(trained, ser, params, evidence):
    evidence()
    assert ser("register", "lstm-aam", "--fold", "1")[0] == 0
    assert ser("promote")[0] == 0
    for section in ("{name: csv, title: helpline,", "{name: csv, emotions: [angry, sad],"):
        params("{name: csv,", section)
        for command in ("promote", "rollback"):
            status, _, err = ser(command)
            assert status == 1
            assert "model ser-csv-" in err
            assert "Traceback" not in err
    # The short name is that of the four classes, and its versions say that they are of these.
    assert f"{NAME} has one" not in err


def test_one_version_can_be_judged_by_number(trained, ser, evidence):
    evidence(ece=0.9)
    ser("register", "lstm-aam", "--fold", "3")
    number = versions.open_registry(Path()).require(NAME, "challenger").number
    status, _, err = ser("promote", "--version", number)
    assert status == 1
    assert f"version {number} (lstm-aam) is refused by: calibration" in err


def test_a_refit_says_that_it_is_one(trained, ser):
    status, out, err = ser("register", "lstm-aam", "--refit")
    assert status == 0, err
    assert "refit on all parts, seed 0" in out
    status, _, err = ser("register", "lstm-aam", "--refit", "--fold", "1")
    assert status == 1
    assert "say one of them" in err


def test_a_cell_that_is_not_there_is_refused_with_those_that_are(trained, ser):
    status, _, err = ser("register", "lstm-focal")
    assert status == 1
    assert "there are: hubert-label_smoothing, lstm-aam" in err


def test_without_a_champion_there_is_no_rollback(trained, ser):
    status, _, err = ser("rollback", "--model", "ser-none-session")
    assert status == 1
    assert "there is no champion" in err
