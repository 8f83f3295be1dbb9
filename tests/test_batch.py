import dataclasses

import pytest
import torch

from ser.batch import Batch, ModelOutput, valid_frames


def test_valid_frames_are_those_before_the_length():
    mask = valid_frames(torch.tensor([2, 4, 1]), 4)
    assert mask.dtype == torch.bool
    assert mask.tolist() == [
        [True, True, False, False],
        [True, True, True, True],
        [True, False, False, False],
    ]


def test_a_moved_batch_keeps_its_rows_and_moves_every_tensor():
    batch = Batch(
        ("a", "b"),
        torch.randn(2, 3, 4),
        torch.tensor([3, 2]),
        torch.tensor([0, 1]),
        torch.tensor([[3.0, 4.0, 2.5], [1.0, 2.0, float("nan")]]),
    )
    # The device without memory: every machine has it, and it is not the CPU.
    moved = batch.to(torch.device("meta"))
    assert moved.ids == ("a", "b")
    for name in ("inputs", "lengths", "labels", "ratings"):
        assert getattr(moved, name).device.type == "meta"
        assert getattr(moved, name).shape == getattr(batch, name).shape
    assert batch.inputs.device.type == "cpu"


def test_what_has_no_ratings_has_none_on_another_device_either():
    batch = Batch(("a",), torch.zeros(1, 1, 1), torch.tensor([1]), torch.tensor([0]))
    assert batch.to(torch.device("meta")).ratings is None
    assert (
        ModelOutput(torch.zeros(1, 2), torch.zeros(1, 4)).to(torch.device("meta")).ratings is None
    )


def test_a_moved_output_moves_every_tensor():
    output = ModelOutput(torch.zeros(1, 2), torch.zeros(1, 4), torch.zeros(1, 3))
    moved = output.to(torch.device("meta"))
    for name in ("embedding", "logits", "ratings"):
        assert getattr(moved, name).device.type == "meta"
        assert getattr(moved, name).shape == getattr(output, name).shape


def test_a_batch_is_not_changed_in_place():
    batch = Batch(("a",), torch.zeros(1, 1, 1), torch.tensor([1]), torch.tensor([0]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.ids = ("b",)
