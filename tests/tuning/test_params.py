import pytest
from pydantic import ValidationError

from ser.tuning.params import TuningParams

CELL = {"model": "lstm", "loss": "focal", "feature": "mfcc"}


def test_a_cell_has_its_own_number_of_trials_or_that_of_all_and_others_have_none():
    params = TuningParams(num_trials=7, cells={"a": CELL, "b": {**CELL, "num_trials": 0}})
    assert [params.trials_of(name) for name in ("a", "b", "c")] == [7, 0, 0]


def test_by_default_nothing_is_tuned_and_the_loss_is_what_would_be():
    assert TuningParams().cells == {}
    assert TuningParams(cells={"a": CELL}).cells["a"].search == ("loss",)


@pytest.mark.parametrize("ends", [(2.0, 1.0), (1.0, 1.0)])
def test_a_range_that_does_not_rise_is_refused(ends):
    with pytest.raises(ValidationError, match="gamma: the first end must be below the second"):
        TuningParams(cells={"a": {**CELL, "ranges": {"gamma": ends}}})
