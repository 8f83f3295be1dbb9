from types import SimpleNamespace

import pytest

from ser.data import manifest
from ser.errors import EngineError, TuningError
from ser.project import Project
from ser.tuning import storage
from ser.workflow import cluster_diagnosis
from tests import synthetic

HERE = {
    "code": {"ser/a.py": "1"},
    "packages": {"Python": "3.11.2", "torch": "2.11.0"},
    "data": {"data/manifest.jsonl": "2", "data/features/mfcc/": "3"},
    "sources": {"data/raw/csv/": "12 recordings"},
}
ACCESS = {"RAY_AUTH_MODE": "token", "tracking": "", "studies": "", "studies fault": ""}
SAME = {**HERE, "access": ACCESS}
STUDIES = "postgresql+psycopg2://ser:secret@db/studies"


@pytest.fixture
def own(tmp_path):
    """A project with code, params, a manifest, a feature, recordings and a checkpoint."""
    project = Project(tmp_path)
    utterances = synthetic.corpus(num_sessions=2)
    project.data.mkdir()
    manifest.write(project.manifest, utterances)
    names = ["ser/a.py", "params.yaml", "data/features/mfcc/shard.npy"]
    names += ["data/weights/tiny/w", "data/splits.csv"]
    recordings = [project.raw(u.corpus) / u.audio for u in utterances]
    for path in [*(tmp_path / name for name in names), *recordings]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("as it is")
    return project


def findings(answer, **servers):
    found = cluster_diagnosis.examine(HERE, {"10.0.0.1": answer}, **servers)
    assert {one.what for one in found} <= {"node 10.0.0.1"}
    found = cluster_diagnosis.examine(HERE, {"10.0.0.1": answer}, **servers)
    return [(one.level, one.detail) for one in found]


def test_a_node_that_has_the_same_is_a_line_for_each_topic():
    assert findings(SAME) == [
        ("ok", "it has the same code"),
        ("ok", "it has the same versions of Python and packages"),
        ("ok", "it has the same params, manifest, folds and features"),
        ("ok", "it has the recordings and weights that features are made of"),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"packages": {"Python": "3.11.2", "torch": "2.10.0"}},
            ("fail", "it has other versions: torch is 2.10.0 there and 2.11.0 here"),
        ),
        (
            {"data": {"data/manifest.jsonl": "2"}},
            ("fail", "it has other data: data/features/mfcc/ is absent there and 3 here"),
        ),
        (
            {"code": {}},
            ("fail", "it has other code: ser/a.py is absent there and 1 here"),
        ),
        (
            {"data": {}},
            ("fail", "it has other data: 'data/features/mfcc/', 'data/manifest.jsonl'"),
        ),
        (
            {"sources": {"data/raw/csv/": "0 recordings"}},
            (
                "warn",
                "it has not what features are made of, so it extracts none: data/raw/csv/ is 0 "
                "recordings there and 12 recordings here",
            ),
        ),
        (
            {"access": {**ACCESS, "RAY_AUTH_MODE": "none"}},
            ("warn", "it lets in whoever has no token"),
        ),
    ],
)
def test_what_differs_is_named_with_both_values(change, said):
    found = findings({**SAME, **change})
    assert [one for one in found if one[0] != "ok"] == [said]


@pytest.mark.parametrize("answer", [EngineError("it has died"), "no params.yaml"])
def test_a_node_that_has_no_answer_says_why(answer):
    assert findings(answer) == [("fail", str(answer))]


def test_stores_are_looked_at_where_they_are_servers():
    servers = {"tracking": "http://tracker:5000", "studies": STUDIES}
    there = {**ACCESS, "studies": "postgresql+psycopg2://ser:***@db/studies"}
    assert findings({**SAME, "access": there}, **servers)[-2:] == [
        ("ok", "it reaches the tracking server http://tracker:5000"),
        ("ok", "it reaches the studies in postgresql+psycopg2://ser:***@db/studies"),
    ]
    away = {**ACCESS, "tracking": "refused"}
    warned, failed = findings({**SAME, "access": away}, **servers)[-2:]
    assert warned[0] == "warn"
    assert "http://tracker:5000 (refused): no curves" in warned[1]
    assert failed[0] == "fail"
    assert failed[1].endswith("its studies are in a file of its own")
    assert "secret" not in failed[1]


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("ser/a.py", "code"),
        ("params.yaml", "data"),
        ("data/splits.csv", "data"),
        ("data/features/mfcc/shard.npy", "data"),
        ("data/weights/tiny/w", "sources"),
    ],
)
def test_each_part_of_a_project_counts(own, name, topic):
    before = cluster_diagnosis.state(own.root)
    assert before == cluster_diagnosis.state(own.root)
    path = own.root / name
    path.write_text(f"{path.read_text()}\n")
    after = cluster_diagnosis.state(own.root)
    assert [one for one in before if before[one] != after[one]] == [topic]


def test_recordings_that_are_not_there_are_counted(own):
    ((folder, said),) = [
        one for one in cluster_diagnosis.state(own.root)["sources"].items() if "raw" in one[0]
    ]
    next((own.root / folder).rglob("*.wav")).unlink()
    after = cluster_diagnosis.state(own.root)["sources"][folder]
    assert int(after.split()[0]) == int(said.split()[0]) - 1
    own.manifest.unlink()
    assert folder not in cluster_diagnosis.state(own.root)["sources"]


def test_a_node_says_what_it_reaches(own, monkeypatch):
    monkeypatch.setattr(cluster_diagnosis.node, "enter_project", lambda: own.root)
    monkeypatch.setattr(cluster_diagnosis, "studies_server", lambda _: STUDIES)
    monkeypatch.chdir(own.root)

    def refuse(_):
        raise TuningError("no answer")

    monkeypatch.setattr(storage, "connect", refuse)
    access = cluster_diagnosis.answer("http://127.0.0.1:1")["access"]
    assert "refused" in access["tracking"]
    assert access["studies fault"] == "no answer"
    assert access["studies"] == "postgresql+psycopg2://ser:***@db/studies"
    monkeypatch.setattr(
        storage, "connect", lambda _: SimpleNamespace(engine=SimpleNamespace(dispose=bool))
    )
    access = cluster_diagnosis.answer(None)["access"]
    assert (access["tracking"], access["studies fault"]) == ("", "")
