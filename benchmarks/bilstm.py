"""The training step of our bidirectional layers against `nn.LSTM` on packed sequences."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks import equality, timing
from benchmarks.measurement import Measurement
from benchmarks.recordings import Recordings
from benchmarks.training_setup import FEATURE, MODEL, RECIPE, SEED
from ser.batch import valid_frames
from ser.features.batching import LengthBucketedBatches
from ser.models.lstm import BidirectionalLayer

_NUM_BINS = FEATURE.num_coefficients * (1 + FEATURE.num_deltas)
_OUTPUTS_WITHIN = 1e-5
_GRADIENTS_WITHIN = 1e-4


@dataclass(frozen=True, slots=True)
class StepInput:
    """One batch and the gradient that comes back to the layers.

    Args:
        inputs: `(batch, num_frames, num_bins)`, zero beyond each row's length.
        lengths: `(batch,)`, on the CPU: packing wants them there.
        device_lengths: The same, where the inputs are.
        gradient: `(batch, num_frames, 2 * hidden_size)`, zero beyond each row's length.
    """

    inputs: Tensor
    lengths: Tensor
    device_lengths: Tensor
    gradient: Tensor


class PackedLstm(nn.Module):
    """The usual way: one bidirectional `nn.LSTM` over packed sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            _NUM_BINS, MODEL.hidden_size, MODEL.num_layers, batch_first=True, bidirectional=True
        )

    def forward(self, task: StepInput) -> Tensor:
        """Return states `(batch, num_frames, 2 * hidden_size)`, zero in the padding."""
        packed = pack_padded_sequence(
            task.inputs, task.lengths, batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]


class OurLayers(nn.Module):
    """The layers of `ser.models.lstm`, without dropout."""

    def __init__(self) -> None:
        super().__init__()
        widths = [_NUM_BINS] + [2 * MODEL.hidden_size] * (MODEL.num_layers - 1)
        self.layers = nn.ModuleList(BidirectionalLayer(w, MODEL.hidden_size) for w in widths)

    def forward(self, task: StepInput) -> Tensor:
        """Return states `(batch, num_frames, 2 * hidden_size)`, anything in the padding."""
        frames = task.inputs
        for layer in self.layers:
            frames = layer(frames, task.device_lengths)
        return frames


def measure(corpus: Recordings, *, device: torch.device, quick: bool) -> list[Measurement]:
    """Compare on batches of similar lengths, as in training, and on random ones.

    Args:
        corpus: Gives the distribution of lengths.
        device: Where; on the CPU with one thread.
        quick: Two batches and few repeats.

    Raises:
        DifferentResultError: Outputs or gradients differ.
    """
    torch.manual_seed(SEED)
    ours, packed = OurLayers().to(device), PackedLstm().to(device)
    copy_weights(ours, packed)
    lengths = [1 + round(u.duration_s * 1000 / FEATURE.hop_ms) for u in corpus.utterances]
    with timing.torch_threads(1):
        return [
            _compare(
                f"BiLSTM training step, {kind} batches ({corpus.name}, {device.type})",
                ours,
                packed,
                [build_task([lengths[row] for row in rows], device) for rows in batches],
                repeats=2 if quick else 7,
            )
            for kind, batches in _batches(lengths, num_batches=2 if quick else 4)
        ]


def _batches(lengths: Sequence[int], num_batches: int) -> Iterator[tuple[str, list[list[int]]]]:
    bucketed = LengthBucketedBatches(lengths, batch_size=RECIPE.batch_size, seed=SEED).batches()
    order = np.random.default_rng(SEED).permutation(len(lengths)).tolist()
    size = RECIPE.batch_size
    shuffled = [order[start : start + size] for start in range(0, len(order), size)]
    yield "length-bucketed", bucketed[:num_batches]
    yield "random", shuffled[:num_batches]


def build_task(lengths: Sequence[int], device: torch.device) -> StepInput:
    """Return a batch of noise with these lengths, in frames."""
    on_cpu = torch.tensor(lengths)
    num_frames = int(on_cpu.max())
    mask = valid_frames(on_cpu, num_frames).unsqueeze(-1)
    inputs = torch.randn(len(lengths), num_frames, _NUM_BINS) * mask
    gradient = torch.randn(len(lengths), num_frames, 2 * MODEL.hidden_size) * mask
    return StepInput(inputs.to(device), on_cpu, on_cpu.to(device), gradient.to(device))


def _compare(
    name: str,
    ours: OurLayers,
    packed: PackedLstm,
    tasks: Sequence[StepInput],
    *,
    repeats: int,
) -> Measurement:
    require_same_answers(ours, packed, tasks)
    seconds = timing.alternate(
        lambda: _steps(ours, tasks), lambda: _steps(packed, tasks), repeats=repeats
    )
    num_utterances = sum(len(task.lengths) for task in tasks)
    return Measurement(
        name=name,
        value=num_utterances / seconds[0],
        unit="utterances per second, forward and backward",
        better="higher",
        alternative="bidirectional nn.LSTM on packed sequences, same weights and outputs",
        alternative_value=num_utterances / seconds[1],
        threads=1,
    )


def _steps(model: Callable[[StepInput], Tensor], tasks: Sequence[StepInput]) -> None:
    for task in tasks:
        torch.autograd.backward(model(task), task.gradient)
    if tasks[0].inputs.is_cuda:
        torch.cuda.synchronize()


def require_same_answers(ours: OurLayers, packed: PackedLstm, tasks: Sequence[StepInput]) -> None:
    """Refuse outputs, or gradients of weights, that differ; raise DifferentResultError."""
    for task in tasks:
        mask = valid_frames(task.device_lengths, task.inputs.shape[1]).unsqueeze(-1)
        outputs = (ours(task) * mask, packed(task) * mask)
        equality.require_close(
            [tuple(_array(output) for output in outputs)],  # type: ignore[list-item]
            what="BiLSTM outputs",
            absolute=_OUTPUTS_WITHIN,
        )
    for model in (ours, packed):
        model.zero_grad()
        torch.autograd.backward(model(tasks[0]), tasks[0].gradient)
    equality.require_close(
        [(_array(a.grad), _array(b.grad)) for a, b in paired_weights(ours, packed)],  # type: ignore[arg-type]
        what="BiLSTM gradients",
        relative=_GRADIENTS_WITHIN,
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def copy_weights(ours: OurLayers, packed: PackedLstm) -> None:
    """Give `nn.LSTM` the weights of our layers."""
    with torch.no_grad():
        for source, target in paired_weights(ours, packed):
            target.copy_(source)


def paired_weights(
    ours: OurLayers, packed: PackedLstm
) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    """Yield each of our weights with the one of `nn.LSTM` that plays its part."""
    for number, layer in enumerate(ours.layers):
        for direction, suffix in ((layer.ahead, ""), (layer.back, "_reverse")):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                yield (
                    getattr(direction, f"{kind}_l0"),
                    getattr(packed.lstm, f"{kind}_l{number}{suffix}"),
                )
