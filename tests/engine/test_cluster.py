from pathlib import Path

import pytest

from ser.engine import cluster
from ser.errors import EngineError

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")  # Ray's

MARK = Path("work/.asks")


def test_a_node_that_lets_everybody_in_is_refused(monkeypatch):
    nodes = cluster.Nodes(cluster.Share(), with_token=True, mark=MARK)
    monkeypatch.setattr(cluster, "_alive", lambda: {"id": NODE})
    monkeypatch.setattr(cluster, "_ask", lambda *_: "asked")
    monkeypatch.setattr(cluster.ray, "wait", lambda asked, **_: (asked, []))
    monkeypatch.setattr(cluster.ray, "get", lambda _: (cluster.Introduction("host", None), ""))
    with pytest.raises(EngineError, match="lets in whoever has no token"):
        nodes.look()


NODE = {"NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 4.0, "GPU": 2.0}}


@pytest.mark.parametrize(
    ("share", "units"), [((1, 0), 4), ((1, 0.5), 4), ((2, 0.5), 2), ((1, 1), 2), ((8, 0), 0)]
)
def test_how_many_units_a_node_takes(share, units):
    assert cluster.Share(*share).fits(NODE["Resources"]) == units


@pytest.mark.parametrize(
    ("address", "said"),
    [("head", "expected HOST:PORT"), ("127.0.0.1:1", "nobody answers there")],
)
def test_an_address_without_a_cluster_is_said_at_once(address, said):
    with pytest.raises(EngineError, match=said), cluster.connected(address):
        pass


def test_a_node_that_is_lost_gets_no_more_units_and_is_said_once(monkeypatch, caplog):
    nodes = cluster.Nodes(cluster.Share(), with_token=False, mark=MARK)
    monkeypatch.setattr(cluster, "_alive", lambda: {"id": NODE})
    monkeypatch.setattr(cluster, "_ask", lambda *_: "asked")
    monkeypatch.setattr(cluster.ray, "wait", lambda asked, **_: (asked, []))
    monkeypatch.setattr(cluster.ray, "get", lambda _: (cluster.Introduction("host", None), ""))
    nodes.look()
    assert nodes.take() == "id"
    nodes.lose("id")
    nodes.lose("id")
    assert nodes.take() is None
    assert [record.message for record in caplog.records] == [
        "host (10.0.0.1): has left the cluster"
    ]


@pytest.mark.parametrize("is_askers", [False, True])
def test_a_node_forgets_what_it_delivered_unless_its_project_is_the_one_here(
    is_askers, monkeypatch
):
    nodes = cluster.Nodes(cluster.Share(), with_token=False, mark=MARK)
    said = cluster.Introduction("host", None, is_askers), ""
    monkeypatch.setattr(cluster, "_alive", lambda: {"id": NODE})
    monkeypatch.setattr(cluster, "_ask", lambda question, *words: (question.__name__, *words))
    monkeypatch.setattr(cluster.ray, "wait", lambda asked, **_: (asked, []))
    monkeypatch.setattr(cluster.ray, "get", lambda _: said)
    nodes.look()
    left = Path("work/folds/key")
    assert nodes.forget("id", left) == (None if is_askers else ("forget", "id", left))
