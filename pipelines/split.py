"""Stage split: manifest -> data/splits.csv and the leakage audit, data/split_report.json."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from ser import files, lineage, runtime
from ser.data import leakage, manifest, splits
from ser.data.split_report import SplitReport
from ser.data.splits import SplitParams
from ser.params import StageParams, read

logger = logging.getLogger("split")


class Params(StageParams):
    """Sections read: split."""

    split: SplitParams


def run(params: Params, *, manifest_file: Path, out: Path) -> None:
    """Make the folds, audit them, and write both."""
    utterances = manifest.read(manifest_file)
    folds = splits.split(utterances, params.split)
    audited = leakage.audit(folds, utterances, params.split.protocol)
    table = splits.to_csv(folds)
    report = SplitReport(
        protocol=params.split.protocol,
        speaker_independent=leakage.is_speaker_independent(params.split.protocol),
        params=params.split,
        manifest_sha256=lineage.sha256_file(manifest_file),
        split_sha256=lineage.sha256_text(table),
        folds=audited,
    )
    files.write_text(out / "splits.csv", table)
    report.write(out / "split_report.json")
    logger.info("protocol %s: %d folds, audit passed", params.split.protocol, len(folds))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the outputs")
    options = parser.parse_args(argv)
    return runtime.run_main(
        lambda: run(read(options.params, Params), manifest_file=options.manifest, out=options.out)
    )


if __name__ == "__main__":
    raise SystemExit(main())
