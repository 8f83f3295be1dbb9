import pytest
from pydantic import ValidationError

from ser.training.recipe import Recipe, TrainingParams, learning_rate_factor


def test_the_rate_rises_linearly_and_falls_along_half_a_cosine():
    assert learning_rate_factor(0.0, 0.2) == 0.0
    assert learning_rate_factor(0.1, 0.2) == pytest.approx(0.5)
    assert learning_rate_factor(0.2, 0.2) == pytest.approx(1.0)
    assert learning_rate_factor(0.6, 0.2) == pytest.approx(0.5)
    assert learning_rate_factor(1.0, 0.2) == pytest.approx(0.0)
    falling = [learning_rate_factor(p / 100, 0.0) for p in range(101)]
    assert falling[0] == 1.0
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,)])
def test_seeds_must_be_there_distinct_and_not_negative(seeds):
    with pytest.raises(ValidationError):
        TrainingParams(seeds=seeds)


@pytest.mark.parametrize(
    "bad", [{"num_epochs": 0}, {"learning_rate": 0}, {"warmup": 1.0}, {"batch_size": 0}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValidationError):
        Recipe(**bad)


@pytest.mark.parametrize("copies", [None, {"clean": 1.0}, dict.fromkeys("abc", 0.333)])
def test_shares_of_copies_are_whole_within_rounding(copies):
    assert Recipe(copies=copies).copies == copies


@pytest.mark.parametrize(
    "copies",
    [{}, {"clean": 0.9}, {"clean": 1.1}, {"clean": 1.0, "speed_0.9": 0.0},
     {"clean": 1.5, "speed_0.9": -0.5}],
)  # fmt: skip
def test_shares_that_are_not_whole_or_not_above_zero_are_refused(copies):
    with pytest.raises(ValidationError, match="shares must be above 0 and in sum 1; the sum is"):
        Recipe(copies=copies)
