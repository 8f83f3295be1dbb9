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
