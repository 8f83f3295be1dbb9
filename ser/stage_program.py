"""The command line of a stage that has nothing to say but which params.yaml it reads."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from ser import runtime
from ser.params import Params, read
from ser.project import Project


def main(
    run: Callable[[Params, Project], object],
    params_class: type[Params],
    argv: Sequence[str] | None,
    *,
    description: str | None,
) -> int:
    """Read the stage's sections and run it in the working directory.

    Args:
        run: The stage.
        params_class: The sections that it reads.
        argv: Words of the command line; None takes the program's own.
        description: What the stage does, for `--help`.

    Returns:
        The exit status, see `ser.runtime.run_main`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    options = parser.parse_args(argv)

    def stage() -> None:
        run(read(options.params, params_class), Project())

    return runtime.run_main(stage)
