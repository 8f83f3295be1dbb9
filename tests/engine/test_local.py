import multiprocessing
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from ser import runtime
from ser.engine.local import LocalEngine, sized
from ser.errors import ParamsError


def note(folder, unit):
    """Leave which process did a unit."""
    (Path(folder) / unit).write_text(str(os.getpid()))


def note_or_fail(folder, unit):
    if unit == "wrong":
        raise ParamsError("params.yaml: there is no such cell")
    if unit == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if unit == "broken":
        raise ValueError("a fault of ours")
    note(folder, unit)


def note_and_wait(folder, unit):
    note(folder, unit)
    try:
        time.sleep(60)
    finally:
        (Path(folder) / f"{unit}-closed").touch()


def done(folder):
    return {path.name: int(path.read_text()) for path in folder.iterdir()}


@pytest.mark.parametrize("num_processes", [1, 2])
def test_every_unit_is_done_once_and_what_became_of_it_is_told(tmp_path, num_processes):
    units = ["a", "b", "c", "d", "e"]
    outcomes = list(LocalEngine(num_processes).run(partial(note, tmp_path), units))
    assert sorted(outcome.unit for outcome in outcomes) == units
    assert {outcome.error for outcome in outcomes} == {None}
    pids = done(tmp_path)
    assert sorted(pids) == units
    assert len(set(pids.values())) == num_processes
    assert (os.getpid() in pids.values()) == (num_processes == 1)


def has_imported(module, unit):
    """Fail where this process has not imported a module before its first unit."""
    if module not in sys.modules:
        raise ParamsError(f"{unit}: not imported")


def test_processes_import_what_they_are_told_before_their_first_unit():
    for imports, told in (((), ["a: not imported"] * 2), (("colorsys",), [None, None])):
        with LocalEngine(2, imports=imports) as engine:
            outcomes = list(engine.run(partial(has_imported, "colorsys"), ["a", "a"]))
        assert [outcome.error for outcome in outcomes] == told
    with LocalEngine(2, imports=["colorsys"]):
        pass  # processes without any unit end as well
    assert not multiprocessing.active_children()


def test_in_a_with_block_processes_go_on_to_the_next_units_and_a_dead_one_is_replaced(tmp_path):
    with LocalEngine(2) as engine:
        first = processes(engine, tmp_path / "1", ["a", "b"])
        survivor = processes(engine, tmp_path / "2", ["killed", "b"])
        third = processes(engine, tmp_path / "3", ["a", "b"])
    assert survivor < first
    assert survivor < third != first
    assert not any(psutil.pid_exists(pid) for pid in first | third)
    assert (first | third).isdisjoint(processes(engine, tmp_path / "4", ["a", "b"]))


def test_a_process_that_died_while_it_waited_is_replaced(tmp_path):
    with LocalEngine(2) as engine:
        first = processes(engine, tmp_path / "1", ["a", "b"])
        victim = psutil.Process(min(first))
        victim.kill()
        victim.wait()
        assert victim.pid not in processes(engine, tmp_path / "2", ["a", "b", "c"])


def processes(engine, folder, units):
    """Return which processes did the units that could be done."""
    folder.mkdir()
    assert len(list(engine.run(partial(note_or_fail, folder), units))) == len(units)
    return set(done(folder).values())


def test_no_unit_needs_no_process():
    assert list(LocalEngine(2).run(partial(note, "nowhere"), [])) == []


@pytest.mark.parametrize("num_processes", [1, 2])
def test_a_unit_that_is_refused_says_why_and_the_others_are_done(tmp_path, num_processes):
    units = ["wrong", "a", "b"]
    outcomes = list(LocalEngine(num_processes).run(partial(note_or_fail, tmp_path), units))
    errors = {outcome.unit: outcome.error for outcome in outcomes}
    assert errors == {"wrong": "params.yaml: there is no such cell", "a": None, "b": None}
    assert sorted(done(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("killed", "its process was killed by signal 9; if memory ran out, use fewer at once"),
        ("broken", "its process ended with status 1; the messages above say why"),
    ],
)
def test_a_process_that_dies_takes_its_unit_alone(tmp_path, unit, message):
    units = ["a", unit, "b", "c"]
    outcomes = list(LocalEngine(2).run(partial(note_or_fail, tmp_path), units))
    errors = {outcome.unit: outcome.error for outcome in outcomes}
    assert errors.pop(unit).startswith(message)
    assert errors == dict.fromkeys("abc")
    assert sorted(done(tmp_path)) == ["a", "b", "c"]


def test_an_interrupt_ends_the_processes_as_sigterm_does(tmp_path):
    outcomes = LocalEngine(2).run(partial(note_and_wait, tmp_path), ["a", "b", "c"])

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        while_waiting(tmp_path, ["a", "b"])
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert {"a-closed", "b-closed"} <= {path.name for path in tmp_path.iterdir()}
    assert "c" not in {path.name for path in tmp_path.iterdir()}
    for pid in (int((tmp_path / name).read_text()) for name in ("a", "b")):
        assert not psutil.pid_exists(pid)


def while_waiting(folder, names):
    """Send this process an alarm as soon as units have begun."""
    import threading

    def wait():
        while not all((folder / name).exists() for name in names):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGALRM)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize(("num_units", "expected"), [(0, 1), (7, 1), (16, 2), (27, 3), (80, 3)])
def test_few_units_are_not_worth_further_processes(monkeypatch, num_units, expected):
    monkeypatch.setattr(runtime, "num_processors", lambda: 3)
    assert sized(num_units, at_least=8).num_processes == expected
