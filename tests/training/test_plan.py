import dataclasses

import pytest

from ser import components
from ser.batch import FeatureSpec
from ser.errors import ParamsError
from ser.losses import focal
from ser.training import device
from ser.training.plan import with_precision
from ser.training.recipe import TrainingParams
from tests.training.support import make_plan


@pytest.fixture
def plan():
    return dataclasses.replace(make_plan(), loss="focal", loss_params=focal.Params())


def test_values_replace_those_of_each_section_and_nothing_else(plan):
    values = {"loss.gamma": 1.5, "model.dropout": 0.25, "recipe.learning_rate": 0.5}
    changed = plan.with_values(values)
    assert changed.loss_params == focal.Params(gamma=1.5)
    assert changed.model_params == plan.model_params.model_copy(update={"dropout": 0.25})
    assert changed.recipe == plan.recipe.model_copy(update={"learning_rate": 0.5})
    assert (
        dataclasses.replace(plan, recipe=changed.recipe).params()["recipe"]
        == (changed.params()["recipe"])
    )
    assert plan.loss_params == focal.Params()


def test_no_values_leave_the_plan_as_it_is(plan):
    assert plan.with_values({}) == plan


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"loss.gama": 1.0},
            r"tuned losses\.focal .*\n  gama: there is no such key; did you mean 'gamma'",
        ),
        ({"loss.gamma": 99.0}, r"losses\.focal .*\n  gamma: .* less than or equal to 10, got 99"),
        ({"model.dropout": 1.0}, r"models\.lstm .*\n  dropout: "),
        ({"training.seeds": 1.0}, r"cell lstm-focal: no param is named 'training\.seeds'"),
        ({"gamma": 1.0}, r"no param is named 'gamma'; expected model\.<param>"),
    ],
)
def test_a_value_that_params_yaml_could_not_have_is_refused(plan, values, message):
    with pytest.raises(ParamsError, match=message):
        plan.with_values(values)


@pytest.mark.parametrize(
    ("freeze", "num_layers", "expected"),
    [
        ("feature_encoder", None, "bfloat16"),
        (2, 1, "bfloat16"),
        (2, 0, "float32"),  # frames are pooled, no layer is trained
        ("all", None, "float32"),
    ],
)
def test_auto_is_bfloat16_for_cells_that_train_layers_of_a_transformer(
    monkeypatch, freeze, num_layers, expected
):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda **_: True)
    hubert = components.load("ser.models", "hubert")
    plan = dataclasses.replace(
        make_plan(TrainingParams(precision="auto", seeds=(4,))),
        model="hubert",
        model_params=hubert.Params(num_layers=num_layers),
    )
    found = with_precision(plan, FeatureSpec("hubert", 8, {"freeze": freeze}))
    assert found.training == plan.training.model_copy(update={"precision": expected})
    assert found.params()["training"]["precision"] == expected


def test_auto_is_float32_for_a_model_without_a_transformer(monkeypatch):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda **_: True)
    plan = make_plan(TrainingParams(precision="auto"))
    assert with_precision(plan, FeatureSpec("mfcc", 8)).training.precision == "float32"
