import threading
import time

from ser.errors import TuningError
from ser.tuning import heartbeat


class Storage:
    def __init__(self):
        self.beats = []

    def record_heartbeat(self, trial_id):
        self.beats.append((trial_id, threading.current_thread().name))


def test_it_beats_at_once_and_again_and_ends_with_the_block(monkeypatch):
    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.01)
    storage = Storage()
    with heartbeat.beating(storage, 7):
        assert storage.beats == [(7, threading.main_thread().name)]
        deadline = time.monotonic() + 5
        while len(storage.beats) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    count = len(storage.beats)
    assert count >= 3
    assert storage.beats[1] == (7, "heartbeat")
    time.sleep(0.05)
    assert len(storage.beats) == count


def test_it_goes_on_after_a_beat_that_the_storage_did_not_take(monkeypatch, caplog):
    class Locked(Storage):
        def record_heartbeat(self, trial_id):
            super().record_heartbeat(trial_id)
            if len(self.beats) == 2:
                raise TuningError("study storage: locked")

    monkeypatch.setattr(heartbeat, "HEARTBEAT_S", 0.01)
    storage = Locked()
    with heartbeat.beating(storage, 7):
        deadline = time.monotonic() + 5
        while len(storage.beats) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(storage.beats) >= 4
    assert caplog.messages == ["study storage: locked"]
