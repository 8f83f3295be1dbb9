import pytest

from ser.errors import ParamsError, UnknownComponentError
from ser.grid.plans import CellSections
from ser.params import parse

CONTENT = {
    "features": {"mfcc": {"hop_ms": 20.0}, "gone": {}},
    "models": {"lstm": {"hidden_size": 8}, "gone": {}},
    "losses": {"focal": {"gamma": 1.0}, "gone": {}},
    "recipes": {"lstm": {"num_epochs": 3}},
    "training": {"seeds": [4]},
    "cells": "another stage's",
}


def sections(**changes):
    return parse({**CONTENT, **changes}, CellSections, where="params.yaml")


def test_a_plan_is_what_the_sections_say_of_a_cell_and_other_entries_are_not_looked_at():
    plan = sections().plan("lstm", "focal", emotions=("angry", "sad"), where="params.yaml")
    assert plan.name == "lstm-focal"
    assert (plan.model_params.hidden_size, plan.loss_params.gamma) == (8, 1.0)
    assert (plan.recipe.num_epochs, plan.training.seeds) == (3, (4,))
    assert plan.emotions == ("angry", "sad")
    assert sections().feature("mfcc", where="params.yaml").hop_ms == 20.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": {}}, r"x\.yaml: there is no recipes\.lstm; `lstm: \{\}` will do"),
        ({"models": {}}, r"x\.yaml: the section models has no entry lstm"),
        ({"losses": {"focal": {"gama": 1}}}, r"x\.yaml, section losses, .*\n.*focal\.gama"),
    ],
)
def test_what_is_missing_or_wrong_is_said_with_its_file(changes, message):
    with pytest.raises(ParamsError, match=message):
        sections(**changes).plan("lstm", "focal", emotions=("sad",), where="x.yaml")


def test_a_component_that_there_is_not_is_refused():
    with pytest.raises(UnknownComponentError, match=r"no model is named 'gone'"):
        sections().plan("gone", "focal", emotions=("sad",), where="x.yaml")
    with pytest.raises(UnknownComponentError, match="no feature is named 'gone'"):
        sections().feature("gone", where="x.yaml")
