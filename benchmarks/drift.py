"""Does `ser monitor` cry wolf, and does it find what it should: `python -m benchmarks.drift CELL`.

Speech of speakers who are not in the reference must pass, the same speech through a telephone
or in noise must not, nor speech of another corpus. The tables of docs/monitoring.md come from
here; `--into docs/monitoring.md` writes them. No time is measured.
"""

import argparse
import itertools
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import pages
from ser import predictions
from ser.data import audio
from ser.data.corpora import demo
from ser.data.demo import release
from ser.features import copies
from ser.monitoring import clusters, drift, reference
from ser.monitoring.clusters import Groups
from ser.monitoring.quantities import QUANTITIES
from ser.monitoring.reference import DriftReference
from ser.params import parse
from ser.project import Project
from ser.registry import bundle as bundles
from ser.registry import held_out, packing
from ser.registry.bundle import ServingParams
from ser.registry.packing import TrainedCell
from ser.serving import observing
from ser.serving.audio_input import InputLimits, Waveform
from ser.serving.predictor import Predictor

Samples = NDArray[np.float32]

_BEGIN, _END = "<!-- python -m benchmarks.drift: begin -->", "<!-- end -->"
_NUM_DEMO = 60


def _changing(copy: str) -> Callable[[Samples, int], tuple[Samples, int]]:
    change = copies.change_of(copy)

    def changed(samples: Samples, sampling_rate: int) -> tuple[Samples, int]:
        rng = np.random.default_rng(len(samples))
        return change(samples, sampling_rate, rng), sampling_rate

    return changed


CONDITIONS: dict[str, Callable[[Samples, int], tuple[Samples, int]]] = {
    "as recorded": _changing("clean"),
    "through a telephone": _changing("telephone"),
    "white noise at 10 dB": _changing("noise_10db"),
    "6 dB quieter": _changing("gain_-6db"),
}


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a cell says of its test parts.

    Args:
        table: One row per utterance: `utterance_id, speaker, emotion`, the quantities.
        emotions: The classes, in order.
    """

    table: pd.DataFrame
    emotions: tuple[str, ...]

    def without(self, speakers: Sequence[str]) -> DriftReference:
        """Return the reference that other speakers make."""
        rest = self.table[~self.table["speaker"].isin(speakers)]
        return reference.build(rest, list(rest["speaker"]), emotions=self.emotions, source="-")

    def of(self, speakers: Sequence[str]) -> pd.DataFrame:
        """Return the rows of speakers."""
        return self.table[self.table["speaker"].isin(speakers)]


def held_out_of(cell: TrainedCell) -> HeldOut:
    """Return what is known of a cell's test parts, first seed."""
    frame = cell.frame
    first = frame[frame["seed"] == frame["seed"].min()]
    record = packing.choose(cell)
    table = held_out.table(
        first,
        cell.utterances,
        root=cell.project.raw(record.spec.tags["ser.corpus"]),
        sampling_rate=int(record.spec.params["feature"]["sampling_rate"]),
    )
    return HeldOut(table, predictions.emotions_of(frame))


def false_alarms(data: HeldOut) -> list[dict[str, str]]:
    """Return how often speakers of the corpus are called drift by the others' reference.

    Every choice of so many speakers is compared once. The choices overlap, so the rates are
    less certain than as many independent comparisons would make them.
    """
    speakers = sorted(data.table["speaker"].unique())
    rows = []
    for number in (1, 2, 3, 5):
        found = [
            drift.compare(data.without(chosen), data.of(chosen), num_speakers=number)
            for chosen in itertools.combinations(speakers, number)
        ]
        alarms = sum(bool(one.moved) for one in found)
        rows.append(
            {
                "new speakers": str(number),
                "comparisons": str(len(found)),
                "drift said": f"{alarms} ({alarms / len(found):.1%})",
            }
        )
    return rows


def simulated_alarms(repeats: int) -> list[dict[str, str]]:
    """Return how often one test and a t-test that ignores speakers reject, without drift.

    Speakers have normal or skewed means, with a third of the variance between speakers.
    """
    rng = np.random.default_rng(0)
    rows = []
    for kind, num_reference, num_new in itertools.product(
        ("normal", "skewed"), (6, 10, 50), (1, 3)
    ):
        ours, naive = 0, 0
        for _ in range(repeats):
            old, new = (_simulated(rng, kind, n) for n in (num_reference, num_new))
            groups = Groups(
                np.full(len(old), old.shape[1]), old.mean(axis=1), old.var(axis=1, ddof=1)
            )
            mean = float(new.mean())
            ours += (
                clusters.shift(groups, mean=mean, num_new=new.size, num_speakers=num_new).p < 0.05
            )
            error = old.std(ddof=1) * np.sqrt(1 / old.size + 1 / new.size)
            naive += abs(mean - old.mean()) > 1.96 * error
        rows.append(
            {
                "speakers": kind,
                "in the reference": str(num_reference),
                "new": str(num_new),
                "rejected": f"{ours / repeats:.1%}",
                "without regard to speakers": f"{naive / repeats:.1%}",
            }
        )
    return rows


