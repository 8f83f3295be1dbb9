"""Fine-tuning a HuBERT of the base size: cached frozen part against the published recipe."""

import gc
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks import hugging_face_trainer, ssl_training, timing
from benchmarks.cases.padding import iemocap_lengths
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, BATCH_SIZE, TINY, Sample, Size, Step
from ser import runtime
from ser.pretrained.transformer import Freeze
from ser.training import device

_THREADS = 2
_NUM_BATCHES = {False: 5, True: 2}
#: Batches of ours a turn: they are cheaper, and more of them are surer.
_TURNS = 3
#: Frames that the published recipe keeps.
_LIMIT = int(ssl_training.CUT_OFF_S / ssl_training.HOP_S)
_FREEZES: tuple[tuple[Freeze, str], ...] = (
    ("feature_encoder", "feature encoder frozen"),
    (6, "feature encoder and 6 layers frozen"),
)


def run(quick: bool) -> list[Measurement]:
    """Time training steps on batches that stand for an epoch, the contestants in turn."""
    size = TINY if quick else BASE
    # The published recipe cuts recordings off; all contestants hear the same.
    lengths = [min(_LIMIT, length) for length in iemocap_lengths()]
    with timing.torch_threads(min(_THREADS, runtime.num_processors())):
        rows = [_compare(size, freeze, name, lengths, quick) for freeze, name in _FREEZES]
    return list(itertools.chain.from_iterable(rows))


def _compare(
    size: Size, freeze: Freeze, name: str, lengths: Sequence[int], quick: bool
) -> list[Measurement]:
    count = _NUM_BATCHES[quick]
    random = ssl_training.random_batches(lengths)
    samples = Samples(
        ours=ssl_training.sample(
            ssl_training.bucketed_batches(lengths), lengths, count=count * _TURNS
        ),
        published=ssl_training.sample(random, lengths, count=count),
        grouped=ssl_training.sample(grouped_batches(lengths), lengths, count=count),
    )
    found = rates(size, freeze, samples, lengths, is_half=False)
    what = "tiny model, a quick look" if quick else "HuBERT base size, random weights"
    recipe = f"published recipe: waveforms, random batches of {BATCH_SIZE} padded to the longest"
    grouped = "Hugging Face Trainer with group_by_length on the same waveforms"
    rows = [("", found.ours, recipe, found.published), ("", found.ours, grouped, found.trainer)]
    # Where torch converts bfloat16, nobody would train in it.
    if device.multiplies_bfloat16(on_cpu=True):
        half = rates(size, freeze, samples, lengths, is_half=True)
        rows += [
            (" in bfloat16", half.ours, f"{recipe}, float32", found.published),
            (" in bfloat16", half.ours, f"{grouped}, bfloat16", half.trainer),
        ]
    return [
        Measurement(
            name=f"fine-tuning with {name}{precision} ({what}; IEMOCAP's durations, cut off at "
            f"{ssl_training.CUT_OFF_S:g} s; {count * _TURNS} and {count} batches of {BATCH_SIZE} "
            f"stand for an epoch)",
            value=ours,
            unit="utterances per second",
            better="higher",
            alternative=alternative,
            alternative_value=value,
            threads=min(_THREADS, runtime.num_processors()),
        )
        for precision, ours, alternative, value in rows
        if value is not None
    ]


def grouped_batches(lengths: Sequence[int], size: int = BATCH_SIZE) -> list[list[int]]:
    """Return an epoch of batches as the Hugging Face Trainer's group_by_length draws them.

    Its own sampler gives the order: sorted by length within blocks of 50 batches.

    Args:
        lengths: Frames per utterance.
        size: Utterances in a batch.
    """
    from transformers.trainer_pt_utils import LengthGroupedSampler

    sampler = LengthGroupedSampler(
        size,
        lengths=list(lengths),
        generator=torch.Generator().manual_seed(ssl_training.SEED),
    )
    order = list(sampler)
    return [order[start : start + size] for start in range(0, len(order), size)]


@dataclass(frozen=True, slots=True)
class Samples:
    """The batches that stand for an epoch of each contestant.

    Args:
        ours: As many times more as `_TURNS` says: they are cheap.
        published, grouped: Of the alternatives, equally many.
    """

    ours: Sample
    published: Sample
    grouped: Sample


@dataclass(frozen=True, slots=True)
class Rates:
    """Utterances per second of each contestant in one precision.

    Args:
        ours: Of the project.
        published: Of the published recipe; None in bfloat16, where it takes no turn.
        trainer: Of the Trainer.
    """

    ours: float
    published: float | None
    trainer: float


def rates(
    size: Size, freeze: Freeze, samples: Samples, lengths: Sequence[int], *, is_half: bool
) -> Rates:
    """Return the rates of ours, the published recipe and the Trainer.

    They take turns: before each step of the Trainer, the others do theirs.

    Args:
        size: Of the transformer.
        freeze: What of it is frozen.
        samples: The batches.
        lengths: Frames per utterance.
        is_half: Whether forward passes are in bfloat16.
    """
    ours = ssl_training.on_cached_frames(size, freeze, lengths, is_half=is_half)
    published = None if is_half else ssl_training.on_waveforms(size, freeze, lengths)
    our_seconds: list[float] = []
    published_seconds: list[float] = []

    def others(turn: int) -> None:
        first = max(0, turn - 1) * _TURNS
        ours_now = samples.ours.batches[first : first + _TURNS]
        times = [_seconds(ours, batch) for batch in (ours_now if turn else ours_now[:1])]
        our_seconds.extend(times if turn else [])  # the first turn warms up
        if published is not None:
            taken = _seconds(published, samples.published.batches[max(0, turn - 1)])
            published_seconds.extend([taken] if turn else [])

    batches = [
        {
            "input_values": ssl_training.waveforms_of(
                rows, lengths, limit_s=ssl_training.CUT_OFF_S
            ),
            "labels": ssl_training.labels_of(rows),
        }
        for rows in (samples.grouped.batches[0], *samples.grouped.batches)
    ]
    trainer = hugging_face_trainer.step_seconds(
        ssl_training.published_model(size, freeze),
        hugging_face_trainer.InTurn(batches, others),
        learning_rate=ssl_training.LEARNING_RATE,
        is_half=is_half,
    )
    return Rates(
        samples.ours.utterances_per_second(our_seconds),
        samples.published.utterances_per_second(published_seconds) if published else None,
        samples.grouped.utterances_per_second(trainer),
    )


def _seconds(step: Step, batch: Sequence[int]) -> float:
    gc.collect()
    start = time.perf_counter()
    step(batch)
    return time.perf_counter() - start
