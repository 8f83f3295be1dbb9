import pytest
import torch
from torch import nn
from torch.optim import AdamW

from ser.errors import CheckpointError
from ser.training.checkpoint import (
    Checkpoint,
    Snapshot,
    optimiser_tensors,
    restore_optimiser,
)


def snapshot():
    return Snapshot(
        model={"w": torch.tensor([1.0, 2.0])},
        best={"w": torch.tensor([3.0])},
        optimiser={"0/step": torch.tensor(4.0)},
        progress={"history": [{"dev/uar": 0.1 + 0.2}], "best_epoch": 1},
    )


def test_a_snapshot_survives_the_file_to_the_last_bit(tmp_path):
    checkpoint = Checkpoint(tmp_path / "runs" / "last.safetensors", "key")
    assert checkpoint.load() is None
    checkpoint.save(snapshot())
    back = checkpoint.load()
    assert torch.equal(back.model["w"], torch.tensor([1.0, 2.0]))
    assert torch.equal(back.best["w"], torch.tensor([3.0]))
    assert torch.equal(back.optimiser["0/step"], torch.tensor(4.0))
    assert back.progress["history"] == [{"dev/uar": 0.1 + 0.2}]


def test_a_save_is_due_when_its_seconds_have_passed_since_the_last(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("ser.training.checkpoint.time.monotonic", lambda: now)
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key", every_s=5.0)
    now += 60.0  # a fit that comes before this one
    checkpoint.load()
    assert not checkpoint.is_due
    now += 5.0
    assert checkpoint.is_due
    checkpoint.save(snapshot())
    assert not checkpoint.is_due


def test_another_runs_checkpoint_is_refused(tmp_path):
    Checkpoint(tmp_path / "last.safetensors", "one").save(snapshot())
    with pytest.raises(CheckpointError, match="belongs to run 'one', not to 'other'"):
        Checkpoint(tmp_path / "last.safetensors", "other").load()


def test_a_damaged_checkpoint_is_refused_with_the_cure(tmp_path):
    path = tmp_path / "last.safetensors"
    path.write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match="remove it to train anew"):
        Checkpoint(path, "key").load()


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    checkpoint.save(snapshot())

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("ser.training.checkpoint.save_file", die)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(snapshot())
    assert checkpoint.load() is not None


def test_a_restored_optimiser_takes_the_same_next_step():
    def step(model, optimiser):
        optimiser.zero_grad()
        model(torch.ones(1, 2)).square().sum().backward()
        optimiser.step()

    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    optimiser = AdamW(model.parameters(), lr=0.1)
    step(model, optimiser)
    twin = nn.Linear(2, 2)
    twin.load_state_dict(model.state_dict())
    twin_optimiser = AdamW(twin.parameters(), lr=0.1)
    restore_optimiser(twin_optimiser, optimiser_tensors(optimiser))
    step(model, optimiser)
    step(twin, twin_optimiser)
    assert torch.equal(model.weight, twin.weight)
