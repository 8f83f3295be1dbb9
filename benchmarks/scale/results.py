"""What each stage took at each size, how it grows, and the table that is made of it."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.scale import corpus, project
from benchmarks.stages import Measured
from ser import files

#: No stage may hold more, of what no file backs.
LIMIT_GB = 4.0
_GB = 1e9
#: Of a run that was cut off.
_MISSING = "not measured"
#: Less growth than this is not told from the noise of a start-up.
_LEAST_GROWTH_S = 0.3


@dataclass(slots=True)
class Results:
    """What a run found out.

    Args:
        machine: What it ran on, in words.
        is_quick: Few utterances: the numbers say nothing.
        sizes: Number of utterances -> stage -> what it took; sizes ascend.
    """

    machine: str = ""
    is_quick: bool = False
    sizes: dict[int, dict[str, Measured]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        files.write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "Results":
        """Read what `write` wrote.

        Raises:
            FileError: It is missing or not of this form.
        """
        cure = "`python -m benchmarks.scale --out FILE` writes it"
        return files.read_json(path, _results, what="results of benchmarks.scale", cure=cure)


def _results(content: Mapping[str, Any]) -> Results:
    sizes = {
        int(size): {name: Measured.of_json(one) for name, one in stages.items()}
        for size, stages in content["sizes"].items()
    }
    return Results(**{**content, "sizes": sizes})


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float | None:
    """Return k where time grows as start-up + c size^k: 1 is linear, 2 quadratic.

    Args:
        sizes: Three, ascending, the third to the second as the second to the first.
        seconds: At each.

    Returns:
        log of (third - second) / (second - first), to the base of the ratio of sizes: what
        does not depend on the size drops out. None where one of the differences is below 0.3 s,
        which start-up alone varies by.

    Example:
        >>> round(exponent([10, 100, 1000], [5 + 0.1, 5 + 1.0, 5 + 10.0]), 3)
        1.0
    """
    first, second = (later - sooner for sooner, later in pairwise(seconds))
    if min(first, second) < _LEAST_GROWTH_S:
        return None
    return math.log(second / first) / math.log(sizes[2] / sizes[1])


def is_geometric(sizes: Sequence[int]) -> bool:
    """Return whether there are three sizes, and `exponent` says something of them."""
    return len(sizes) == 3 and sizes[0] * sizes[2] == sizes[1] ** 2


def as_markdown(results: Results) -> str:
    """Return what was measured."""
    return "\n".join([*_said(results), "", *_table(results)])


def _said(results: Results) -> Iterator[str]:
    quick = " **A quick look: the numbers say nothing.**" if results.is_quick else ""
    largest = max(results.sizes)
    names = {name for stages in results.sizes.values() for name in stages}
    is_whole = all(names == set(stages) for stages in results.sizes.values())
    cut_off = "" if is_whole else " The run was cut off: not every stage is measured."
    held = {name: one.taken.anonymous / _GB for name, one in results.sizes[largest].items()}
    most = max(held, key=lambda name: held[name])
    verdict = "within" if held[most] <= LIMIT_GB else "**beyond**"
    sizes = _listed(results.sizes)
    speakers = _listed(corpus.num_speakers(size) for size in results.sizes)
    said = (
        f"`python -m benchmarks.scale`, **synthetic: scraps of noise with random labels**: {sizes} "
        f"utterances of {speakers} speakers, {project.NUM_FOLDS} folds, one seed, one epoch. "
        f"{results.machine}. The most that a stage holds at {largest:,} utterances is "
        f"{held[most]:.2f} GB (`{most}`), {verdict} the limit of {LIMIT_GB:g} GB.{cut_off}{quick}"
    )
    yield textwrap.fill(said, 100, break_on_hyphens=False)


def _listed(numbers: Iterable[int]) -> str:
    *first, last = (f"{number:,}" for number in numbers)
    return f"{', '.join(first)} and {last}" if first else last


def _table(results: Results) -> Iterator[str]:
    sizes = list(results.sizes)
    titles = [*(f"{size:,}: processor time (s)" for size in sizes), "growth"]
    titles += [f"{size:,}: memory (GB)" for size in sizes]
    titles += [f"{sizes[-1]:,}: with mapped files (GB)", f"{sizes[-1]:,}: disk (GB)"]
    yield f"| stage | {' | '.join(titles)} |"
    yield f"|---|{'---:|' * len(titles)}"
    for name in dict.fromkeys(name for stages in results.sizes.values() for name in stages):
        measured = [results.sizes[size].get(name) for size in sizes]
        cells = [_MISSING if one is None else f"{one.taken.cpu_s:.1f}" for one in measured]
        cells.append(_growth(sizes, [one for one in measured if one is not None]))
        cells += [_MISSING if one is None else _gb(one.taken.anonymous) for one in measured]
        largest = measured[-1]
        if largest is not None:
            cells += [_gb(largest.taken.resident), _gb(largest.disk)]
        else:
            cells += [_MISSING] * 2
        yield f"| `{name}` | {' | '.join(cells)} |"


def _growth(sizes: Sequence[int], measured: Sequence[Measured]) -> str:
    if not is_geometric(sizes) or len(measured) < len(sizes):
        return ""
    found = exponent(sizes, [one.taken.cpu_s for one in measured])
    return "–" if found is None else f"{found:.2f}"  # noqa: RUF001


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / _GB:.2f}" if num_bytes >= _GB / 200 else "0"
