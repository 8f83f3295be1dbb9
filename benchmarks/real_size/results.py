"""What each stage took, kept as it comes, and the table that is made of it."""

import sqlite3
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.real_size import corpus, project
from benchmarks.stages import Measured
from ser import files
from ser.project import Project

#: Utterances of the four classes: those that are extracted and trained on.
NUM_USED = sum(corpus.PUBLISHED.per_cell.values())
_GB, _HOUR_S = 1e9, 3600


@dataclass(slots=True)
class Results:
    """What a run found out.

    Args:
        machine: What it ran on, in words.
        num_utterances: Of the corpus.
        num_used: Of these, in the four classes.
        num_epochs: Of each training.
        is_quick: Tiny networks and short recordings: the numbers say nothing.
        stages: By name.
    """

    machine: str = ""
    num_utterances: int = 0
    num_used: int = 0
    num_epochs: int = 0
    is_quick: bool = False
    stages: dict[str, Measured] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        files.write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> "Results":
        """Read what `write` wrote.

        Raises:
            FileError: It is missing or not of this form.
        """
        cure = "`python -m benchmarks.real_size --out FILE` writes it"
        return files.read_json(path, _results, what="results of benchmarks.real_size", cure=cure)

    @property
    def is_whole(self) -> bool:
        """Whether it was measured at the corpus' own size."""
        return self.num_utterances == corpus.NUM_UTTERANCES and not self.is_quick


def _results(content: Mapping[str, Any]) -> Results:
    stages = {name: Measured.of_json(one) for name, one in content["stages"].items()}
    return Results(**{**content, "stages": stages})


def epoch_s(tracked: Project, cell: str, num_epochs: int) -> float | None:
    """Return the seconds of an epoch of a cell, from the times that the tracking store has.

    Args:
        tracked: Where the cell was trained.
        cell: Its name.
        num_epochs: That it was trained for; of one epoch there is no answer, for loading comes
            before it.
    """
    if num_epochs < 2:
        return None
    with closing(sqlite3.connect(tracked.root / "mlruns" / "mlflow.db")) as connection:
        times = dict(
            connection.execute(
                "select m.step, m.timestamp from metrics m join runs r on r.run_uuid = m.run_uuid"
                " where m.key = 'train/loss' and r.name like ? and m.step > 0",
                (f"{cell}/fold-%",),
            ).fetchall()
        )
    steps = sorted(times)
    if len(steps) < 2:
        return None
    return (times[steps[-1]] - times[steps[0]]) / 1000 / (steps[-1] - steps[0])


def as_markdown(results: Results) -> str:
    """Return what was measured, and what follows for the whole preset."""
    return "\n".join([*_stages(results), "", *_preset(results)])


def _stages(results: Results) -> Iterator[str]:
    share = "" if results.is_whole else " (a part of the corpus: see below)"
    quick = " **A quick look: tiny networks, short recordings; the numbers say nothing.**"
    yield _wrapped(
        f"`python -m benchmarks.real_size`, **synthetic recordings, random weights**: "
        f"{results.num_utterances} utterances{share}, {results.num_used} of them in the four "
        f"classes, one fold, one seed, {results.num_epochs} epochs. {results.machine}."
        f"{quick if results.is_quick else ''}"
    )
    yield ""
    yield (
        "| stage | time (s) | processor time (s) | memory (GB) | without mapped files (GB) "
        "| GPU: tensors (GB) | GPU: taken (GB) | disk (GB) |"
    )
    yield f"|---|{'---:|' * 7}"
    for name, one in results.stages.items():
        taken = one.taken
        sizes = (taken.resident, taken.anonymous, taken.gpu_used, taken.gpu_taken, one.disk)
        numbers = [f"{taken.wall_s:.1f}", f"{taken.cpu_s:.1f}"]
        numbers += [f"{size / _GB:.2f}" if size >= _GB / 200 else "0" for size in sizes]
        yield f"| `{name}` | {' | '.join(numbers)} |"


def _preset(results: Results) -> Iterator[str]:
    content = project.preset()
    num_fits = len(corpus.PUBLISHED.per_session) * len(content["training"]["seeds"])
    scale = NUM_USED / results.num_used
    cells = list(content["cells"].values())
    more = f"; seconds of epochs and of extraction x {scale:.3g}, for the utterances left out"
    left_out = "" if results.is_whole else more
    yield _wrapped(
        f"What follows for the whole preset, {num_fits} fits a cell (5 folds x "
        f"{len(content['training']['seeds'])} seeds), each to its last epoch: hours = cells x fits "
        f"x (epochs x seconds of an epoch + the rest of the stage)"
        f"{left_out}. The rest, start of the program, loading and testing, is counted with every "
        f"fit, as measured. An early stop takes off."
    )
    yield ""
    yield "| part | cells | fits | epochs | epoch (s) | rest (s) | hours |"
    yield f"|---|{'---:|' * 6}"
    total_s, measured = 0.0, set[str]()
    extraction = [one for name, one in results.stages.items() if name.startswith("extract@")]
    for name, one in results.stages.items():
        if not name.startswith("train@") or one.epoch_s is None:
            continue
        model = content["cells"][name.partition("@")[2]]["model"]
        num_cells = sum(cell["model"] == model for cell in cells)
        num_epochs = content["recipes"][model]["num_epochs"]
        epoch = one.epoch_s * scale
        rest = max(0.0, one.taken.wall_s - one.epoch_s * results.num_epochs)
        part_s = num_cells * num_fits * (num_epochs * epoch + rest)
        total_s += part_s
        numbers = [num_cells, num_cells * num_fits, num_epochs, f"{epoch:.1f}", f"{rest:.1f}"]
        row = [f"{model}, trained", *map(str, numbers), f"{part_s / _HOUR_S:.1f}"]
        yield f"| {' | '.join(row)} |"
        measured.add(model)
    unmeasured = sorted({cell["model"] for cell in cells} - measured)
    for model in unmeasured:
        yield f"| {model}, trained: **not measured** | | | | | | |"
    extract_s = sum(one.taken.wall_s for one in extraction) * scale
    total_s += extract_s
    yield f"| features, once | | | | | | {extract_s / _HOUR_S:.1f} |"
    what = "what was measured" if unmeasured else "all"
    yield f"| **{what}** | | | | | | **{total_s / _HOUR_S:.1f}** |"


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, 100, break_on_hyphens=False)
