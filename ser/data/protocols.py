"""What a split may be: its protocol and params, and the parts of a fold."""

from typing import Literal

from pydantic import Field

from ser.params import Section

Part = Literal["train", "dev", "test"]
Protocol = Literal["session", "speaker", "superb", "random"]
PARTS: tuple[Part, ...] = ("train", "dev", "test")


class SplitParams(Section):
    """How folds are made.

    Args:
        protocol: `session` tests one session and chooses on the next, cyclically (as
            EMO-SUPERB does); `speaker` tests one speaker and chooses on the other of the
            session; `superb` tests one session and chooses on a random share of the rest
            (as SUPERB does: dev speakers are also in train); `random` deals utterances,
            stratified by emotion, and is therefore speaker-dependent.
        num_folds: For `random` only; the others have a fold per session or speaker.
        dev_fraction: Share of the non-test utterances that choose; `superb`, `random`.
        seed: Of the random choices; `superb`, `random`.
    """

    protocol: Protocol = "session"
    num_folds: int = Field(5, ge=2, le=20)
    dev_fraction: float = Field(0.2, gt=0.0, lt=0.5)
    seed: int = Field(0, ge=0, lt=2**31)
