"""What a served model refuses: `python -m benchmarks.no_speech [CELL] [--into FILE]`.

Every fold of a trained cell is packed as `ser register` packs it, with limits from its own dev
part, and asked about sounds that are no speech and about its test part, as it is and in noise.
Run it in a project that has trained the cell. The table of docs/serving.md comes from here. No
time is measured.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import pages, sounds
from benchmarks.sounds import Sound
from ser import runtime
from ser.data import audio
from ser.monitoring import measures
from ser.params import read
from ser.project import Project
from ser.promotion.params import AnswerParams
from ser.registry import bundle as bundles
from ser.registry import packing
from ser.registry import reference as references
from ser.registry.packing import TrainedCell
from ser.serving import abstention
from ser.serving.abstention import HeardSpeech
from ser.serving.audio_input import Waveform
from ser.serving.predictor import Predictor
from ser.tracking.cells import RunRecord

_DURATIONS_S = (1.0, 2.0, 3.0, 4.0)
_SNR_DB = 10.0
_MARKERS = ("<!-- no speech: begin -->", "<!-- no speech: end -->")


def measure(cell: TrainedCell, params: AnswerParams) -> Iterator[dict[str, object]]:
    """Yield one row per sound and fold: what is refused, by which check.

    Args:
        cell: A trained cell with the weights of its folds under the first seed.
        params: How it answers.
    """
    first_seed = cell.record.folds[0].seed
    for record in cell.record.folds:
        if record.seed != first_seed:
            continue
        predictor = packed(cell, record, params)
        rng = np.random.default_rng(int(record.fold or 0))
        for kind, truth, samples, rate in _questions(cell, record, predictor, rng):
            yield {"kind": kind, **_asked(predictor, Waveform(samples, rate), truth)}


def packed(cell: TrainedCell, record: RunRecord, params: AnswerParams) -> Predictor:
    """Return the predictor of a fold, packed as `ser register` packs it."""
    limits = params.input_limits.model_dump(mode="json")
    source = packing.source_of_fold(
        cell, record, params=params.serving, limits=limits, is_monitored=False
    )
    with tempfile.TemporaryDirectory() as name:
        bundles.write(source, Path(name) / "bundle")
        return Predictor.load(Path(name) / "bundle")


def _questions(
    cell: TrainedCell, record: RunRecord, predictor: Predictor, rng: np.random.Generator
) -> Iterator[tuple[str, str | None, Sound, int]]:
    """Yield kind, true emotion, samples and rate of what a fold's model is asked."""
    rate = predictor.sampling_rate
    for kind, make in sounds.kinds(rate).items():
        for seconds in _DURATIONS_S:
            yield kind, None, make(round(seconds * rate), rng), rate
    folds = references.inputs_of(cell.project, record).folds
    test = set(next(fold.test for fold in folds if fold.number == record.fold))
    for item in cell.utterances:
        if item.id in test:
            root = cell.project.raw(item.corpus)
            speech = audio.read_utterance(root, item, sampling_rate=rate)
            yield "speech: the test part", item.emotion, speech, rate
            noise = sounds.white(len(speech), rng, rms_dbfs=measures.level_dbfs(speech) - _SNR_DB)
            kind = f"speech in white noise, {_SNR_DB:g} dB"
            yield kind, item.emotion, np.clip(speech + noise, -1, 1), rate


def _asked(predictor: Predictor, waveform: Waveform, truth: str | None) -> dict[str, object]:
    whole = predictor.predict(waveform).whole
    limits = predictor.bundle.hearing
    # Each check by itself, whatever the other one says.
    no_speech = abstention.refusal(HeardSpeech(whole.speech_share, None), limits) is not None
    unlike = abstention.refusal(HeardSpeech(None, whole.familiarity), limits) is not None
    answered = not whole.abstained
    return {
        "no speech": no_speech,
        "unlike training": unlike,
        "either": no_speech or unlike,
        "no emotion": whole.abstained,
        "right, of those answered": float(whole.emotion == truth) if truth and answered else np.nan,
        "right if all answered": np.nan if truth is None else float(whole.most_probable == truth),
    }


def as_markdown(rows: pd.DataFrame, *, cell: str, params: AnswerParams) -> str:
    """Return the table: shares in per cent, one row per kind of sound."""
    shares = rows.drop(columns="kind").astype(float).groupby(rows["kind"], sort=False).mean()
    counts = rows["kind"].value_counts()
    serving = params.serving
    lines = [
        f"`python -m benchmarks.no_speech {cell}`, with `serving.min_speech_share: "
        f"{serving.min_speech_share:g}`,",
        f"`serving.false_alarm_rate: {serving.false_alarm_rate:g}` and `serving.coverage: "
        f"{serving.coverage:g}`; per cent of the recordings, all folds:",
        "",
        "| asked about | recordings |" + "".join(f" {name} |" for name in shares.columns),
        "|---|---|" + "---|" * len(shares.columns),
    ]
    for kind, row in shares.iterrows():
        cells = "".join(f" {'' if np.isnan(value) else f'{100 * value:.0f}'} |" for value in row)
        lines.append(f"| {kind} | {counts[kind]} |{cells}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.no_speech", description=__doc__)
    parser.add_argument("cell", nargs="?", default="whisper-cross_entropy")
    parser.add_argument("--into", type=Path, help="also write the table into this page")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    params = read(Project().params, AnswerParams)
    rows = pd.DataFrame(measure(TrainedCell(Project(), options.cell), params))
    table = as_markdown(rows, cell=options.cell, params=params)
    print(table)
    if options.into is not None:
        pages.write_between(options.into, *_MARKERS, table)


if __name__ == "__main__":
    raise SystemExit(main())
