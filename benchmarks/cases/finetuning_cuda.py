"""Fine-tuning a HuBERT of the base size on a GPU, where there is one; see `finetuning`.

What bounds it there is another thing than on a CPU. A small batch leaves the GPU waiting for
the program that asks it to work; a large one is bounded by its matrix products. So the steps
are timed at two batch sizes, and the arithmetic is set beside what the GPU does at its best.
"""

import gc
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import hugging_face_trainer, ssl_training
from benchmarks.cases.finetuning import grouped_batches
from benchmarks.cases.padding import iemocap_lengths
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, TINY, Sample, Size
from ser.pretrained.transformer import Freeze

_DEVICE = "cuda"
#: The published recipe's, and one that fills a GPU.
_BATCH_SIZES = (8, 64)
_FREEZES: tuple[tuple[Freeze, str], ...] = (
    ("feature_encoder", "feature encoder frozen"),
    (6, "feature encoder and 6 layers frozen"),
)
_NUM_BATCHES = {False: 6, True: 2}
#: Frames that the published recipe keeps.
_LIMIT = int(ssl_training.CUT_OFF_S / ssl_training.HOP_S)
_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_MATRIX = {False: 8192, True: 256}

#: Moves a batch to the GPU and takes a step; the time ends when the GPU has.
Step = Callable[[Mapping[str, Tensor]], None]


