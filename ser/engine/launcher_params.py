"""What params.yaml says of the processes of a fit."""

from typing import Annotated

from pydantic import AfterValidator, Field

from ser.params import StageParams

#: What starts one process, which trains alone.
DIRECTLY = "python -m"


def _ending_in_m(launcher: str) -> str:
    if launcher.split()[-1:] != ["-m"]:
        raise ValueError("must end in -m, for the name of a module follows")
    return launcher


#: `python -m`, or what starts several processes, e.g. `torchrun --standalone --nproc-per-node 2
#: -m`.
Launcher = Annotated[str, Field(min_length=1), AfterValidator(_ending_in_m)]


class LauncherParams(StageParams):
    """Sections read: launcher.

    Args:
        launcher: What starts the processes that train a fit together.
    """

    launcher: Launcher = DIRECTLY
