"""Stage split: manifest -> data/splits.csv and the leakage audit, data/split_report.json."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from ser import files, lineage, runtime
from ser.data import leakage, left_out, manifest, splits
from ser.data.protocols import SplitParams
from ser.data.split_report import SplitReport
from ser.params import StageParams, read
from ser.project import Project, Words
from ser.utterance import used_of
from ser.wording import first_few

logger = logging.getLogger("split")

#: Of what no fold tests, so many are named in the report.
NUM_NAMED = 20


class Params(StageParams):
    """Sections read: split."""

    split: SplitParams


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the manifest."""
    return [project.manifest]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the folds and their audit."""
    return [project.splits, project.split_report]


def run(params: Params, project: Project) -> None:
    """Make the folds, audit them, and write both."""
    utterances, split = manifest.read(project.manifest), params.split
    folds = splits.split(utterances, split)
    audited = leakage.audit(folds, utterances, split.protocol, split.may_share)
    used = used_of(utterances)
    untested = left_out.untested(used, folds)
    table = splits.to_csv(folds)
    report = SplitReport(
        protocol=split.protocol,
        speaker_independent=leakage.is_speaker_independent(split.protocol, split.may_share),
        params=split,
        manifest_sha256=lineage.sha256_file(project.manifest),
        split_sha256=lineage.sha256_text(table),
        folds=audited,
        num_untested=len(untested),
        untested=untested[:NUM_NAMED],
    )
    files.write_text(project.splits, table)
    report.write(project.split_report)
    logger.info("protocol %s: %d folds, audit passed", split.protocol, len(folds))
    if untested:
        said = (len(untested), len(used), first_few(untested))
        logger.warning("%d of %d utterances are tested by no fold: %s", *said)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--folds", type=Path, help="folder of both files, instead of data")
    options = parser.parse_args(argv)
    project = Project(folds=options.folds)
    return runtime.run_main(lambda: run(read(options.params, Params), project))


if __name__ == "__main__":
    raise SystemExit(main())
