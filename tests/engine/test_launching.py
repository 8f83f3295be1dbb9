import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from torch.distributed.elastic.multiprocessing.api import SignalException

from ser import runtime
from ser.engine import launching
from ser.errors import ParamsError, RankError, RankLostError, TrainingError

ECHO = "import sys; sys.exit(int(sys.argv[2]))"


@pytest.fixture(autouse=True)
def nobody_started_it(monkeypatch):
    for name in ("SER_RANKS", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def params(tmp_path):
    def write(text):
        path = tmp_path / "params.yaml"
        path.write_text(text)
        return path

    return write


def test_ranks_are_due_where_params_say_so_and_this_is_none(params, monkeypatch):
    several = params("launcher: accelerate launch -m\ncorpus: {name: demo}\n")
    assert launching.due(several) == "accelerate launch -m"
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")  # torchrun has started it
        assert launching.due(several) is None
    with monkeypatch.context() as patch:
        patch.setenv("SER_RANKS", "/tmp")  # and this is what `due` itself has led to
        assert launching.due(several) is None
    assert launching.due(params("launcher: python -m\n")) is None
    assert launching.due(params("corpus: {name: demo}\n")) is None


def test_a_launcher_that_is_not_there_is_refused_with_others():
    with pytest.raises(ParamsError, match=r"nowhere-run cannot be run here .* write `torchrun"):
        launching.start("nowhere-run -m", "pipelines.train", ["cell"])


@pytest.mark.parametrize("status", [0, 3])
def test_the_status_of_another_launcher_is_that_of_its_ranks(status):
    launcher = f"python -c {shlex.quote(ECHO)}"
    assert launching.start(launcher, "pipelines.train", [str(status)]) == status
    assert "SER_RANKS" not in os.environ


def test_why_a_rank_failed_is_said_once():
    """By whichever rank was the first to say it; the others keep silent."""
    says = (
        "from ser.engine import launching; from ser.errors import TrainingError\n"
        "def body(): raise TrainingError('epoch 1: the loss is not finite')\n"
        "raise SystemExit(launching.run_main(body) or launching.run_main(body))"
    )
    with pytest.raises(RankError, match=r"^epoch 1: the loss is not finite$"):
        launching.start(f"python -c {shlex.quote(says)}", "pipelines.train", [])


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        ({0: (7, 75), 1: (8, -9)}, r"rank 1 \(process 8\) was killed by signal 9 \(SIGKILL\)"),
        ({0: (None, -11)}, r"rank 0 was killed by signal 11 \(SIGSEGV\)"),
        ({0: (7, -250)}, r"signal 250 \(unknown\)"),
        ({0: (7, 75)}, "a process of this fit has ended on another machine"),
    ],
)
def test_what_ranks_cannot_say_themselves_is_said_of_them(failures, said):
    with pytest.raises(RankError, match=said):
        launching._judged(failures)


def test_of_several_that_failed_the_one_that_was_not_drawn_along_counts():
    assert launching._judged({0: (7, 75), 1: (8, 1)}) == 1


def raising(error):
    def body():
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ValueError("no port is free"), RankError, r"cannot start: no port is free; see `torchrun"),
        (subprocess.CalledProcessError(-9, []), RankError, r"rank 0 was killed by signal 9"),
        (SignalException("", signal.SIGTERM), runtime.Terminated, r"^$"),
        (SignalException("", signal.SIGINT), KeyboardInterrupt, r"^$"),
    ],
)
def test_how_a_launcher_of_python_ends_is_said_in_our_words(monkeypatch, error, kind, said):
    launcher = SimpleNamespace(main=raising(error))
    monkeypatch.setitem(sys.modules, "torch.distributed.run", launcher)
    with pytest.raises(kind, match=said) as ended:
        launching.start("torchrun -m", "pipelines.train", [])
    assert type(ended.value) is kind
    assert logging.root.manager.disable == logging.NOTSET


@pytest.mark.parametrize(("code", "status"), [(2, 2), (None, 0), ("no", 1)])
def test_a_launcher_that_refuses_its_options_has_said_so(monkeypatch, code, status):
    launcher = SimpleNamespace(main=raising(SystemExit(code)))
    monkeypatch.setitem(sys.modules, "torch.distributed.run", launcher)
    assert launching.start("torchrun -m", "pipelines.train", []) == status


@pytest.fixture
def rank(monkeypatch, tmp_path):
    """This process is rank 0 of a launcher."""
    monkeypatch.setenv("SER_RANKS", str(tmp_path))
    return tmp_path / "why"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (TrainingError("it diverged"), 1, "it diverged"),
        (RankLostError("another ended"), 75, None),
        (RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer"), 75, None),
        (KeyboardInterrupt(), runtime.INTERRUPTED, None),
        (runtime.Terminated(), runtime.TERMINATED, None),
    ],
)
def test_a_rank_prints_nothing_and_leaves_its_reason(rank, capfd, error, status, said):
    assert launching.run_main(raising(error)) == status
    assert capfd.readouterr().err == ""
    assert (rank.read_text() if rank.exists() else None) == said


def test_a_fault_of_ours_keeps_its_traceback(rank):
    with pytest.raises(ZeroDivisionError):
        launching.run_main(raising(ZeroDivisionError()))
    assert not rank.exists()


def test_a_rank_without_a_starter_of_ours_prints_its_own(capfd):
    assert launching.run_main(raising(TrainingError("it diverged"))) == 1
    assert capfd.readouterr().err == "error: it diverged\n"


#: A rank that waits amid a call of C, where Python handles no signal: for a lock that it holds.
STUCK = """
import ctypes, os
from ser.engine import launching
launching._GRACE_S = launching._PERIOD_S = 0.1
def body():
    mutex = ctypes.create_string_buffer(64)
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
    os.write(1, b"waits\\n")
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
raise SystemExit(launching.run_main(body))
"""


@pytest.mark.stage
@pytest.mark.parametrize("is_told", [True, False], ids=["SIGTERM", "its starter has ended"])
def test_a_rank_that_waits_for_others_ends_all_the_same(rank, is_told):
    command = [sys.executable, "-c", STUCK]
    if not is_told:
        command = ["sh", "-c", f"{shlex.join(command)}; true"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as started:
        assert started.stdout.readline() == b"waits\n"
        time.sleep(0.2)  # it says so before it does
        started.send_signal(signal.SIGTERM if is_told else signal.SIGKILL)
        assert started.stdout.read() == b""  # which the rank has open until it ends
    assert started.returncode == (runtime.TERMINATED if is_told else -signal.SIGKILL)
