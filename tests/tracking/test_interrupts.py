"""An interrupt in the middle of what the store does leaves no run that is RUNNING for good."""

import os
import signal
import threading

import pytest
from mlflow import MlflowClient

from ser import runtime
from ser.contracts import RunSpec
from ser.tracking.mlflow_tracker import open_experiment

SPEC = RunSpec("lstm-focal", "cell-key", {}, {"lr": 0.1})

CLOSED = {"create_run": "KILLED", "update_run": "KILLED", "set_terminated": "FINISHED"}


@pytest.fixture
def experiment(root):
    return open_experiment("ser/demo/session", note="demo", tags={}, root=root)


@pytest.fixture
def interrupt(monkeypatch):
    """Send a signal to this process after the store has done something, before it says so."""

    def when(method, number):
        do, pending = getattr(MlflowClient, method), [number]

        def interrupted(self, *arguments, **named):
            answer = do(self, *arguments, **named)
            if pending:
                os.kill(os.getpid(), pending.pop())
                "".join(map(str, range(100)))  # handlers run between two steps of Python
            return answer

        monkeypatch.setattr(MlflowClient, method, interrupted)

    return when


def record(experiment):
    with runtime.sigterm_as_interrupt(), experiment.run(SPEC):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", CLOSED)
def test_a_run_that_is_interrupted_while_it_is_opened_or_closed_is_closed(
    experiment, interrupt, method, number
):
    if method == "update_run":
        with pytest.raises(ZeroDivisionError), experiment.run(SPEC):
            raise ZeroDivisionError
    interrupt(method, number)
    with pytest.raises(KeyboardInterrupt):
        record(experiment)
    (run,) = experiment.client.search_runs([experiment.experiment_id])
    assert run.info.status == CLOSED[method]
    record(experiment)
    assert experiment.is_finished("cell-key")


def test_an_interrupt_while_a_run_trains_is_not_kept_waiting(experiment):
    passed = []

    def train():
        with experiment.run(SPEC):
            signal.raise_signal(signal.SIGINT)
            passed.append(1)

    with pytest.raises(KeyboardInterrupt):
        train()
    assert passed == []
    (run,) = experiment.client.search_runs([experiment.experiment_id])
    assert run.info.status == "KILLED"


def test_who_asks_twice_is_not_kept_waiting():
    before = signal.getsignal(signal.SIGINT)
    done = []

    def ask_twice():
        with runtime.holding_interrupts():
            for name in ("first", "second"):
                signal.raise_signal(signal.SIGINT)
                done.append(name)

    with pytest.raises(KeyboardInterrupt):
        ask_twice()
    assert done == ["first"]
    assert signal.getsignal(signal.SIGINT) is before


def test_what_ends_the_process_at_once_still_does():
    with runtime.holding_interrupts():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_outside_the_main_thread_nothing_is_held():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with runtime.holding_interrupts() as held, held.let_through():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