def _simulated(rng: np.random.Generator, kind: str, num_speakers: int) -> NDArray[np.float64]:
    means = (
        rng.normal(size=num_speakers) if kind == "normal" else rng.exponential(size=num_speakers)
    )
    return np.asarray(means[:, None] + np.sqrt(2.0) * rng.normal(size=(num_speakers, 30)))


def detections(cell: TrainedCell, data: HeldOut) -> list[dict[str, str]]:
    """Return what is said of the test speakers of every fold, as recorded and changed.

    The weights have not heard these speakers; the reference is of the other speakers.
    """
    results: dict[str, list[tuple[drift.Drift, drift.Drift]]] = {}
    for fold, predictor in _predictors(cell):
        is_test = (cell.frame["fold"] == fold) & (cell.frame["part"] == "test")
        test = cell.frame.loc[is_test, "utterance_id"].unique()
        by_id = {one.id: one for one in cell.utterances}
        chosen = sorted({by_id[id_].speaker for id_ in test})
        known = data.without(chosen)
        paths = [cell.project.raw(by_id[i].corpus) / by_id[i].audio for i in test]
        for name, change in CONDITIONS.items():
            heard = _heard(predictor, paths, change)
            results.setdefault(name, []).append(_both(known, heard, len(chosen)))
        results.setdefault("the demo corpus", []).append(_both(known, _demo(predictor), 2))
    return [_detection_row(name, found) for name, found in results.items()]


def _both(
    known: DriftReference, heard: pd.DataFrame, number: int
) -> tuple[drift.Drift, drift.Drift]:
    careful = drift.compare(known, heard, num_speakers=1)
    return drift.compare(known, heard, num_speakers=number), careful


def _detection_row(name: str, found: Sequence[tuple[drift.Drift, drift.Drift]]) -> dict[str, str]:
    moved = Counter(_title(one.name) for told, _ in found for one in told.moved)
    shares = [sum(bool(pair[which].moved) for pair in found) for which in (0, 1)]
    return {
        "heard": name,
        "found, told of 2 speakers": f"{shares[0]} of {len(found)}",
        "found, told of 1": f"{shares[1]} of {len(found)}",
        "what moved (told of 2)": ", ".join(f"{t} {n}" for t, n in moved.most_common()) or "-",
    }


def _title(name: str) -> str:
    return QUANTITIES[name].title if name in QUANTITIES else "emotions"


def _predictors(cell: TrainedCell) -> Iterator[tuple[int, Predictor]]:
    limits = InputLimits().model_dump(mode="json")
    for fold in sorted({int(record.fold or 0) for record in cell.record.folds}):
        record = packing.choose(cell, fold=fold)
        source = packing.source_of_fold(
            cell, record, params=ServingParams(), limits=limits, is_monitored=False
        )
        with tempfile.TemporaryDirectory() as folder:
            bundles.write(source, Path(folder) / "bundle")
            yield fold, Predictor.load(Path(folder) / "bundle")


def _heard(
    predictor: Predictor,
    paths: Sequence[Path],
    change: Callable[[Samples, int], tuple[Samples, int]],
) -> pd.DataFrame:
    rate = predictor.sampling_rate
    changed = [change(audio.read(path, sampling_rate=rate), rate) for path in paths]
    return pd.DataFrame([observing.observe(predictor, Waveform(*one)) for one in changed])


def _demo(predictor: Predictor) -> pd.DataFrame:
    """Return what is heard in the first utterances of a woman and a man of the demo corpus."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "demo"
        release.generate(root, parse({"name": "demo"}, demo.Params, where="demo"))
        first = sorted(root.glob("Session1/sentences/wav/*/[!.]*.wav"))[:_NUM_DEMO]
        return _heard(predictor, first, CONDITIONS["as recorded"])


def as_markdown(rows: Sequence[dict[str, str]]) -> str:
    """Return rows as a table."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    lines += ["| " + " | ".join(row.values()) + " |" for row in rows]
    return "\n".join(lines)


def text(cell: TrainedCell, *, repeats: int) -> str:
    """Return the tables for docs/monitoring.md."""
    data = held_out_of(cell)
    named = ", ".join(q.title for name, q in QUANTITIES.items() if name in data.table)
    head = (
        f"Cell `{cell.name}` of {cell.card.name}: {len(data.table)} recordings of "
        f"{data.table['speaker'].nunique()} speakers. Tested: {named}, emotions."
    )
    return "\n\n".join(
        [
            "\n".join(textwrap.wrap(head, 100)),
            as_markdown(false_alarms(data)),
            as_markdown(detections(cell, data)),
            as_markdown(simulated_alarms(repeats)),
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("cell", help="a trained cell whose folds have kept their weights")
    parser.add_argument("--project", type=Path, default=Path(), help="its checkout")
    parser.add_argument("--into", type=Path, help="page whose tables are replaced; none: print")
    parser.add_argument("--repeats", type=int, default=4000, help="simulated comparisons per row")
    options = parser.parse_args(argv)
    tables = text(TrainedCell(Project(options.project), options.cell), repeats=options.repeats)
    if options.into is None:
        print(tables)
        return 0
    pages.write_between(options.into, _BEGIN, _END, f"\n{tables}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
