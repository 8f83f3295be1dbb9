"""Stage weights: params -> data/weights/<name>, a tiny checkpoint with random weights."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import runtime
from ser.errors import ParamsError
from ser.params import StageParams, read
from ser.pretrained import tiny
from ser.pretrained.tiny import TinyCheckpoint
from ser.project import Project, Words


class Params(StageParams):
    """Sections read: synthetic_weights, of which the stage's own entry."""

    synthetic_weights: Mapping[str, TinyCheckpoint]


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return no files: the weights are drawn."""
    return []


def writes(project: Project, words: Words) -> list[Path]:
    """Return the checkpoint."""
    return [project.checkpoint(words["key"])]


def run(params: Params, project: Project, *, name: str) -> None:
    """Write the checkpoint of a name.

    Raises:
        ParamsError: No checkpoint has this name.
    """
    if name not in params.synthetic_weights:
        known = ", ".join(params.synthetic_weights) or "none"
        raise ParamsError(f"synthetic_weights has no entry {name!r}; there are: {known}")
    tiny.write(project.checkpoint(name), params.synthetic_weights[name])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("name", help="an entry of synthetic_weights")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: run(read(options.params, Params), Project(), name=options.name))


if __name__ == "__main__":
    raise SystemExit(main())
