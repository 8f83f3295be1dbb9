"""What a grid costs on more machines: GPU hours by formula, hours of the clock by simulation.

    python -m benchmarks.growing docs/growing.md

Nothing is measured here. What is assumed stands below, each number by its name, and in the table's
note; where a number was measured, the page that says so is named.
"""

import heapq
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import pages

BEGIN, END = "<!-- python -m benchmarks.growing writes this -->", "<!-- until here -->"

#: Utterances a second of one GPU: fine-tuning above the feature encoder in batches of eight
#: (docs/experiments.md, one H100, random weights); of networks on frozen features, a guess.
FINE_TUNED_PER_S, FROZEN_PER_S = 100.0, 1000.0

#: Speech of IEMOCAP's four emotions: utterances, and their hours.
NUM_UTTERANCES, CORPUS_H = 5531, 7.0

NUM_FOLDS, NUM_SEEDS = 5, 3

#: Loading, the assembly of batches at the start and the test part, of each fit, in seconds.
OVERHEAD_S = 20.0

#: A GPU fails once in so many hours; its unit begins again, and it is back after so many seconds.
HOURS_BETWEEN_FAILURES, REPAIR_S = 100.0, 900.0

#: Times differ by a tenth (the standard deviation of their logarithm); one fit in fifty takes
#: three times as long.
SPREAD, STRAGGLERS, STRAGGLER_FACTOR = 0.1, 0.02, 3.0

#: The machine that gives out the units takes this long for each, in seconds.
HAND_OUT_S = 0.1

NUM_RUNS = 9


@dataclass(frozen=True, slots=True)
class Model:
    """One model of `configs/iemocap.yaml`, with five losses.

    Args:
        name: Of the model.
        num_epochs: At most.
        per_s: Utterances of one GPU a second.
        feature_gb_per_h: Of its feature, for each hour of speech.
        weights_gb: What a fit sends back.
    """

    name: str
    num_epochs: int
    per_s: float
    feature_gb_per_h: float
    weights_gb: float


