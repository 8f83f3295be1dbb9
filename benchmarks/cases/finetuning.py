"""Fine-tuning a HuBERT of the base size: cached frozen part against the published recipe."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

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
    what = "tiny model, a quick look" if quick else "HuBERT base size, random weights"
    recipe = f"published recipe: waveforms, random batches of {BATCH_SIZE} padded to the longest"
    grouped = "Hugging Face Trainer with group_by_length on the same waveforms"
    beside = partial(rates, size, freeze, samples, lengths)
    published = beside("recipe", is_half=False)
    rows = [("", recipe, published), ("", grouped, beside("trainer", is_half=False))]
    # Where torch converts bfloat16, nobody would train in it.
    if device.multiplies_bfloat16(on_cpu=True):
        half = beside("trainer", is_half=True)
        rows += [
            (" in bfloat16", f"{recipe}, float32", replace(half, theirs=published.theirs)),
            (" in bfloat16", f"{grouped}, bfloat16", half),
        ]
    return [
        Measurement(
            name=f"fine-tuning with {name}{precision} ({what}; IEMOCAP's durations, cut off at "
            f"{ssl_training.CUT_OFF_S:g} s; {count * _TURNS} and {count} batches of {BATCH_SIZE} "
            f"stand for an epoch)",
            value=found.ours,
            unit="utterances per second",
            better="higher",
            alternative=alternative,
            alternative_value=found.theirs,
            threads=min(_THREADS, runtime.num_processors()),
        )
        for precision, alternative, found in rows
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
    """Utterances per second of two that took turns.

    Args:
        ours: Of the project.
        theirs: Of the alternative.
    """

    ours: float
    theirs: float


def rates(
    size: Size,
    freeze: Freeze,
    samples: Samples,
    lengths: Sequence[int],
    alternative: Literal["recipe", "trainer"],
    *,
    is_half: bool,
) -> Rates:
    """Return the rates of ours and of an alternative.

    Each is a process of its own, as whoever would choose it starts it, and they take turns: a few
    batches of ours, then one of the other. A turn before the first warms them up, with the longest
    batch: an epoch has met it before most others, and has asked for its memory.

    Args:
        size: Of the transformer.
        freeze: What of it is frozen.
        samples: The batches.
        lengths: Frames per utterance.
        alternative: The published recipe or the Trainer; three at once would not fit into 24 GB.
        is_half: Whether forward passes are in bfloat16.
    """
    theirs = samples.published if alternative == "recipe" else samples.grouped

    def job(way: Way, sample: Sample) -> Job:
        return Job(
            way=way,
            settings=size.settings,
            freeze=freeze,
            is_half=is_half,
            lengths=lengths,
            batches=[sample.batches[-1], *sample.batches],
            num_threads=min(_THREADS, runtime.num_processors()),
        )

    our_seconds, their_seconds = list[float](), list[float]()
    jobs = [job("project", samples.ours), job(alternative, theirs)]
    with fine_tuner.started(jobs) as (project, other):
        project.step()
        other.step()
        for _ in theirs.batches:
            our_seconds += [project.step() for _ in range(_TURNS)]
            their_seconds.append(other.step())
    return Rates(
        samples.ours.utterances_per_second(our_seconds),
        theirs.utterances_per_second(their_seconds),
    )
