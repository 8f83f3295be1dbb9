"""Stage prepare: raw corpus -> data/manifest.jsonl, data/rejected.jsonl, data/corpus.json."""

import argparse
import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import components, runtime
from ser.contracts import Corpus
from ser.data import card, intake, manifest
from ser.params import StageParams, component, read

logger = logging.getLogger("prepare")


class Params(StageParams):
    """Sections read: corpus."""

    corpus: component("ser.data.corpora")  # type: ignore[valid-type]


def run(params: Params, *, root: Path, out: Path) -> None:
    """Take a corpus in, refuse what cannot be used, and write the manifest."""
    corpus: Corpus = components.load("ser.data.corpora", params.corpus.name).build(params.corpus)
    taken = intake.take_in(
        corpus.parse(root),
        root=root,
        params=params.corpus,
        progress=partial(tqdm, desc="inspect recordings", unit="wav", disable=None),
    )
    out.mkdir(parents=True, exist_ok=True)
    # Written before anything is refused, so that the list is there to be read.
    manifest.write_rejections(out / "rejected.jsonl", taken.rejections)
    intake.enforce(taken, max_rejected=params.corpus.max_rejected)
    corpus.check(taken.utterances)
    manifest.write(out / "manifest.jsonl", taken.utterances)
    described = card.describe(corpus, params.corpus, taken.utterances, taken.rejections)
    text = json.dumps(described, indent=2, ensure_ascii=False)
    (out / "corpus.json").write_text(text + "\n", encoding="utf-8")
    logger.info(
        "%s: %d utterances, %d of the study's emotions %s, %d refused",
        params.corpus.name,
        described["num_utterances"],
        described["num_used"],
        described["counts"],
        described["num_rejected"],
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--root", type=Path, required=True, help="the corpus' root")
    parser.add_argument("--out", type=Path, required=True, help="folder of the outputs")
    options = parser.parse_args(argv)
    return runtime.run_main(
        lambda: run(read(options.params, Params), root=options.root, out=options.out)
    )


if __name__ == "__main__":
    raise SystemExit(main())