#: Features are values a second of speech x bytes a value x 3600.
MODELS = (
    Model("lstm", 25, FROZEN_PER_S, 100 * 60 * 4 * 3600 / 1e9, 0.002),
    Model("vggish", 25, FROZEN_PER_S, 2.1 * 128 * 4 * 3600 / 1e9, 0.001),
    Model("wav2vec2", 12, FINE_TUNED_PER_S, 50 * 512 * 2 * 3600 / 1e9, 0.36),
    Model("hubert", 12, FINE_TUNED_PER_S, 50 * 512 * 2 * 3600 / 1e9, 0.36),
    Model("whisper", 25, FROZEN_PER_S, 0.001, 0.001),
)
NUM_LOSSES = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be trained.

    Args:
        name: For people.
        corpus_h: Hours of speech.
        num_repeats: How often the grid is done, e.g. with other params.
    """

    name: str
    corpus_h: float
    num_repeats: int

    @property
    def num_units(self) -> int:
        """Folds under seeds of all cells."""
        return len(MODELS) * NUM_LOSSES * NUM_FOLDS * NUM_SEEDS * self.num_repeats

    def unit_s(self, model: Model) -> float:
        """Return what a fit takes, in seconds: three parts of five train, one is dev."""
        utterances = NUM_UTTERANCES * self.corpus_h / CORPUS_H
        # Without a backward pass, a third of the work.
        per_epoch = utterances * (3 + 1 / 3) / NUM_FOLDS
        return model.num_epochs * per_epoch / model.per_s + OVERHEAD_S

    def units_s(self) -> list[float]:
        """Return what each unit takes, in seconds, in the order in which they are given out."""
        each = NUM_LOSSES * NUM_FOLDS * NUM_SEEDS * self.num_repeats
        return [self.unit_s(model) for model in MODELS for _ in range(each)]

    def gb_to_a_machine(self) -> float:
        """Return the size of all features, which each machine gets once."""
        return sum(model.feature_gb_per_h for model in MODELS) * self.corpus_h

    def gb_back(self) -> float:
        """Return the size of the weights that all fits send back."""
        return sum(model.weights_gb for model in MODELS) * self.num_units / len(MODELS)


PLANS = (
    Plan("IEMOCAP's full grid", CORPUS_H, 1),
    Plan("the same grid, 1,000 hours of speech", 1000.0, 1),
    Plan("10,000 units of IEMOCAP", CORPUS_H, 27),
)


@dataclass(frozen=True, slots=True)
class Simulated:
    """How a plan went.

    Args:
        hours: Of the clock, until the last unit is done.
        num_again: Units that were begun again.
    """

    hours: float
    num_again: int


def simulate(units_s: Sequence[float], num_gpus: int, rng: np.random.Generator) -> Simulated:
    """Give units to GPUs, the next one to whichever is free first; a failed one goes in front.

    Args:
        units_s: What each takes, in seconds.
        num_gpus: At least 1.
        rng: Draws spread, stragglers and failures.
    """
    drawn = np.exp(rng.normal(0.0, SPREAD, len(units_s)))
    drawn *= np.where(rng.random(len(units_s)) < STRAGGLERS, STRAGGLER_FACTOR, 1.0)
    waiting = [float(unit) for unit in np.asarray(units_s) * drawn][::-1]
    # When each GPU is free, and when it fails next, in seconds.
    between_s = HOURS_BETWEEN_FAILURES * 3600
    gpus = [(0.0, float(fails), number) for number, fails in _first(rng, between_s, num_gpus)]
    heapq.heapify(gpus)
    handed_out_s, end_s, num_again = 0.0, 0.0, 0
    while waiting:
        free_s, fails_s, number = heapq.heappop(gpus)
        begins_s = handed_out_s = max(free_s, handed_out_s) + HAND_OUT_S
        unit_s = waiting.pop()
        if begins_s + unit_s <= fails_s:
            end_s = max(end_s, begins_s + unit_s)
            heapq.heappush(gpus, (begins_s + unit_s, fails_s, number))
            continue
        num_again += fails_s > begins_s
        waiting.append(unit_s)
        back_s = max(fails_s, free_s) + REPAIR_S
        heapq.heappush(gpus, (back_s, back_s + float(rng.exponential(between_s)), number))
    return Simulated(end_s / 3600, num_again)


def _first(rng: np.random.Generator, between_s: float, num_gpus: int) -> list[tuple[int, float]]:
    return list(enumerate(rng.exponential(between_s, num_gpus)))


def table(num_gpus: Sequence[int] = (1, 4, 16, 64)) -> str:
    """Return the table of all plans, Markdown, with what it rests on."""
    lines = [
        "| plan | units | GPU hours | GPUs | hours | begun again | GB to a machine | GB back |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for plan in PLANS:
        units_s = plan.units_s()
        for gpus in num_gpus:
            runs = [simulate(units_s, gpus, np.random.default_rng(n)) for n in range(NUM_RUNS)]
            row = (
                *(plan.name, f"{plan.num_units:,}", f"{sum(units_s) / 3600:,.0f}", f"{gpus}"),
                f"{median(run.hours for run in runs):,.1f}",
                f"{median(run.num_again for run in runs):.0f}",
                *(f"{plan.gb_to_a_machine():,.0f}", f"{plan.gb_back():,.0f}"),
            )
            lines.append(f"| {' | '.join(row)} |")
    note = (
        f"Assumed, not measured: {FINE_TUNED_PER_S:g} utterances a second where a transformer is "
        f"fine-tuned, {FROZEN_PER_S:g} on frozen features; all epochs of `configs/iemocap.yaml`; "
        f"{OVERHEAD_S:g} s around each fit. A GPU fails every {HOURS_BETWEEN_FAILURES:g} hours and "
        f"is back after {REPAIR_S / 60:g} minutes. One fit in {1 / STRAGGLERS:g} takes "
        f"{STRAGGLER_FACTOR:g} times as long. A unit is given out in {HAND_OUT_S:g} s. Medians of "
        f"{NUM_RUNS} simulations."
    )
    return "\n".join(["", *lines, "", textwrap.fill(note, 100), ""])


def main(words: Sequence[str]) -> None:
    """Write the table into a page, or print it where none is named."""
    if words:
        pages.write_between(Path(words[0]), BEGIN, END, table())
    else:
        print(table())


if __name__ == "__main__":
    main(sys.argv[1:])