def run(quick: bool) -> list[Measurement]:
    """Time steps of ours, of the published recipe and of the Trainer; [] without a GPU."""
    if not torch.cuda.is_available():
        return []
    lengths = [min(_LIMIT, length) for length in iemocap_lengths()]
    size = TINY if quick else BASE
    rows = []
    for batch_size in _BATCH_SIZES:
        batches = Batches.of(lengths, batch_size, _NUM_BATCHES[quick])
        for (freeze, name), precision in itertools.product(_FREEZES, _PRECISIONS):
            rows += _compare(Case(size, freeze, name, precision, batch_size, quick), batches)
    return rows


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches that stand for an epoch of each contestant.

    Args:
        lengths: Frames per utterance.
        ours: Of the project.
        published, grouped: Of the published recipe and of the Trainer.
        waveforms, grouped_waveforms: What these two hear, in memory of the CPU.
    """

    lengths: Sequence[int]
    ours: Sample
    published: Sample
    grouped: Sample
    waveforms: list[dict[str, Tensor]]
    grouped_waveforms: list[dict[str, Tensor]]

    @classmethod
    def of(cls, lengths: Sequence[int], size: int, count: int) -> "Batches":
        """Draw them; `count` of each, of so many utterances."""
        choose = partial(ssl_training.sample, lengths=lengths, count=count)
        published = choose(ssl_training.random_batches(lengths, size))
        grouped = choose(grouped_batches(lengths, size))
        return cls(
            lengths,
            choose(ssl_training.bucketed_batches(lengths, size)),
            published,
            grouped,
            _waveforms(published, lengths),
            _waveforms(grouped, lengths),
        )


@dataclass(frozen=True, slots=True)
class Case:
    """What is compared.

    Args:
        size: Of the transformer.
        freeze, frozen: What of it is frozen, and the words for it.
        precision: Of the forward pass, a key of `_PRECISIONS`.
        batch_size: In utterances.
        quick: Whether a few batches are enough.
    """

    size: Size
    freeze: Freeze
    frozen: str
    precision: str
    batch_size: int
    quick: bool

    @property
    def name(self) -> str:
        """For the table."""
        what = "tiny model, a quick look" if self.quick else "HuBERT base size, random weights"
        return (
            f"fine-tuning on {torch.cuda.get_device_name()} with {self.frozen} in "
            f"{self.precision} ({what}; IEMOCAP's durations, cut off at "
            f"{ssl_training.CUT_OFF_S:g} s; batches of {self.batch_size})"
        )

    def autocast(self) -> torch.autocast:
        """Return the context of the forward pass."""
        return torch.autocast(
            _DEVICE, torch.bfloat16, enabled=_PRECISIONS[self.precision] is torch.bfloat16
        )


def _compare(case: Case, batches: Batches) -> list[Measurement]:
    step = _our_step(case)
    frames = [_frames_of(case, rows, batches.lengths) for rows in batches.ours.batches]
    our_seconds = _seconds(step, frames)
    their_seconds = _seconds(_published_step(case), batches.waveforms)
    trainer_seconds = _trainer_seconds(case, batches.grouped_waveforms)
    rate = batches.ours.utterances_per_second(our_seconds)
    recipe = (
        f"published recipe: waveforms, random batches of {case.batch_size} padded to the longest"
    )
    found = [
        (recipe, batches.published.utterances_per_second(their_seconds)),
        (
            "Hugging Face Trainer with group_by_length on the same waveforms",
            batches.grouped.utterances_per_second(trainer_seconds),
        ),
    ]
    rows = [
        Measurement(
            name=case.name,
            value=rate,
            unit="utterances per second",
            better="higher",
            alternative=alternative,
            alternative_value=value,
            threads=1,
        )
        for alternative, value in found
    ]
    return [*rows, _share_of_peak(case, step, frames[-1], our_seconds[-1])]


def _our_step(case: Case) -> Step:
    """Return a step of the project on frames of the frozen prefix."""
    model = ssl_training.suffix_model(case.size, case.freeze).to(_DEVICE)
    trainer = ssl_training.Trainer(model, fused=True)

    def step(batch: Mapping[str, Tensor]) -> None:
        inputs = {name: tensor.to(_DEVICE) for name, tensor in batch.items()}
        with case.autocast():
            logits = trainer.model(inputs["frames"], inputs["lengths"]).logits
        trainer.learn(logits.float(), inputs["labels"])

    return step


def _published_step(case: Case) -> Step:
    """Return a step of the published recipe."""
    trainer = ssl_training.Trainer(ssl_training.published_model(case.size, case.freeze).to(_DEVICE))

    def step(batch: Mapping[str, Tensor]) -> None:
        inputs = {name: tensor.to(_DEVICE) for name, tensor in batch.items()}
        with case.autocast():
            logits = trainer.model(inputs["input_values"]).logits
        trainer.learn(logits.float(), inputs["labels"])

    return step


def _trainer_seconds(case: Case, batches: Sequence[Mapping[str, Tensor]]) -> list[float]:
    seconds: list[float] = []
    hugging_face_trainer.train(
        ssl_training.published_model(case.size, case.freeze),
        # As the others: one round unmeasured.
        hugging_face_trainer.InTurn([*batches, *batches], lambda _turn: None),
        seconds.append,
        learning_rate=ssl_training.LEARNING_RATE,
        on_gpu=True,
        is_half=case.precision == "bfloat16",
    )
    return seconds[-len(batches) :]


def _frames_of(case: Case, rows: Sequence[int], lengths: Sequence[int]) -> dict[str, Tensor]:
    """Return a batch of noise as the store hands frames out, in memory of the CPU."""
    frames, counts = ssl_training.frames_of(case.size, case.freeze, rows, lengths)
    return {"frames": frames, "lengths": counts, "labels": ssl_training.labels_of(rows)}


def _waveforms(sample: Sample, lengths: Sequence[int]) -> list[dict[str, Tensor]]:
    return [ssl_training.inputs_of(rows, lengths) for rows in sample.batches]


def _seconds(step: Step, batches: Sequence[Mapping[str, Tensor]]) -> list[float]:
    """Return what a step takes on each batch, after one round unmeasured.

    The first time a shape is seen, kernels are chosen and memory is asked for.
    """
    for batch in batches:
        step(batch)
    seconds = []
    for batch in batches:
        gc.collect()
        torch.cuda.synchronize()
        start = time.perf_counter()
        step(batch)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds


def _share_of_peak(
    case: Case, step: Step, batch: Mapping[str, Tensor], seconds: float
) -> Measurement:
    """Set the arithmetic of the largest batch beside that of a large product."""
    with FlopCounterMode(display=False) as counter:
        step(batch)
    size = _MATRIX[case.quick]
    return Measurement(
        name=f"arithmetic of the longest batch: {case.name}; the ratio is the share of the peak",
        value=counter.get_total_flops() / seconds / 1e12,
        unit="TFLOP per second",
        better="higher",
        alternative=f"the GPU's peak: a {case.precision} product of two {size} x {size} matrices",
        alternative_value=_peak(size, _PRECISIONS[case.precision]) / 1e12,
        threads=1,
    )


def _peak(size: int, dtype: torch.dtype) -> float:
    """Return the operations per second of a matrix product, the best of five."""
    left, right = (torch.randn(size, size, device=_DEVICE, dtype=dtype) for _ in range(2))
    product = torch.empty_like(left)
    best = float("inf")
    for _ in range(6):  # the first warms up and is never the best
        torch.cuda.synchronize()
        start = time.perf_counter()
        torch.mm(left, right, out=product)
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2.0 * size**3 / best
