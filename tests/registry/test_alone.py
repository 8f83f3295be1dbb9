"""The lock of a registry on a server, with a registry that only knows names."""

import os
import socket

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST

from ser.errors import RegistryError
from ser.registry import alone as locks
from ser.registry.alone import alone

URI = "http://127.0.0.1:9"


class Entry:
    def __init__(self, tags):
        self.tags = tags


class Server:
    """A name can be given once, until it is deleted; that is all the lock relies on."""

    def __init__(self):
        self.entries = {}

    def create_registered_model(self, name, tags, description):
        assert description
        if name in self.entries:
            raise MlflowException("it exists", error_code=RESOURCE_ALREADY_EXISTS)
        self.entries[name] = Entry(dict(tags))

    def get_registered_model(self, name):
        if name not in self.entries:
            raise MlflowException("it does not exist", error_code=RESOURCE_DOES_NOT_EXIST)
        return self.entries[name]

    def delete_registered_model(self, name):
        self.get_registered_model(name)
        del self.entries[name]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(locks, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(locks, "_PERIOD_S", 0.01)
    return Server()


def held(server, root, model="m"):
    return alone(server, URI, root, model)


def left_behind(host, pid):
    return Entry({"ser.host": host, "ser.pid": str(pid), "ser.pid_started": "1"})


def test_the_entry_is_there_while_the_lock_is_held_and_gone_after(server, tmp_path):
    with held(server, tmp_path):
        assert list(server.entries) == ["m.lock"]
        assert server.entries["m.lock"].tags["ser.pid"] == str(os.getpid())
    with pytest.raises(KeyError), held(server, tmp_path):
        raise KeyError
    assert server.entries == {}


def test_from_another_checkout_it_is_held_too_and_says_by_whom(server, tmp_path):
    with (
        held(server, tmp_path / "a"),
        pytest.raises(RegistryError, match=rf"process {os.getpid()} on .* delete .* m\.lock"),
        held(server, tmp_path / "b"),
    ):
        pass
    assert server.entries == {}


def test_another_model_is_free(server, tmp_path):
    with held(server, tmp_path / "a"), held(server, tmp_path / "b", "other"):
        assert sorted(server.entries) == ["m.lock", "other.lock"]


def test_what_a_killed_process_left_is_taken_over(server, tmp_path):
    server.entries["m.lock"] = left_behind(socket.gethostname(), os.getpid())
    with held(server, tmp_path):
        assert server.entries["m.lock"].tags["ser.pid_started"] != "1"


@pytest.mark.parametrize("tags", [{}, {"ser.host": "elsewhere", "ser.pid": "1"}])
def test_what_may_still_be_in_use_is_left_alone(server, tmp_path, tags):
    server.entries["m.lock"] = Entry({**tags, "ser.pid_started": "1"})
    with pytest.raises(RegistryError, match="has been changing it"), held(server, tmp_path):
        pass
    assert "m.lock" in server.entries


def test_a_request_that_was_sent_twice_finds_its_own_entry(server, tmp_path, monkeypatch):
    once = server.create_registered_model

    def twice(name, tags, description):
        once(name, tags, description)
        once(name, tags, description)

    monkeypatch.setattr(server, "create_registered_model", twice)
    with held(server, tmp_path):
        assert list(server.entries) == ["m.lock"]


def test_an_entry_that_is_gone_when_the_server_looks_whose_it_is_is_asked_for_again(
    server, tmp_path, monkeypatch
):
    make, refusals = server.create_registered_model, [RESOURCE_DOES_NOT_EXIST]

    def refused_once(name, tags, description):
        if refusals:
            raise MlflowException("it does not exist", error_code=refusals.pop())
        make(name, tags, description)

    monkeypatch.setattr(server, "create_registered_model", refused_once)
    with held(server, tmp_path):
        assert list(server.entries) == ["m.lock"]
