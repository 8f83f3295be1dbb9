"""Every message about a wrong param names its value once, whichever validator refuses it."""

import importlib
import pkgutil
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError

import pipelines
from ser import components
from ser.data.speech_kind import SpeechKind
from ser.params import Section, StageParams, explain
from ser.training.recipe import TrainingParams
from ser.wording import shown

#: Wrong for one field or another; each word occurs in no message but as the value.
WORDS = ("wrong?", *get_args(SpeechKind), "clean", "ref_wrong", "speed_77", "mp3_77", "room_wrong")
WRONG = (
    *WORDS,
    *([word] for word in WORDS),
    *([word, word] for word in WORDS),
    ["wrong-1", "wrong-2"],
    [77, 77],
    [99, 88],
    -98765,
    98765.4321,
    {"wrong?": [99, 88]},
    {"wrong?": "wrong?"},
)


def classes_below(base):
    for found in base.__subclasses__():
        yield found
        yield from classes_below(found)


def all_params():
    """Return every class of params that a stage, a preset or a component declares."""
    for module in pkgutil.iter_modules(pipelines.__path__):
        importlib.import_module(f"pipelines.{module.name}")
    for family in (
        components.CORPORA,
        components.EXTRACTORS,
        components.MODELS,
        components.LOSSES,
    ):
        for name in components.names(family):
            components.load(family, name)
    found = {*classes_below(Section), *classes_below(StageParams)}
    # Not those of tests, nor what `ser.params` makes to read a section of entries.
    return sorted(
        (
            one
            for one in found
            if one.__module__.startswith(("ser.", "pipelines.")) and one.__module__ != "ser.params"
        ),
        key=lambda one: (one.__module__, one.__qualname__),
    )


def complaints(params: type[BaseModel], field: str, value: object) -> list[str]:
    try:
        params.model_validate({field: value})
    except ValidationError as error:
        return [line for line in explain(error).splitlines() if line.startswith(f"  {field}: ")]
    return []


def test_no_message_says_twice_what_it_got():
    every = [
        (params, field, value, line.removeprefix(f"  {field}: "))
        for params in all_params()
        for field in params.model_fields
        for value in WRONG
        for line in complaints(params, field, value)
    ]
    assert len({(params, field) for params, field, _, _ in every}) > 200
    for params, field, value, message in every:
        said = value if isinstance(value, str) else shown(value)
        where = f"{params.__module__}.{params.__qualname__}.{field}: {message}"
        assert message.count(" got ") <= 1, where
        assert message.count(said) <= 1, where


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seeds", [0, 0], "seeds must be distinct, got [0, 0]"),
        ("targets", "sft", "Input should be 'hard' or 'soft', got 'sft'"),
        ("num_threads", 1.5, "Input should be a valid integer, got 1.5"),
    ],
)
def test_the_value_is_said_by_the_validator_or_by_the_reader(field, value, message):
    assert complaints(TrainingParams, field, value) == [f"  {field}: {message}"]
