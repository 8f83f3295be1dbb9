import dataclasses
import os
import socket
import subprocess
import sys
import time

import pytest

from ser import processes
from ser.processes import this_process


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_this_process_is_this_one_and_lives():
    found = this_process()
    assert (found.host, found.pid) == (socket.gethostname(), os.getpid())
    assert 0 <= time.time() - found.started < 24 * 3600
    assert not found.has_ended


@pytest.mark.parametrize(
    ("changes", "has_ended"),
    [
        ({"started": None}, False),  # not written down: the id alone decides
        ({"started": 3.0}, False),  # a clock correction
        ({"started": -1000.0}, True),  # somebody else's id by now
        ({"host": "elsewhere", "started": -1000.0}, False),  # nothing is known of it
    ],
)
def test_a_living_id_is_the_same_process_if_it_started_then(changes, has_ended):
    me = this_process()
    if changes["started"] is not None:
        changes = changes | {"started": me.started + changes["started"]}
    assert dataclasses.replace(me, **changes).has_ended == has_ended


def test_a_process_whose_id_is_gone_has_ended():
    assert dataclasses.replace(this_process(), pid=dead_pid()).has_ended


def test_a_child_that_does_not_end_when_asked_is_killed():
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); "
    with subprocess.Popen(
        [sys.executable, "-c", deaf + "signal.pause()"], stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        (found,) = [one for one in processes.children() if one.pid == child.pid]
        processes.end([found], grace_s=0.1)
        assert not found.is_running()
