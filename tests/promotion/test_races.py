"""Several promotions of one model at once: one champion, and records that say what happened."""

import json
import threading
import time
from pathlib import Path

import pytest

from ser.errors import SerError
from ser.promotion import decision, measuring
from ser.promotion.measuring import Workplace
from ser.registry import versions
from ser.registry.gate_params import GateParams
from ser.registry.tags import BUNDLE
from ser.registry.version import model_name
from ser.registry.versions import CHAMPION, OvertakenError
from ser.tracking import store
from tests.registry.support import GOOD

NUM_AT_ONCE = 4
#: A round on a server costs several times what one beside a database does.
NUM_ROUNDS = {"database": 20, "server": 5}
TAGS = {"ser.task": "demo", "ser.protocol": "session", "ser.cell": "lstm-focal"}
WON, LOST = {"ser.decision": "promoted"}, {"ser.decision": "overtaken"}

pytestmark = pytest.mark.stage


@pytest.fixture(params=["database", pytest.param("server", marks=pytest.mark.system)])
def registry(request, root, monkeypatch):
    """A registry of either kind."""
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    uri = request.getfixturevalue("tracking_server") if request.param == "server" else None
    return versions.open_registry(root, uri)


@pytest.fixture
def name(registry, tmp_path):
    """A model with versions that are judged at once, and one more."""
    found = model_name("demo", tmp_path.name)
    experiment = registry.client.create_experiment(f"ser/{found}")
    run = registry.client.create_run(experiment).info
    for number in range(1, NUM_AT_ONCE + 2):
        tags = {**TAGS, BUNDLE: f"bundle {number}"}
        source = f"{run.artifact_uri}/model"
        registry.register(found, source=source, run_id=run.run_id, tags=tags, description="")
    return found


@pytest.fixture
def checkouts(registry, tmp_path):
    """Where it is changed from; those that share a server have no lock file in common."""
    if store.database_path(registry.uri) is not None:
        return [registry] * NUM_AT_ONCE
    roots = [tmp_path / f"checkout-{number}" for number in range(NUM_AT_ONCE)]
    return [versions.open_registry(root, registry.uri) for root in roots]


@pytest.fixture
def judged(monkeypatch):
    """Let every judgement of a race begin before the first of them ends."""
    barrier = threading.Barrier(NUM_AT_ONCE)

    def measure(*_):
        barrier.wait(60)
        return GOOD

    monkeypatch.setattr(measuring, "measure", measure)


