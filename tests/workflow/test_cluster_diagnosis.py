import pytest

from ser.errors import EngineError
from ser.workflow import cluster_diagnosis

HERE = {"code": "1", "torch": "2.11.0", "data/manifest.jsonl": "2"}


@pytest.fixture
def own(tmp_path):
    """A project with code, params, a manifest and a feature."""
    for name in ("ser/a.py", "params.yaml", "data/manifest.jsonl", "data/features/mfcc/shard.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as it is")
    return tmp_path


def findings(answer):
    return [(f.level, f.detail) for f in cluster_diagnosis.examine(HERE, {"10.0.0.1": answer})]


def test_nodes_are_compared_and_what_differs_is_named():
    same = {**HERE, "RAY_AUTH_MODE": "token"}
    assert findings(same) == [("ok", "it has the same code, versions and data")]
    assert findings({**same, "torch": "2.10.0", "code": "3"}) == [
        ("fail", "it has other 'code', 'torch'")
    ]
    assert findings({**same, "RAY_AUTH_MODE": "none"})[1][0] == "warn"
    assert findings(EngineError("it has died")) == [("fail", "it has died")]
    assert findings("no params.yaml") == [("fail", "no params.yaml")]


@pytest.mark.parametrize(
    "name", ["ser/a.py", "params.yaml", "data/manifest.jsonl", "data/features/mfcc/shard.npy"]
)
def test_each_part_of_a_project_counts(own, name):
    before = cluster_diagnosis.state(own)
    assert before == cluster_diagnosis.state(own)
    (own / name).write_text("changed in length, too")
    after = cluster_diagnosis.state(own)
    assert len([key for key in before if before[key] != after[key]]) == 1
