import copy
import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ser.contracts import RunSpec
from ser.errors import TrainingError
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training import fit, model_selection
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fit import FitState
from ser.training.plan import build_loss, build_model
from ser.training.predict import predict
from ser.training.recipe import Recipe, TrainingParams
from tests.rounding import NETWORK
from tests.training.support import CAME_FROM, killed, make_context, make_plan

pytestmark = pytest.mark.numeric


def train(plan, fold_data, seed=0, checkpoint=None):
    return folds.train_fold(plan, fold_data, make_context(seed, checkpoint))


def same_weights(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def test_training_learns_what_the_features_tell(fold_data):
    result = train(make_plan(num_epochs=12, patience=12), fold_data)
    test = result.predictions[result.predictions["part"] == "test"]
    assert (test["truth"] == test["prediction"]).mean() > 0.8
    history = result.fit.history
    assert history[-1]["train/loss"] < history[0]["train/loss"] / 2


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(fold_data, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        folds.save(
            train(make_plan(), fold_data, seed),
            tmp_path / name,
            fold=1,
            seed=0,
            came_from=CAME_FROM,
        )
    for file in ("predictions.parquet", "model.safetensors", "history.json"):
        first, second, third = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == second, file
        if file != "predictions.parquet":
            assert first != third, file


def test_corrupting_every_test_label_changes_no_weight_and_no_choice(fold_data, corrupted):
    honest, wrong = train(make_plan(), fold_data), train(make_plan(), corrupted)
    assert same_weights(honest.fit.weights, wrong.fit.weights)
    assert honest.fit.best_epoch == wrong.fit.best_epoch
    assert honest.fit.history == wrong.fit.history
    columns = [c for c in honest.predictions if c.startswith("probability_")]
    assert honest.predictions[columns].equals(wrong.predictions[columns])
    test = honest.predictions["part"] == "test"
    assert (honest.predictions["truth"] != wrong.predictions["truth"]).equals(test)


@pytest.mark.parametrize("stop_after", [1, 3])
def test_an_interrupted_fit_ends_with_the_bytes_of_an_uninterrupted_one(
    fold_data, tmp_path, monkeypatch, stop_after
):
    plan = make_plan(num_epochs=5)
    whole = train(plan, fold_data)
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch, after=stop_after):
        train(plan, fold_data, checkpoint=checkpoint)
    resumed = train(plan, fold_data, checkpoint=checkpoint)
    assert same_weights(whole.fit.weights, resumed.fit.weights)
    assert whole.fit.history == resumed.fit.history
    assert whole.predictions.equals(resumed.predictions)


def test_the_best_epoch_has_the_highest_dev_uar_and_ties_go_to_the_earlier_one():
    progress = FitState()
    for epoch, uar in enumerate([0.3, 0.6, 0.6, 0.5], start=1):
        progress.add({"epoch": epoch, "dev/uar": uar}, {"w": torch.tensor([float(epoch)])})
    assert progress.best_epoch == 2
    assert progress.best_score == 0.6
    assert progress.best["w"].item() == 2.0


def test_training_stops_when_patience_is_out():
    recipe = Recipe(num_epochs=100, patience=3)
    progress = FitState()
    for uar in (0.5, 0.6, 0.5, 0.5):
        progress.add({"dev/uar": uar}, {})
        assert not progress.is_over(recipe)
    progress.add({"dev/uar": 0.6}, {})
    assert progress.is_over(recipe)


def test_the_restored_weights_are_those_of_the_best_epoch(fold_data):
    result = train(make_plan(num_epochs=6), fold_data)
    dev = result.predictions[result.predictions["part"] == "dev"]
    recalls = [(rows["prediction"] == emotion).mean() for emotion, rows in dev.groupby("truth")]
    assert np.mean(recalls) == pytest.approx(result.fit.dev_score)
    assert result.fit.dev_score == max(row["dev/uar"] for row in result.fit.history)


def test_the_gradient_of_two_half_batches_is_that_of_the_whole(fold_data):
    def norm(**recipe):
        plan = make_plan(TrainingParams(balance="none"), num_epochs=1, **recipe)
        no_dropout = plan.model_params.model_copy(update={"dropout": 0.0})
        plan = dataclasses.replace(plan, model_params=no_dropout)
        return train(plan, fold_data).fit.history[0]["train/gradient_norm"]

    whole = norm(batch_size=48)
    assert norm(batch_size=24, accumulation=2) == pytest.approx(whole, rel=NETWORK)
    assert norm(batch_size=16, accumulation=3) == pytest.approx(whole, rel=NETWORK)
    # The last, incomplete group is a step of its own: two steps, another mean norm.
    assert norm(batch_size=16, accumulation=2) != pytest.approx(whole, rel=NETWORK)


def test_every_epoch_is_tracked_once_under_its_keys(fold_data):
    experiment = MemoryExperiment()
    spec = RunSpec("lstm-cross_entropy", "key", {}, {})
    with experiment.run(spec) as tracker:
        context = dataclasses.replace(make_context(), tracker=tracker)
        result = folds.train_fold(make_plan(), fold_data, context)
    (run,) = experiment.runs.values()
    assert {"train/loss", "dev/loss", "dev/uar", "train/learning_rate"} <= run.metrics.keys()
    assert [step for step, _ in run.metrics["dev/uar"]] == [1, 2, 3, 4]
    assert run.metrics["dev/uar"][-1][1] == result.fit.history[-1]["dev/uar"]


def test_a_loss_that_is_not_finite_stops_training_and_names_the_batch(fold_data):
    plan = make_plan(num_epochs=8)
    # Beyond what params.yaml may say.
    recipe = plan.recipe.model_copy(update={"learning_rate": 1e30, "gradient_clip": 1e30})
    diverging = dataclasses.replace(plan, recipe=recipe)
    with pytest.raises(TrainingError, match=r"epoch \d+: .* is not finite in the batch of Ses"):
        train(diverging, fold_data)


def test_noise_changes_training_and_is_the_same_for_the_same_seed(fold_data):
    plain, noisy, again = (
        train(make_plan(num_epochs=2, feature_noise=noise), fold_data) for noise in (0.0, 0.5, 0.5)
    )
    assert same_weights(noisy.fit.weights, again.fit.weights)
    assert not same_weights(noisy.fit.weights, plain.fit.weights)


@pytest.mark.parametrize("balance", ["none", "class_weights", "weighted_sampler"])
def test_every_policy_against_imbalance_trains(fold_data, balance):
    result = train(make_plan(TrainingParams(balance=balance), num_epochs=2), fold_data)
    assert len(result.fit.history) == 2


def test_class_weights_come_from_the_train_part(fold_data):
    weights = model_selection._class_weights(np.eye(4)[[0, 0, 0, 1, 2, 3]])
    np.testing.assert_allclose(weights.numpy(), [0.5, 1.5, 1.5, 1.5])
    with pytest.raises(TrainingError, match=r"\[3\] are missing from the train part"):
        model_selection._class_weights(np.eye(4)[[0, 1, 2]])


@pytest.fixture
def bfloat16_context(monkeypatch):
    context = make_context()
    # Accelerate keeps one state per process; another precision needs a fresh one.
    AcceleratorState._reset_state(reset_partial_state=True)
    if "ONEDNN_MAX_CPU_ISA" in os.environ and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        # Torch asks the processor whether it multiplies bfloat16, not oneDNN, which fails where it
        # is told to do with less; torch's own kernels are what a lesser processor gets for it.
        monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    yield dataclasses.replace(context, accelerator=Accelerator(cpu=True, mixed_precision="bf16"))
    AcceleratorState._reset_state(reset_partial_state=True)


def test_bfloat16_trains(fold_data, bfloat16_context):
    history = folds.train_fold(make_plan(num_epochs=6), fold_data, bfloat16_context).fit.history
    assert history[-1]["train/loss"] < history[0]["train/loss"]


def test_what_trained_in_bfloat16_answers_in_float32_as_a_server_does(fold_data, bfloat16_context):
    plan = make_plan(num_epochs=1)
    selected = model_selection.select(plan, fold_data.development, bfloat16_context)
    loss = build_loss(plan)
    served = build_model(plan, feature=fold_data.store.spec, head=loss.head)
    served.load_state_dict(selected.fit.weights)
    found, expected = (
        predict(
            model, selected.dev, batch_size=8, max_frames=None, device=torch.device("cpu")
        ).output.logits
        for model in (selected.model, served)
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


_TWO_PROCESSES = """
import sys
from pathlib import Path
import pytest
import torch
from accelerate import Accelerator
from ser.errors import ParamsError, RankError
from ser.features.store import FeatureStore
from ser.grid import same_folds
from ser.training import fold as folds
from ser.training import ranks
from ser.training.fold import FoldData
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.training.support import CAME_FROM, make_context, make_plan

folder = Path(sys.argv[1])
utterances = synthetic.corpus()
ranks.join()
accelerator = Accelerator(cpu=True)
assert accelerator.num_processes == ranks.size() == 2
rank = accelerator.process_index
assert ranks.decided(lambda: (synthetic.feature_store(folder / "mfcc", utterances), rank)[1]) == 0

# What each knows, all get; what rank 0 has, all get, whatever its shape and type.
assert ranks.gathered(f"of {rank}") == ["of 0", "of 1"]
sent = {"w": torch.arange(6.0).view(2, 3).T, "step": torch.tensor(3.0), "none": torch.empty(0, 2),
        "half": torch.ones(2, dtype=torch.bfloat16), "flags": torch.tensor([True, False])}
got = ranks.shared(sent if rank == 0 else {})
assert all(torch.equal(got[name], sent[name]) for name in sent)
assert all(got[name].dtype == sent[name].dtype for name in sent)

# What fails on one fails on all, with its words.
with pytest.raises(ParamsError if rank else RankError, match=r"^(rank 1 on \\S+: )?one has none$"):
    with ranks.together():
        if rank:
            raise ParamsError("one has none")

# What one would train otherwise is refused by all, by name; also where it has other folds.
def keys(*numbers):
    return {(number, 0): f"of fold {number}" for number in numbers}

same_folds.require(keys(1, 2), None)
said = r"rank 0 on \\S+ says of rank 1 on \\S+: .*: version is 1 there and 0 here; bring its code"
with pytest.raises(RankError, match=said):
    same_folds.require({**keys(1), (2, 0): str(rank)}, lambda job: {"version": f"{rank}"})
with pytest.raises(RankError, match="folds and seeds is 1/0, 2/0 there and 1/0 here"):
    same_folds.require(keys(1, 2) if rank else keys(1), None)
store = FeatureStore(folder / "mfcc")
data = FoldData(synthetic.fold_of(utterances), store, synthetic.label_of(utterances))
plan = make_plan(TrainingParams(refit=True), num_epochs=3, mixup=0.3, accumulation=2)
result = folds.train_fold(plan, data, make_context())
folds.save(result, folder / f"rank-{rank}", fold=1, seed=0, came_from=CAME_FROM)

# A rank that ends while another waits for it is noticed.
if rank == 0:
    with pytest.raises(RankError, match="rank 0 on .* another process of this fit has ended"):
        with ranks.noticing_the_lost():
            ranks.gathered(0)
"""


@pytest.mark.system
def test_two_processes_train_together_and_end_with_the_same_weights(tmp_path, project):
    script = tmp_path / "two_processes.py"
    script.write_text(_TWO_PROCESSES, encoding="utf-8")
    # What `accelerate launch` starts on several GPUs; on CPUs it wants MPI, torchrun does not.
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launcher, "--standalone", str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (
        (tmp_path / f"rank-{rank}" / "model.safetensors").read_bytes() for rank in (0, 1)
    )
    assert first == second


@pytest.mark.parametrize("last_epoch", [1, 3])
def test_without_a_dev_part_training_ends_at_the_epoch_that_was_said(fold_data, last_epoch):
    plan = make_plan(num_epochs=6, patience=6)
    data = fold_data.development
    with_dev = model_selection.select(plan, data, make_context(0, None)).fit
    context = dataclasses.replace(make_context(0, None), last_epoch=last_epoch)
    result = model_selection.select(plan, dataclasses.replace(data, dev=()), context).fit
    assert result.best_epoch == len(result.history) == last_epoch
    assert "dev/uar" not in result.history[0]
    assert np.isnan(result.dev_score)
    # The schedule is that of a whole training, so the way up to here is the same.
    for row, other in zip(result.history, with_dev.history, strict=False):
        assert row["train/loss"] == other["train/loss"]


@pytest.mark.parametrize("share", [0.5, 0.9989, 1 - 1e-7, 1.0, 1 + 1e-7, 1.01, 3.0, float("nan")])
def test_gradients_are_clipped_to_the_bit_as_torch_clips_them(share):
    """The bound lies at the norm times `share`, or gradients are not finite."""
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(size)) for size in (7, 50, 400)]
    for parameter in ours:
        parameter.grad = torch.randn_like(parameter)
    ours.append(torch.nn.Parameter(torch.ones(3)))  # unused in this step
    largest = share * float(torch.nn.utils.get_total_norm([p.grad for p in ours[:-1]]))
    if share != share:
        ours[0].grad[0], largest = share, 1.0
    torchs = copy.deepcopy(ours)
    for parameter, original in zip(torchs, ours, strict=True):
        parameter.grad = None if original.grad is None else original.grad.clone()
    norm = fit._clip(ours, make_context(0).accelerator, largest)
    expected = float(torch.nn.utils.clip_grad_norm_(torchs, largest))
    assert np.array_equal(norm, expected, equal_nan=True)
    for parameter, other in zip(ours[:-1], torchs[:-1], strict=True):
        assert parameter.grad.numpy().tobytes() == other.grad.numpy().tobytes()
    assert ours[-1].grad is None
