"""What `ser doctor` reports of one thing that it looked at."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "mend", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Args:
        level: `ok`; `mend` where something was wrong and has been mended; `warn` where work goes
            on but something is not as it should be; `fail` where a command will refuse.
        what: The thing, e.g. `corpus link`.
        detail: What was found, one sentence.
        cure: What to do, usually a command; empty where nothing is wrong.
    """

    level: Level
    what: str
    detail: str
    cure: str = ""
