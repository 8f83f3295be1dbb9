"""What params.yaml says of the processes of a fit."""

import argparse
import shlex
from collections.abc import Mapping
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


def other_machine(launcher: str, environment: Mapping[str, str]) -> str | None:
    """Return the machine that gets what is trained, where this one only helps it.

    Rank 0 keeps and records, and runs on the machine with number 0. That number is what torchrun
    and `accelerate launch` are told, or what torchrun reads in the environment; that of
    Accelerate's own configuration file is not seen.

    Args:
        launcher: As params.yaml has it.
        environment: Of the process that runs it, `os.environ`. A process that a launcher has
            started already is a rank itself, and says so there.

    Returns:
        Its address as the launcher has it; None where results are kept here.

    Example:
        >>> words = "torchrun --nnodes 2 --master-addr head -m"
        >>> other_machine(words, {"PET_NODE_RANK": "1"})
        'head'
        >>> other_machine(words, {"PET_NODE_RANK": "0"}) is None
        True
    """
    if launcher == DIRECTLY and "RANK" not in environment:
        return None
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--standalone", action="store_true")
    options.add_argument(
        *("--node-rank", "--node_rank", "--machine_rank"),
        dest="number",
        default=environment.get("PET_NODE_RANK", "0"),
    )
    options.add_argument(
        *("--master-addr", "--master_addr", "--main_process_ip"),
        dest="address",
        default=environment.get("MASTER_ADDR") or environment.get("PET_MASTER_ADDR"),
    )
    said, _its_own = options.parse_known_args(shlex.split(launcher))
    number = environment.get("RANK") or ("0" if said.standalone else said.number)
    return None if number == "0" else said.address or "the machine of rank 0"
