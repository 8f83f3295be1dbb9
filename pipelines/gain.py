"""Stage gain: tuned and untuned predictions -> reports/tuning.csv, what tuning brought on test."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from ser import predictions, runtime
from ser.data import manifest
from ser.evaluation import tuning_gain
from ser.evaluation.tuning_gain import TunedAndUntuned
from ser.grid import tuned
from ser.params import StageParams, read
from ser.tuning.params import TuningParams

logger = logging.getLogger("gain")


class Params(StageParams):
    """Sections read: tuning."""

    tuning: TuningParams


def run(
    params: Params, *, runs: Path, untuned: Path, tuned_file: Path, manifest_file: Path, out: Path
) -> None:
    """Set every tuned cell beside the same cell with the constants."""
    cells = []
    for name, cell in params.tuning.cells.items():
        folds = tuned.read(tuned_file, cell.model, cell.loss)
        frames = [predictions.read(f / name / "predictions.parquet") for f in (runs, untuned)]
        num_trials = max(fold.num_trials for fold in folds.values())
        cells.append(TunedAndUntuned(cell.model, cell.loss, num_trials, *frames))
    speaker_of = {u.id: u.speaker for u in manifest.read(manifest_file)}
    gains = tuning_gain.table(cells, speaker_of)
    gains.to_csv(out, index=False, float_format="%.6f", lineterminator="\n")
    for sentence in tuning_gain.sentences(gains):
        logger.info("%s", sentence)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    for name in ("runs", "untuned", "tuned-file", "manifest-file", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = vars(parser.parse_args(argv))
    params_file = options.pop("params")

    def stage() -> None:
        run(read(params_file, Params), **options)

    return runtime.run_main(stage)


if __name__ == "__main__":
    raise SystemExit(main())
