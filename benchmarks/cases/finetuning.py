"""Fine-tuning a HuBERT of the base size: cached frozen part against the published recipe."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks import fine_tuner, ssl_training
from benchmarks.cases.padding import iemocap_lengths
from benchmarks.fine_tuner import Job, Way
from benchmarks.measurement import Measurement
from benchmarks.ssl_training import BASE, BATCH_SIZE, TINY, Sample, Size
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

    Each is a process of its own, as whoever would choose it starts it, and they take turns: a few
    batches of ours, then one of each of the others. A turn before the first warms them up, with the
    longest batch: an epoch has met it before most others, and has asked for its memory.

    Args:
        size: Of the transformer.
        freeze: What of it is frozen.
        samples: The batches.
        lengths: Frames per utterance.
        is_half: Whether forward passes are in bfloat16.
    """
    of_ways: dict[Way, Sample] = {"project": samples.ours, "trainer": samples.grouped}
    if not is_half:
        of_ways["recipe"] = samples.published
    jobs = [
        Job(
            way=way,
            settings=size.settings,
            freeze=freeze,
            is_half=is_half,
            lengths=lengths,
            batches=[sample.batches[-1], *sample.batches],
            num_threads=min(_THREADS, runtime.num_processors()),
        )
        for way, sample in of_ways.items()
    ]
    taken: dict[Way, list[float]] = {way: [] for way in of_ways}
    with fine_tuner.started(jobs) as tuners:
        for tuner in tuners:
            tuner.step()
        for _ in samples.grouped.batches:
            for tuner in tuners:
                times = _TURNS if tuner.way == "project" else 1
                taken[tuner.way] += [tuner.step() for _ in range(times)]
    found = {way: sample.utterances_per_second(taken[way]) for way, sample in of_ways.items()}
    return Rates(found["project"], found.get("recipe"), found["trainer"])
