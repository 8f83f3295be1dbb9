import dataclasses

import pytest

from ser.errors import ParamsError
from ser.losses import aam, cross_entropy, focal
from ser.models import lstm
from ser.tuning import space
from tests.tuning.support import tiny_cell, tuning_params


def of_cell(plan, **cell):
    return space.of_cell(plan, tuning_params(loss=plan.loss, cell=cell).cells[plan.name])


def names(dimensions):
    return [dimension.name for dimension in dimensions]


def test_by_default_all_of_the_loss_is_searched_and_nothing_else():
    assert names(of_cell(tiny_cell())) == ["loss.gamma", "loss.alpha"]
    margin, scale, warmup = of_cell(tiny_cell("aam"))
    assert (margin.name, margin.unit, margin.published) == ("loss.margin_rad", "rad", 0.5)
    assert (scale.name, scale.log, scale.is_integer) == ("loss.scale", True, False)
    assert (warmup.name, warmup.is_integer, warmup.present) == ("loss.warmup_epochs", True, 5)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (("loss", "learning_rate"), ["loss.gamma", "loss.alpha", "recipe.learning_rate"]),
        (("dropout", "gamma"), ["model.dropout", "loss.gamma"]),
        (("loss.gamma", "loss"), ["loss.gamma", "loss.alpha"]),
        (("recipe.learning_rate",), ["recipe.learning_rate"]),
    ],
)
def test_more_is_searched_when_asked(search, found):
    assert names(of_cell(tiny_cell(), search=search)) == found


def test_a_range_of_params_replaces_the_declared_one():
    gamma, alpha = of_cell(tiny_cell(), ranges={"gamma": (0.5, 3.0)})
    assert (gamma.low, gamma.high) == (0.5, 3.0)
    assert (alpha.low, alpha.high) == (0.0, 2.0)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"search": ("gama",)}, r"tuning\.cells\.lstm-focal: no tunable param is named 'gama'; "
         r"there are: loss, gamma, alpha, learning_rate, dropout"),
        ({"ranges": {"gamma": (-1.0, 2.0)}}, r"gamma: .* greater than or equal to 0"),
        ({"ranges": {"dropout": (0.0, 0.2)}}, r"ranges: model\.dropout is not searched"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_by_name(cell, message):
    with pytest.raises(ParamsError, match=message):
        of_cell(tiny_cell(), **cell)


def test_a_loss_without_params_is_refused_with_what_else_there_is():
    plain = dataclasses.replace(
        tiny_cell(), loss="cross_entropy", loss_params=cross_entropy.Params()
    )
    with pytest.raises(ParamsError, match="cross_entropy has nothing to tune; name some of: learn"):
        of_cell(plain)


def test_the_published_constants_come_first_then_those_of_params():
    plan = dataclasses.replace(tiny_cell("aam"), loss_params=aam.Params(margin_rad=0.1))
    assert space.starts(of_cell(plan)) == [
        {"loss.margin_rad": 0.5, "loss.scale": 30.0, "loss.warmup_epochs": 0},
        {"loss.margin_rad": 0.1, "loss.scale": 16.0, "loss.warmup_epochs": 5},
    ]


def test_params_that_are_the_published_ones_are_tried_once():
    assert space.starts(of_cell(tiny_cell())) == [{"loss.gamma": 2.0, "loss.alpha": 1.0}]


def test_without_a_published_constant_params_come_first():
    plan = dataclasses.replace(tiny_cell(), model_params=lstm.Params(dropout=0.25))
    assert space.starts(of_cell(plan, search=("dropout",))) == [{"model.dropout": 0.25}]


def test_a_start_outside_the_range_is_left_out():
    plan = dataclasses.replace(tiny_cell(), loss_params=focal.Params(gamma=0.5))
    dimensions = of_cell(plan, search=("gamma",), ranges={"gamma": (0.0, 1.0)})
    assert space.starts(dimensions) == [{"loss.gamma": 0.5}]
