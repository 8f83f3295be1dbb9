import socket

import pytest
import torch

from ser.errors import ParamsError, RankError, RankLostError
from ser.training import device, ranks
from ser.training.recipe import TrainingParams

SAID = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", *ranks._SIZES)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing is said of other processes; what a test says is forgotten afterwards."""
    for name in SAID:
        monkeypatch.delenv(name, raising=False)
    return lambda **words: [monkeypatch.setenv(name, word) for name, word in words.items()]


def test_alone_everything_is_done_here():
    ranks.join()
    assert (ranks.size(), ranks.number(), ranks.is_first()) == (1, 0, True)
    assert ranks.gathered("x") == ["x"]
    assert ranks.decided(lambda: "y") == "y"
    tensors = {"w": torch.ones(2)}
    assert ranks.shared(tensors)["w"] is tensors["w"]
    with pytest.raises(ParamsError, match=r"^wrong$"), ranks.together():
        raise ParamsError("wrong")


def test_one_of_a_launcher_is_alone(environment):
    environment(WORLD_SIZE="1", RANK="0", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    ranks.join()
    assert ranks.size() == 1


@pytest.mark.parametrize("name", ranks._SIZES)
def test_who_was_to_be_one_of_several_and_cannot_find_them_is_refused(environment, name):
    environment(**{name: "2"})
    with pytest.raises(RankError, match=rf"2 processes .* not .*MASTER_ADDR.* unset .*{name}"):
        device.accelerator(TrainingParams(device="cpu"))


def test_who_is_told_of_a_head_and_not_of_a_number_is_refused(environment):
    environment(MASTER_ADDR="10.0.0.1", MASTER_PORT="29500", ACCELERATE_USE_CPU="True")
    with pytest.raises(RankError, match=r"MASTER_ADDR is set \(10\.0\.0\.1\).* write `torchrun`"):
        device.accelerator(TrainingParams(device="cpu"))


def test_others_that_do_not_come_are_not_waited_for_in_vain(environment, monkeypatch):
    port = str(free_port())
    environment(WORLD_SIZE="2", RANK="0", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    monkeypatch.setattr(ranks, "JOINING", ranks.timedelta(seconds=0.5))
    with pytest.raises(RankError, match=rf"did not all come to 127\.0\.0\.1:{port} within 0\.5 s"):
        ranks.join()
    assert ranks.size() == 1


@pytest.fixture
def timeouts(environment, monkeypatch):
    """How long a rank would wait, as torch is told; joining ends there."""
    environment(WORLD_SIZE="2", RANK="0", LOCAL_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT="1")
    told = []
    monkeypatch.setattr(ranks, "rendezvous", lambda *_, **__: iter([(None, 0, 2)]))
    monkeypatch.setattr(
        ranks.distributed,
        "init_process_group",
        lambda *_, **settings: told.append(settings["timeout"].total_seconds()),
    )
    return told


@pytest.mark.parametrize(("said", "seconds"), [("", 1800), ("60", 60), ("7200", 7200)])
def test_how_long_a_rank_waits_for_another_is_said_by_the_environment(
    environment, timeouts, said, seconds
):
    environment(SER_RANK_TIMEOUT_S=said)
    ranks.join()
    assert timeouts == [seconds]


@pytest.mark.parametrize(
    "said", ["59", "0", "-60", "10m", "1e3", "86401", "9" * 5000, "\u0665\u0665\u0665"]
)
def test_a_time_that_is_none_or_too_short_to_evaluate_in_is_refused(environment, timeouts, said):
    environment(SER_RANK_TIMEOUT_S=said)
    with pytest.raises(RankError, match=r"SER_RANK_TIMEOUT_S must be whole seconds from 60 to"):
        ranks.join()
    assert timeouts == []


def test_a_library_that_trains_with_fewer_is_refused():
    ranks.require_all_joined(1)
    with pytest.raises(RankError, match="1 processes have joined, but Accelerate trains with 2"):
        ranks.require_all_joined(2)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:538] Connection closed"),
        torch.distributed.DistBackendError("NCCL error"),
        torch.distributed.DistNetworkError("Broken pipe"),
    ],
)
def test_what_torch_says_of_a_lost_rank_is_one_error_of_ours(error):
    said = "goes on from the last checkpoint"
    with pytest.raises(RankLostError, match=said), ranks.noticing_the_lost():
        raise error


def test_another_fault_keeps_its_words():
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2"), ranks.noticing_the_lost():
        raise RuntimeError("mat1 and mat2")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
