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


class Params(StageParams):
    """Sections read: corpus."""

    corpus: component("ser.data.corpora")  # type: ignore[valid-type]


def run(params: Params, *, out: Path) -> None:
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
    parser.add_argument("--out", type=Path, required=True, help="the corpus' root")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: run(read(options.params, Params), out=options.out))


if __name__ == "__main__":
    raise SystemExit(main())
