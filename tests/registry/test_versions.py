import threading

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from ser.errors import RegistryError, TrackingError
from ser.registry import model_files, versions
from ser.registry.model_files import MODEL
from ser.registry.tags import BUNDLE
from ser.registry.version import model_name
from ser.registry.versions import CHALLENGER, CHAMPION
from tests.tracking.support import copy_database


@pytest.fixture(scope="module")
def registry(tmp_path_factory, template_database):
    root = tmp_path_factory.mktemp("registry")
    copy_database(template_database, root / "mlruns" / "mlflow.db")
    return versions.open_registry(root, f"sqlite:///{root}/mlruns/mlflow.db")


@pytest.fixture
def name(request):
    return model_name("demo", request.node.name.replace("/", "-")[:80])


@pytest.fixture(scope="module")
def run_id(registry):
    experiment = registry.client.create_experiment("ser/demo/session")
    return registry.client.create_run(experiment).info.run_id


@pytest.fixture
def files(tmp_path):
    """The files of every version."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("weights")
    return folder


@pytest.fixture
def register(registry, name, run_id, files):
    pinned = model_files.digest(model_files.listing(files))

    def run(number):
        tags = {BUNDLE: f"digest {number}", MODEL: pinned, "ser.cell": f"cell-{number}"}
        source = files.as_uri()
        return registry.register(name, source=source, run_id=run_id, tags=tags, description="card")

    return run


def crash(*arguments):
    raise KeyboardInterrupt


def promoted(registry, name, number):
    version = registry.require(name, number)
    registry.promote(version, expected=registry.resolve(name, CHAMPION))
    registry.end_challenge(version)


def test_a_new_version_is_the_challenger(registry, register, name):
    assert register(1) == versions.Registration(1, is_new=True)
    found = registry.require(name, CHALLENGER)
    assert (found.number, found.title) == (1, "version 1 (cell-1)")
    assert registry.client.get_model_version(name, "1").description == "card"
    assert registry.resolve(name, CHAMPION) is None


def test_the_same_bundle_is_registered_once(registry, register, name):
    register(1), register(2)
    assert register(1) == versions.Registration(1, is_new=False)
    assert registry.require(name, CHALLENGER).number == 1


def test_promotion_moves_the_alias_and_remembers_the_one_before(registry, register, name):
    register(1), register(2)
    promoted(registry, name, 1)
    promoted(registry, name, 2)
    champion = registry.require(name, CHAMPION)
    assert champion.number == 2
    assert champion.tags["ser.previous_champion"] == "1"
    assert registry.resolve(name, CHALLENGER) is None


def test_a_challenger_that_came_meanwhile_stays(registry, register, name):
    register(1), register(2)
    promoted(registry, name, 1)
    assert registry.require(name, CHALLENGER).number == 2


def test_promotion_against_another_champion_than_judged_is_refused(registry, register, name):
    for number in (1, 2, 3):
        register(number)
    judged_against = registry.resolve(name, CHAMPION)
    promoted(registry, name, 1)
    with pytest.raises(RegistryError, match=r"champion is version 1 .* judged against none"):
        registry.promote(registry.require(name, 2), expected=judged_against)
    assert registry.require(name, CHAMPION).number == 1


def test_two_promotions_at_once_leave_one_champion_and_one_refusal(registry, register, name):
    for number in (1, 2, 3):
        register(number)
    promoted(registry, name, 1)
    expected = registry.require(name, CHAMPION)
    start, outcomes = threading.Barrier(2), {}

    def run(number):
        version = registry.require(name, number)
        start.wait()
        try:
            registry.promote(version, expected=expected)
            outcomes[number] = "promoted"
        except RegistryError:
            outcomes[number] = "refused"

    threads = [threading.Thread(target=run, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes.values()) == ["promoted", "refused"]
    champion = registry.require(name, CHAMPION)
    assert outcomes[champion.number] == "promoted"
    assert champion.tags["ser.previous_champion"] == "1"


def test_rollback_goes_back_one_by_one(registry, register, name):
    for number in (1, 2, 3):
        register(number)
        promoted(registry, name, number)
    left, now = registry.rollback(name)
    assert (left.number, now.number) == (3, 2)
    assert "ser.rolled_back_at" in registry.require(name, 3).tags
    assert registry.rollback(name)[1].number == 1
    with pytest.raises(RegistryError, match=r"version 1 .* is the first champion"):
        registry.rollback(name)
    assert registry.require(name, CHAMPION).number == 1


def test_a_version_that_is_champion_again_keeps_both_its_predecessors(registry, register, name):
    register(1), register(2)
    for number in (1, 2, 1):
        promoted(registry, name, number)
    assert registry.rollback(name)[1].number == 2
    assert registry.rollback(name)[1].number == 1
    with pytest.raises(RegistryError, match=r"version 1 .* is the first champion"):
        registry.rollback(name)


def test_after_a_rollback_promotion_goes_on_from_there(registry, register, name):
    for number in (1, 2, 3):
        register(number)
    promoted(registry, name, 1), promoted(registry, name, 2)
    registry.rollback(name)
    promoted(registry, name, 3)
    assert registry.rollback(name)[1].number == 1


def test_a_crash_in_a_rollback_leaves_the_champion_and_its_past(
    registry, register, name, monkeypatch
):
    for number in (1, 2, 3):
        register(number)
        promoted(registry, name, number)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", crash)
        with pytest.raises(KeyboardInterrupt):
            registry.rollback(name)
    champion = registry.require(name, CHAMPION)
    assert champion.number == 3
    assert [registry.rollback(name)[1].number for _ in range(2)] == [2, 1]


def test_once_the_alias_has_moved_back_nothing_of_the_rollback_is_left_to_do(
    registry, register, name, monkeypatch
):
    for number in (1, 2):
        register(number)
        promoted(registry, name, number)
    move = MlflowClient.set_registered_model_alias

    def move_and_crash(*arguments):
        move(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", move_and_crash)
    with pytest.raises(KeyboardInterrupt):
        registry.rollback(name)
    assert registry.require(name, CHAMPION).number == 1
    assert "ser.rolled_back_at" in registry.require(name, 2).tags


def test_rollback_without_a_champion_says_how_to_get_one(registry, name):
    with pytest.raises(RegistryError, match=r"no champion; `ser register .*`ser promote`"):
        registry.rollback(name)


def test_rollback_to_a_deleted_version_is_refused(registry, register, name):
    for number in (1, 2):
        register(number)
        promoted(registry, name, number)
    registry.client.delete_model_version(name, "1")
    with pytest.raises(RegistryError, match=r"version 1, the champion before .* has been deleted"):
        registry.rollback(name)
    assert registry.require(name, CHAMPION).number == 2


def test_rollback_to_changed_files_is_refused_and_moves_nothing(registry, register, name, files):
    for number in (1, 2):
        register(number)
        promoted(registry, name, number)
    (files / "weights").write_text("other weights")
    with pytest.raises(RegistryError, match=f"models:/{name}/1: not what was registered"):
        registry.rollback(name)
    assert registry.require(name, CHAMPION).number == 2


def test_a_champion_that_came_during_a_rollback_stops_it(registry, register, name, monkeypatch):
    for number in (1, 2, 3):
        register(number)
    promoted(registry, name, 1), promoted(registry, name, 2)
    monkeypatch.setattr(model_files, "require_unchanged", lambda *_: promoted(registry, name, 3))
    with pytest.raises(RegistryError, match=r"champion is version 3 .* was version 2 .* again"):
        registry.rollback(name)
    assert registry.require(name, CHAMPION).number == 3


def test_the_same_bundle_with_other_files_is_a_version_of_its_own(registry, run_id, name, files):
    tags = {BUNDLE: "digest", MODEL: "files of before"}
    given = {"source": files.as_uri(), "run_id": run_id, "description": ""}
    assert registry.register(name, tags=tags, **given).version == 1
    assert registry.register(name, tags={**tags, MODEL: "files"}, **given).version == 2


@pytest.mark.parametrize("method", ["set_model_version_tag", "set_registered_model_alias"])
def test_a_crash_before_the_alias_moves_leaves_the_old_champion(
    registry, register, name, monkeypatch, method
):
    register(1), register(2)
    promoted(registry, name, 1)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, crash)
        with pytest.raises(KeyboardInterrupt):
            promoted(registry, name, 2)
    assert registry.require(name, CHAMPION).number == 1
    promoted(registry, name, 2)
    assert registry.require(name, CHAMPION).tags["ser.previous_champion"] == "1"


def test_promoting_the_champion_again_changes_nothing(registry, register, name):
    register(1), register(2)
    promoted(registry, name, 1)
    promoted(registry, name, 2)
    promoted(registry, name, 2)
    assert registry.require(name, CHAMPION).tags["ser.previous_champion"] == "1"


def test_a_crash_after_the_alias_moved_is_mended_by_promoting_again(
    registry, register, name, monkeypatch
):
    register(1)
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "delete_registered_model_alias", crash)
        with pytest.raises(KeyboardInterrupt):
            promoted(registry, name, 1)
    assert registry.require(name, CHAMPION).number == registry.require(name, CHALLENGER).number
    promoted(registry, name, 1)
    assert registry.resolve(name, CHALLENGER) is None
    assert registry.require(name, CHAMPION).tags["ser.previous_champion"] == "none"


def test_a_lock_that_is_never_released_is_said_with_its_file(registry, register, name, monkeypatch):
    register(1)
    monkeypatch.setattr("ser.registry.alone.TIMEOUT_S", 0.05)
    lock = registry.root / "mlruns" / ".registry.lock"
    with FileLock(lock), pytest.raises(RegistryError, match=r"another process .*registry\.lock"):
        promoted(registry, name, 1)
    assert registry.resolve(name, CHAMPION) is None
    promoted(registry, name, 1)


def test_an_unknown_version_is_refused(registry, register, name):
    register(1)
    with pytest.raises(RegistryError, match="there is no version 7"):
        registry.require(name, 7)


def test_a_dead_server_is_said_at_once(tmp_path):
    with pytest.raises(TrackingError, match="no answer"):
        versions.open_registry(tmp_path, "http://127.0.0.1:9")
