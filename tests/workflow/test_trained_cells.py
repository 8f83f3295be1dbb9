"""What is said of cells that are there; `ser results` and `ser train` show it of real ones."""

import pytest

from ser.errors import FileError, TuningError
from ser.evaluation import summary
from ser.grid import tuned
from ser.grid.params import CellParams
from ser.project import Project
from ser.workflow import trained_cells
from tests.evaluation.support import cell

FOCAL = CellParams(model="lstm", loss="focal", feature="mfcc")


def test_the_scores_of_a_cell_are_one_line_with_their_intervals():
    frame, speaker_of = cell(num_seeds=2, num_folds=3)
    scores = summary.summarise(frame, speaker_of)
    uar, interval = 100 * scores.scores["uar"], scores.intervals["uar"]
    line = trained_cells.sentence("lstm-focal", scores)
    assert line.startswith(
        f"lstm-focal: test UAR {uar:.1f} ({100 * interval.low:.1f} to {100 * interval.high:.1f}), "
    )
    assert line.endswith(" %, 95 % intervals; 3 folds, 2 seeds")


def test_a_cell_that_is_to_be_tuned_is_not_trained_without(tmp_path):
    project = Project(tmp_path)
    with pytest.raises(FileError, match=r"tuned/mfcc\.json: no such file; `dvc repro tune`"):
        trained_cells.require_tuned(project, FOCAL)
    # Of another preset, which keeps the values of this cell.
    tuned.write(project.tuned("mfcc"), {("lstm", "focal"): {1: tuned.UNTUNED}})
    with pytest.raises(TuningError, match=r"lstm\.focal was not tuned, and params\.yaml tunes it"):
        trained_cells.require_tuned(project, FOCAL)
    chosen = tuned.TunedFold({"loss.gamma": 1.0}, "study", 2, 0.5)
    tuned.write(project.tuned("mfcc"), {("lstm", "focal"): {1: chosen}})
    trained_cells.require_tuned(project, FOCAL)
