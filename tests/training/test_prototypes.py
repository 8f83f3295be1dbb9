import logging
from types import SimpleNamespace

import pytest
import torch

from ser.training import prototypes

KEY = "train/max_prototype_cosine"
APART = torch.eye(3)
COLLAPSED = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])


def watch(rows, history=()):
    model = SimpleNamespace(prototypes=lambda: rows)
    return prototypes.watch(model, history, ("angry", "happy", "sad"))


def test_a_head_without_prototypes_has_no_metric():
    assert watch(None) == {}


def test_the_metric_is_the_largest_cosine_between_two_prototypes(caplog):
    assert watch(APART) == {KEY: pytest.approx(0.0)}
    closer = torch.tensor([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    assert watch(closer)[KEY] == pytest.approx(0.6)
    assert watch(torch.tensor([[1.0, 0.0], [-2.0, 0.0]]))[KEY] == pytest.approx(-1.0)
    assert not caplog.records


def test_a_collapse_is_said_once_with_its_epoch_and_both_classes(caplog):
    with caplog.at_level(logging.WARNING):
        found = watch(COLLAPSED, [{KEY: 0.1}])
        watch(COLLAPSED, [{KEY: 0.1}, found])
    (record,) = caplog.records
    assert record.getMessage().startswith("epoch 2: prototypes collapsed: cosine 0.995 between")
    assert "between angry and happy" in record.getMessage()
