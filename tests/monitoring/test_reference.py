import json

import numpy as np
import pandas as pd
import pytest

from ser.errors import FileError
from ser.monitoring import reference
from ser.monitoring.reference import DriftReference
from tests.monitoring.support import heard, reference_of


def test_what_is_written_is_read_and_names_nobody(tmp_path):
    written = reference_of()
    written.write(tmp_path / "r.json")
    assert DriftReference.read(tmp_path / "r.json") == written
    assert "speaker 3" not in (tmp_path / "r.json").read_text()


def test_speakers_are_summarised_by_hand():
    frame = pd.DataFrame(
        {"duration_s": [1.0, np.e, 1.0], "emotion": ["sad", "happy", "sad"], "level_dbfs": -20.0}
    )
    made = reference.build(frame, ["b", "a", "b"], emotions=("happy", "sad"), source="x")
    known = made.quantities["duration_s"]
    assert known.sizes == (2, 1)
    assert known.means == (0.0, 1.0)
    assert known.percentiles[0] == 1.0
    assert made.class_counts == ((0, 2), (1, 0))
    assert (made.num_recordings, made.num_speakers) == (3, 2)


def test_a_quantity_that_is_known_of_some_speakers_has_only_these():
    frame, speakers = heard(num_speakers=3, per_speaker=4)
    frame["distance"] = [np.nan] * 4 + [1.0] * 8
    made = reference.build(
        frame, speakers, emotions=("angry", "happy", "neutral", "sad"), source=""
    )
    assert made.quantities["distance"].sizes == (4, 4)
    assert made.quantities["duration_s"].sizes == (4, 4, 4)


def test_the_order_of_speakers_does_not_tell_their_names():
    frame, speakers = heard()
    renamed = [f"{9 - int(name[-1])}" for name in speakers]
    made = [
        reference.build(frame, names, emotions=("angry", "happy", "neutral", "sad"), source="")
        for names in (speakers, renamed)
    ]
    assert made[0] == made[1]


def test_a_large_corpus_gives_2000_recordings_the_same_each_time():
    assert reference.chosen(7).tolist() == list(range(7))
    assert len(set(reference.chosen(9000))) == 2000
    assert reference.chosen(9000).tolist() == reference.chosen(9000).tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"class_counts": [[1, 2]]},
        {"quantities": {"pitch": {}}},
        {"surprise": 1},
    ],
)
def test_another_form_is_refused_with_the_cure(tmp_path, change):
    path = tmp_path / "r.json"
    reference_of().write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FileError, match="ser register"):
        DriftReference.read(path)
