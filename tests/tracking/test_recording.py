"""What a key, a param and a step may be."""

import json
import logging

import pytest

from ser.tracking.recording import MAX_PARAM_CHARS, MetricSteps, check_run_key, flatten


@pytest.mark.parametrize("key", ["", "a/b", "../x", "a'b", "k y"])
def test_run_key_that_cannot_name_a_file_is_refused(key):
    with pytest.raises(ValueError, match="run key"):
        check_run_key(key)


def test_long_param_is_cut_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        flat = flatten({"a": {"b": "x" * (MAX_PARAM_CHARS + 1)}})
    assert len(flat["a.b"]) == MAX_PARAM_CHARS
    assert "param a.b: cut" in caplog.text


def test_empty_mapping_stays_visible_as_a_param():
    assert flatten({"losses": {"ce": {}}}) == {"losses.ce": "{}"}


@pytest.mark.parametrize("name", ["joy (acted)", "anger+", "O'Neil", "é", "a/b", "", "x" * 101])
def test_names_that_a_user_chose_are_part_of_a_value_and_of_no_key(name):
    flat = flatten({"corpus": {"label_map": {name: "happy", "sad": None}, "limit": 3}})
    assert set(flat) == {"corpus.label_map", "corpus.limit"}
    assert json.loads(flat["corpus.label_map"]) == {name: "happy", "sad": None}


def test_single_value_of_a_curve_is_refused():
    steps = MetricSteps()
    steps.accept({"dev/uar": 0.5}, step=1)
    with pytest.raises(ValueError, match="dev/uar: recorded per epoch"):
        steps.accept({"dev/uar": 0.5}, step=None)


def test_single_value_is_recorded_once():
    steps = MetricSteps()
    assert steps.accept({"test/uar": 0.5}, step=None) == {"test/uar": 0.5}
    assert steps.accept({"test/uar": 0.5}, step=None) == {}


def test_metrics_of_one_step_may_come_in_two_calls():
    steps = MetricSteps({"train/loss": 3})
    assert steps.accept({"train/loss": 1.0, "dev/uar": 0.5}, step=3) == {"dev/uar": 0.5}
