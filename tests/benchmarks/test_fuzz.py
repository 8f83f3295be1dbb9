"""A short run of the fuzzer; `python -m benchmarks.fuzz` is the long one."""

import pytest

from benchmarks import fuzz, mutations
from ser.data import audio, containers


@pytest.mark.stage
def test_damaged_recordings_and_tables_end_well():
    assert fuzz.supervise(range(150), seed=1) is None


def test_every_container_is_damaged():
    tried = {name.partition("-")[0] for name in mutations.originals()}
    assert tried > set(containers.KNOWN)


def test_what_escapes_is_found(monkeypatch, tmp_path):
    def fail(*_):
        raise KeyError("a")

    monkeypatch.setattr(audio, "inspect", fail)
    with pytest.raises(KeyError):
        fuzz.check_recording(0, 0, tmp_path)


def test_a_disagreement_of_training_and_serving_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz.audio_input, "from_bytes", lambda *_: None)
    faults = [fuzz.check_recording(number, 0, tmp_path) for number in range(8)]
    assert any(fault and "training says" in fault for fault in faults)
