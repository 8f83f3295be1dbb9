"""Programs of stages, run in this process, which has imported their packages already."""

import runpy
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence

from ser import runtime

#: Exit statuses of a program that a signal ended -> what this process does for the same signal.
#: Negative: it came before the program had said what it does then, as while it was importing.
ENDED: Mapping[int, type[KeyboardInterrupt]] = {
    runtime.INTERRUPTED: KeyboardInterrupt,
    -signal.SIGINT: KeyboardInterrupt,
    runtime.TERMINATED: runtime.Terminated,
    -signal.SIGTERM: runtime.Terminated,
}

#: How `runpy` warns of a program that is a module, too.
_TWO_COPIES = ".* found in sys.modules after import of package"


def run_here(module: str, words: Sequence[str]) -> int:
    """Run `python -m <module> <words>` in this process.

    Args:
        module: Of the program.
        words: Its command line.

    Returns:
        Its exit status; unless it is 0, it has said why.

    Raises:
        KeyboardInterrupt: It was interrupted; `ser.runtime.Terminated` after SIGTERM.
    """
    given, sys.argv = sys.argv, [module, *words]
    try:
        # It may be there for the packages that it imports. What runs is another copy, `__main__`.
        warnings.filterwarnings("ignore", _TWO_COPIES, RuntimeWarning)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int) and end.code in ENDED:
            raise ENDED[end.code] from None
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = given
    return 0
