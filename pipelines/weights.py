"""Stage weights: params -> data/weights/<name>, a tiny checkpoint with random weights."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import runtime
from ser.errors import ParamsError
from ser.params import StageParams, read
from ser.pretrained import tiny
from ser.pretrained.tiny import TinyCheckpoint


class Params(StageParams):
    """Sections read: synthetic_weights, of which the stage's own entry."""

    synthetic_weights: Mapping[str, TinyCheckpoint]


def run(params: Params, *, name: str, out: Path) -> None:
    """Write the checkpoint of a name.

    Raises:
        ParamsError: No checkpoint has this name.
    """
    if name not in params.synthetic_weights:
        known = ", ".join(params.synthetic_weights) or "none"
        raise ParamsError(f"synthetic_weights has no entry {name!r}; there are: {known}")
    tiny.write(out, params.synthetic_weights[name])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--name", required=True, help="an entry of synthetic_weights")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint's folder")
    options = parser.parse_args(argv)
    return runtime.run_main(
        lambda: run(read(options.params, Params), name=options.name, out=options.out)
    )


if __name__ == "__main__":
    raise SystemExit(main())
