import subprocess
import sys

import pytest

from ser.errors import FileError
from ser.serving import long_recordings
from ser.serving.audio_input import Waveform
from ser.serving.segments import SegmentParams
from tests.serving.level_model import LOUD, QUIET, RATE, LevelModel, samples

WHO = {"name": None, "version": None, "cell": "c", "emotions": ["angry", "sad"]}

#: Writes recordings of one and of forty minutes, hears both, and prints how much memory the longer
#: one took beyond the shorter one, in MiB.
_HEAR = """
import resource, sys
from pathlib import Path
import numpy as np, soundfile
from ser.serving import long_recordings
from ser.serving.segments import SegmentParams
from ser.serving.sound import LongFile
from tests.serving.level_model import LOUD, QUIET, LevelModel, samples

minute = samples((30.0, QUIET), (30.0, LOUD))
peaks = []
for num in (1, 40):
    path = Path(sys.argv[1]) / f"{num}.wav"
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for _ in range(num):
            file.write(minute)
    model = LevelModel()
    found = long_recordings.hear(model, LongFile(path, model.limits), SegmentParams(hop_s=1.0))
    assert len(found.segmentation.segments) == 2 * num, len(found.segmentation.segments)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peaks[1] - peaks[0]) / 1024)
"""


def test_forty_minutes_take_no_more_memory_than_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _HEAR, tmp_path], capture_output=True, text=True, check=True
    )
    # 40 minutes at 16 kHz are 146 MiB in float32.
    assert float(done.stdout) < 30


@pytest.fixture
def heard():
    sound = Waveform(samples((5.0, QUIET), (5.0, LOUD)), RATE)
    return long_recordings.hear(LevelModel(), sound, SegmentParams())


def test_how_far_it_is_shows_in_three_loops():
    told = []

    def progress(step):
        return lambda items: told.append(step) or items

    sound = Waveform(samples((5.0, QUIET)), RATE)
    long_recordings.hear(LevelModel(), sound, SegmentParams(), progress=progress)
    assert told == ["listening", "windows", "segments"]


@pytest.mark.parametrize(("name", "kind"), [("a.b.png", b"\x89PNG"), ("a.svg", b"<?xml")])
@pytest.mark.parametrize("synthetic", [True, False])
def test_a_figure_is_known_again_and_says_who_answered(heard, tmp_path, name, kind, synthetic):
    path = tmp_path / name
    who = {**WHO, "synthetic": synthetic, "task": "csv"}
    long_recordings.draw(heard, path, source="dir/talk.wav", answered_by=who)
    content = path.read_bytes()
    assert content.startswith(kind)
    assert long_recordings.is_figure(path)
    if name.endswith("svg"):
        assert (b"SYNTHETIC" in content) is synthetic
        for said in (b"talk.wav", b"angry", b"sad", b"no speech"):
            assert said in content
    path.write_bytes(kind)
    assert not long_recordings.is_figure(path)


def test_figures_of_other_kinds_and_of_several_recordings_are_refused(tmp_path):
    with pytest.raises(FileError, match=r"a\.jpg: a figure ends in \.png or \.svg"):
        long_recordings.require_figure(tmp_path / "a.jpg", ["a.wav"])
    with pytest.raises(FileError, match="there are 2"):
        long_recordings.require_figure(tmp_path / "a.png", ["a.wav", "b.wav"])
