"""Stage demo: params -> a synthetic corpus in IEMOCAP's shape (no licence needed)."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ser import runtime
from ser.data.corpora import demo
from ser.data.demo import release
from ser.errors import ParamsError
from ser.params import StageParams, component, read
from ser.project import Project, Words


class Params(StageParams):
    """Sections read: corpus."""

    corpus: component("ser.data.corpora")  # type: ignore[valid-type]


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return no files: the corpus is computed."""
    return []


def writes(project: Project, words: Words) -> list[Path]:
    """Return the corpus."""
    return [project.raw(words["item"])]


def run(params: Params, out: Path) -> None:
    """Write the demo corpus that the params describe.

    Raises:
        ParamsError: They name a corpus that nobody can make.
    """
    if not isinstance(params.corpus, demo.Params):
        raise ParamsError(
            f"corpus.name is {params.corpus.name!r}, but only the demo corpus can be made; "
            f"set synthetic_corpora: []"
        )
    release.generate(
        out, params.corpus, progress=partial(tqdm, desc="synthesise", unit="utt", disable=None)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("corpus", help="one of synthetic_corpora")
    options = parser.parse_args(argv)
    return runtime.run_main(
        lambda: run(read(options.params, Params), Project().raw(options.corpus))
    )


if __name__ == "__main__":
    raise SystemExit(main())