def at_once(calls):
    """Call functions in a thread each; return when all have."""
    threads = [threading.Thread(target=run, args=arguments) for run, *arguments in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def race(registry, name, numbers):
    """Promote versions at once; give number -> what its caller was told."""
    told = {}

    def run(number):
        place = Workplace(registry, registry.root, allow_synthetic=True)
        try:
            decision.decide(name, number, params=GateParams(), place=place)
            told[number] = "promoted"
        except SerError as error:
            told[number] = str(error)

    at_once([(run, number) for number in numbers])
    return told


def recorded(registry, version, folder):
    """What the run of a version's decision says, in all places."""
    run = registry.client.get_run(version.tags["ser.decision_run_id"])
    path = registry.client.download_artifacts(run.info.run_id, "decision.json", str(folder))
    assert run.info.status == "FINISHED"
    said = {
        run.data.tags["ser.decision"],
        run.info.run_name.partition(" ")[0],
        run.data.tags["mlflow.note.content"].partition(":")[0].strip("*"),
        json.loads(Path(path).read_text())["decision"],
        version.tags["ser.decision"],
    }
    assert len(said) == 1, said
    return said.pop()


def test_one_of_four_is_promoted_and_the_others_say_by_whom_they_were_overtaken(
    registry, name, judged, tmp_path
):
    everyone = range(1, NUM_AT_ONCE + 2)
    champion = NUM_AT_ONCE + 1
    registry.promote(registry.require(name, champion), expected=None)
    for _ in range(2):
        told = race(registry, name, [number for number in everyone if number != champion])
        former, champion = champion, registry.require(name, CHAMPION).number
        assert told.pop(champion) == "promoted"
        winner = registry.require(name, champion)
        assert winner.tags["ser.previous_champion"] == str(former)
        assert winner.tags["ser.overtaken_by"] == "none"
        assert recorded(registry, winner, tmp_path) == "promoted"
        assert len(told) == NUM_AT_ONCE - 1
        for number, message in told.items():
            assert f"version {champion} (lstm-focal) was promoted meanwhile" in message
            loser = registry.require(name, number)
            assert loser.tags["ser.overtaken_by"] == str(champion)
            assert recorded(registry, loser, tmp_path) == "overtaken"


def test_time_after_time_the_alias_and_the_tags_agree(request, registry, name, checkouts):
    everyone = [registry.require(name, number) for number in range(1, NUM_AT_ONCE + 2)]
    champion = registry.require(name, NUM_AT_ONCE + 1)
    registry.promote(champion, expected=None)
    for _ in range(NUM_ROUNDS[request.node.callspec.params["registry"]]):
        expected, told, start = champion, {}, threading.Barrier(NUM_AT_ONCE)

        def run(place, version, expected=expected, told=told, start=start):
            start.wait(60)
            try:
                place.promote(version, expected=expected, won=WON, lost=LOST)
                told[version.number] = "promoted"
            except OvertakenError as error:
                told[version.number] = error.present.number

        others = [version for version in everyone if version.number != champion.number]
        at_once([(run, *both) for both in zip(checkouts, others, strict=True)])
        champion = registry.require(name, CHAMPION)
        assert told.pop(champion.number) == "promoted"
        assert list(told.values()) == [champion.number] * (NUM_AT_ONCE - 1)
        assert champion.tags["ser.decision"] == "promoted"
        assert champion.tags["ser.previous_champion"] == str(expected.number)
        for number in told:
            assert registry.require(name, number).tags["ser.decision"] == "overtaken"


def test_of_two_decisions_about_one_version_the_second_leaves_the_first_as_it_is(
    registry, name, judged
):
    told = race(registry, name, [1] * NUM_AT_ONCE)
    assert told[1] == "promoted" or "another process" in told[1]
    assert registry.require(name, CHAMPION).number == 1
    assert registry.require(name, 1).tags["ser.decision"] == "promoted"
    assert registry.require(name, 1).tags["ser.overtaken_by"] == "none"
    runs = registry.client.search_runs(
        [registry.client.get_experiment_by_name("ser/demo/session/registry").experiment_id],
        f"tags.`ser.model_version` = '{name}/1'",
    )
    assert [run.data.tags["ser.decision"] for run in runs] == ["promoted"]


def test_a_crash_before_the_alias_moves_is_not_recorded_as_a_promotion(
    registry, name, monkeypatch, evidence
):
    evidence()
    place = Workplace(registry, registry.root, allow_synthetic=True)

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(versions.Registry, "_make_champion", crash)
        with pytest.raises(KeyboardInterrupt):
            decision.decide(name, 1, params=GateParams(), place=place)
    assert registry.resolve(name, CHAMPION) is None
    tags = registry.require(name, 1).tags
    assert not {"ser.decision", "ser.promoted_at"} & tags.keys()
    (run,) = registry.client.search_runs(
        [registry.client.get_experiment_by_name("ser/demo/session/registry").experiment_id],
        f"tags.`ser.model_version` = '{name}/1'",
    )
    assert (run.info.status, run.data.tags["ser.decision"]) == ("KILLED", "passed")
    decision.decide(name, 1, params=GateParams(), place=place)
    assert registry.require(name, CHAMPION).tags["ser.decision"] == "promoted"


def test_checkouts_that_share_a_server_take_turns(tracking_server, python, tmp_path, project):
    """Processes of their own, each in a checkout of its own: no lock file is common to them."""
    name = model_name("demo", tmp_path.name)
    registry = versions.open_registry(tmp_path, tracking_server)
    run = registry.client.create_run(registry.client.create_experiment(f"ser/{name}")).info
    for number in range(1, NUM_AT_ONCE + 1):
        tags = {**TAGS, BUNDLE: f"bundle {number}"}
        registry.register(
            name, source=f"{run.artifact_uri}/m", run_id=run.run_id, tags=tags, description=""
        )
    go = tmp_path / "go"
    code = (
        "import pathlib, sys, time\n"
        "from ser.registry import versions\n"
        "number, name, uri, go = int(sys.argv[1]), *sys.argv[2:]\n"
        "registry = versions.open_registry(pathlib.Path(), uri)\n"
        "version = registry.require(name, number)\n"
        "pathlib.Path('ready').touch()\n"
        "while not pathlib.Path(go).exists(): time.sleep(0.005)\n"
        "try:\n"
        "    registry.promote(version, expected=None)\n"
        "    said = 'promoted'\n"
        "except versions.OvertakenError as error:\n"
        "    said = f'overtaken by {error.present.number}'\n"
        "pathlib.Path('said').write_text(said)\n"
    )
    script = tmp_path / "promote.py"
    script.write_text(code)
    checkouts, started = [], []
    for number in range(1, NUM_AT_ONCE + 1):
        checkout = tmp_path / str(number)
        checkout.mkdir()
        checkouts.append(checkout)
        words = [str(script), str(number), name, tracking_server, str(go)]
        started.append(python.start(words, cwd=checkout, env={"PYTHONPATH": str(project)}))
    limit = time.monotonic() + 120
    while not all((checkout / "ready").exists() for checkout in checkouts):
        assert time.monotonic() < limit
        time.sleep(0.05)
    go.touch()
    assert [process.wait() for process in started] == [0] * NUM_AT_ONCE
    champion = registry.require(name, CHAMPION).number
    expected = [
        "promoted" if number == champion else f"overtaken by {champion}"
        for number in range(1, NUM_AT_ONCE + 1)
    ]
    assert [(checkout / "said").read_text() for checkout in checkouts] == expected
    assert f"{name}.lock" not in {m.name for m in registry.client.search_registered_models()}


def test_an_overtaken_error_says_what_happened(registry, name):
    one, two = (registry.require(name, number) for number in (1, 2))
    assert "champion was taken away meanwhile" in str(OvertakenError(one, None, two))
    assert "another process promoted version 1" in str(OvertakenError(one, one, two))
