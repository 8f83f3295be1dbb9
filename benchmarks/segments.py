"""How well emotions are found in time: `python -m benchmarks.segments [CELL] [--into FILE]`.

Every fold of a trained cell is packed as `ser register` packs it. From the utterances of each
speaker of a part a recording is made: turns of one to three utterances of one emotion, gaps within
a turn, and a short gap or a pause between turns, filled with faint noise. Settings of the segments
are compared on recordings of the dev parts; the test parts are asked with the best one, and without
smoothing. Run it in a project that has trained the cell. docs/long-recordings.md has its table. No
time is measured.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import pages, sounds
from benchmarks.no_speech import packed
from ser import runtime
from ser.data import audio
from ser.params import read
from ser.project import Project
from ser.promotion.params import AnswerParams
from ser.registry import reference as references
from ser.registry.packing import TrainedCell
from ser.serving import segments
from ser.serving.audio_input import Waveform
from ser.serving.prediction import Prediction
from ser.serving.predictor import HeardWindows, Predictor
from ser.serving.segments import EmotionSegment, SegmentParams
from ser.serving.sound import Survey
from ser.serving.windows import Span
from ser.tracking.cells import RunRecord
from ser.utterance import Utterance

_MARKERS = ("<!-- segments: begin -->", "<!-- segments: end -->")
#: What is compared on dev.
_WINDOWS_S, _SWITCH_COSTS, _MIN_DURATIONS_S = (1.5, 2.0, 3.0), (0.0, 0.5, 1.0, 2.0), (0.0, 1.0)
_LONGEST_S = 60.0
_GAP_S, _PAUSE_S, _NOISE_DBFS = 0.2, 1.5, -65.0
#: Of the frames in which truth and answer are compared, in seconds.
_STEP_S = 0.01


@dataclass(frozen=True, slots=True)
class Talk:
    """A recording made of utterances.

    Args:
        waveform: The recording.
        truth: Index of the emotion in each step of 10 ms, `(num_steps,)`; -1 in a gap within or
            between turns, -2 in a pause.
    """

    waveform: Waveform
    truth: NDArray[np.int64]

    @property
    def changes_s(self) -> NDArray[np.float64]:
        """Where one emotion follows another without a pause, in seconds: the middle of the gap."""
        spoken = np.flatnonzero(self.truth >= 0)
        before, after = spoken[:-1], spoken[1:]
        is_change = self.truth[before] != self.truth[after]
        paused = np.cumsum(self.truth == -2)
        is_change &= paused[before] == paused[after]
        return (before[is_change] + after[is_change] + 1) / 2 * _STEP_S


def talk(
    utterances: Sequence[Utterance], root: Path, predictor: Predictor, rng: np.random.Generator
) -> Talk:
    """Return a recording of one speaker, of at most about a minute.

    Args:
        utterances: Of the speaker.
        root: The corpus' folder.
        predictor: Whose rate and emotions they have.
        rng: Of order and turns.
    """
    rate = predictor.sampling_rate
    step = round(_STEP_S * rate)
    waiting = {
        name: [u for u in utterances if u.emotion == name] for name in predictor.bundle.emotions
    }
    for items in waiting.values():
        rng.shuffle(items)
    parts, truth, emotion = [], [], ""
    while sum(map(len, truth)) * _STEP_S < _LONGEST_S:
        names = [name for name, items in waiting.items() if items and name != emotion]
        if not names:
            break
        emotion = str(rng.choice(names))
        for _ in range(min(int(rng.integers(1, 4)), len(waiting[emotion]))):
            item = waiting[emotion].pop()
            spoken = audio.read_utterance(root, item, sampling_rate=rate)
            parts.append(spoken[: len(spoken) // step * step])
            truth.append(np.full(len(spoken) // step, predictor.bundle.emotions.index(emotion)))
            parts.append(_faint(_GAP_S, rate, rng))
            truth.append(np.full(len(parts[-1]) // step, -1))
        if rng.random() < 0.5:
            parts.append(_faint(_PAUSE_S, rate, rng))
            truth.append(np.full(len(parts[-1]) // step, -2))
    return Talk(Waveform(np.concatenate(parts), rate), np.concatenate(truth))


def _faint(seconds: float, rate: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return sounds.white(round(seconds * rate), rng, rms_dbfs=_NOISE_DBFS)


@dataclass(frozen=True, slots=True)
class Part:
    """The recordings of one part of one fold, and who answers.

    Args:
        name: `dev` or `test`.
        predictor: The model of the fold.
        talks: One per speaker, with what is found in it and said of the whole.
    """

    name: str
    predictor: Predictor
    talks: list[tuple[Talk, Survey, Prediction]]

    def scores(self, params: SegmentParams) -> Iterator[dict[str, float]]:
        """Yield how well segments fit the truth, per recording; see `scored`."""
        for made, heard, whole in self.talks:
            found = segments.segment(self.predictor, made.waveform, heard, whole, params)
            yield scored(found.segments, made, self.predictor.bundle.emotions)


def scored(
    found: Sequence[EmotionSegment], made: Talk, emotions: Sequence[str]
) -> dict[str, float]:
    """Return how well segments fit the truth of a recording.

    Args:
        found: Of the recording, in order.
        made: The recording.
        emotions: Of the model, in order.

    Returns:
        `right`: share of the steps with speech whose most probable emotion is true; `no emotion`:
        share of these in which none is given; `pauses found`: share of the steps of pauses that are
        no speech; `segments a turn`: segments with speech per turn; `off by`: median distance of a
        change of emotion from the nearest border of segments, in seconds.
    """
    ends = np.array([one.end_s for one in found])
    steps = (np.arange(len(made.truth)) + 0.5) * _STEP_S
    member = np.minimum(np.searchsorted(ends, steps, side="right"), len(found) - 1)
    index = {name: number for number, name in enumerate(emotions)}
    said = np.array(
        [-2 if one.most_probable is None else index[one.most_probable] for one in found]
    )
    abstained = np.array([one.abstained for one in found])
    spoken, paused = made.truth >= 0, made.truth == -2
    heard = made.truth[spoken]
    num_turns = 1 + len(np.flatnonzero(np.diff(heard)))
    borders = np.array([one.start_s for one in found])
    distances = np.abs(made.changes_s[:, np.newaxis] - borders).min(axis=1)
    return {
        "right": float((said[member][spoken] == heard).mean()),
        "no emotion": float(abstained[member][spoken].mean()),
        "pauses found": float((said[member][paused] == -2).mean()) if paused.any() else np.nan,
        "segments a turn": float((said >= 0).sum() / num_turns),
        "off by": float(np.median(distances)) if len(distances) else np.nan,
    }


def parts(cell: TrainedCell, params: AnswerParams) -> Iterator[Part]:
    """Yield dev and test of every fold, with the weights of the first seed."""
    first_seed = cell.record.folds[0].seed
    for record in cell.record.folds:
        if record.seed != first_seed:
            continue
        predictor = _remembering(packed(cell, record, params))
        folds = references.inputs_of(cell.project, record).folds
        fold = next(fold for fold in folds if fold.number == record.fold)
        for name, members in (("dev", fold.dev), ("test", fold.test)):
            talks = []
            for made in _talks(cell, record, predictor, set(members)):
                heard = predictor.survey(made.waveform)
                talks.append((made, heard, predictor.predict(made.waveform, heard)))
            yield Part(name, predictor, talks)


def _talks(
    cell: TrainedCell, record: RunRecord, predictor: Predictor, members: set[str]
) -> Iterator[Talk]:
    rng = np.random.default_rng(int(record.fold or 0))
    chosen = [item for item in cell.utterances if item.id in members]
    for speaker in sorted({item.speaker for item in chosen}):
        own = [item for item in chosen if item.speaker == speaker]
        yield talk(own, cell.project.raw(own[0].corpus), predictor, rng)


def _remembering(predictor: Predictor) -> Predictor:
    """Let a predictor hear each window of a recording once, however many settings ask for it."""
    hear = predictor.hear
    known: dict[tuple[int, tuple[Span, ...]], HeardWindows] = {}

    def hear_once(sound: Waveform, spans: Sequence[Span], **options: object) -> HeardWindows:
        asked = (id(sound), tuple(spans))
        if asked not in known:
            known[asked] = hear(sound, spans, **options)
        return known[asked]

    predictor.hear = hear_once
    return predictor


def compare(found: Sequence[Part]) -> pd.DataFrame:
    """Return the mean scores of each setting on dev, the best one and its plain twin on test."""
    rows = []
    for window_s, cost, least_s in product(_WINDOWS_S, _SWITCH_COSTS, _MIN_DURATIONS_S):
        params = SegmentParams(window_s=window_s, switch_cost=cost, min_duration_s=least_s)
        rows.append(_row("dev", params, found))
    best = max(rows, key=lambda row: row["right"])
    chosen = {"window_s": best["window"], "switch_cost": best["cost"]}
    best_params = SegmentParams(**chosen, min_duration_s=best["least"])
    plain = SegmentParams(window_s=best["window"], switch_cost=0.0, min_duration_s=0.0)
    rows += [_row("test", params, found) for params in (best_params, plain)]
    return pd.DataFrame(rows)


def _row(part: str, params: SegmentParams, found: Sequence[Part]) -> dict[str, object]:
    scores = [score for one in found if one.name == part for score in one.scores(params)]
    return {
        "part": part,
        "window": params.window_s,
        "cost": params.switch_cost,
        "least": params.min_duration_s,
        **pd.DataFrame(scores).mean().to_dict(),
    }


def as_markdown(rows: pd.DataFrame, *, cell: str, num_recordings: int) -> str:
    """Return the table: shares in per cent, times in seconds."""
    lines = [
        f"`python -m benchmarks.segments {cell}`: {num_recordings} recordings of a minute or less "
        "per part,",
        "one per speaker; shares in per cent of their time, means over the recordings:",
        "",
        "| part | `window_s` | `switch_cost` | `min_duration_s` | right | no emotion | "
        "pauses found | segments a turn | off by (s) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.to_dict("records"):
        shares = [f"{100 * row[name]:.0f}" for name in ("right", "no emotion", "pauses found")]
        counts = [f"{row['segments a turn']:.1f}", f"{row['off by']:.2f}"]
        settings = [f"{row[name]:g}" for name in ("window", "cost", "least")]
        lines.append(f"| {' | '.join([row['part'], *settings, *shares, *counts])} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segments", description=__doc__)
    parser.add_argument("cell", nargs="?", default="whisper-cross_entropy")
    parser.add_argument("--into", type=Path, help="also write the table into this page")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    found = list(parts(TrainedCell(Project(), options.cell), read(Project().params, AnswerParams)))
    num_recordings = sum(len(one.talks) for one in found if one.name == "test")
    table = as_markdown(compare(found), cell=options.cell, num_recordings=num_recordings)
    print(table)
    if options.into is not None:
        pages.write_between(options.into, *_MARKERS, table)


if __name__ == "__main__":
    raise SystemExit(main())
