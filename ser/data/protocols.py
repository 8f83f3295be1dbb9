"""What a split may be: its protocol and params, and the parts of a fold."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator

from ser.params import Section
from ser.utterance import Annotation

Part = Literal["train", "dev", "test"]
Protocol = Literal["session", "speaker", "superb", "text", "file", "random"]
Shareable = Literal["speaker", "dialogue"]
PARTS: tuple[Part, ...] = ("train", "dev", "test")

#: Train, dev and test of one fold.
Dealt = tuple[Sequence[Annotation], Sequence[Annotation], Sequence[Annotation]]


class SplitParams(Section):
    """How folds are made.

    Args:
        protocol: `session` tests one session and chooses on the next, cyclically (as
            EMO-SUPERB does); `speaker` tests one speaker and chooses on the other of the
            session; `superb` tests one session and chooses on a random share of the rest
            (as SUPERB does: dev speakers are also in train); `text` tests what one session
            says of one group of sentences, and trains on other speakers and sentences; `file`
            takes the corpus' own parts or folds; `random` deals utterances, stratified by
            emotion, and is therefore speaker-dependent.
        num_folds: For `random` only; the others have a fold per session, speaker, or session and
            group of sentences, or those of the corpus.
        num_sentence_groups: Groups that sentences are dealt into; for `text` only.
        part_map: The corpus' own word -> train, dev or test, or null for utterances that take no
            part; for `file` only. Train, development, test and the like need no entry.
        may_share: What parts of the corpus' own making may share; for `file` only. With `speaker`
            the scores are marked speaker-dependent.
        dev_fraction: Share of the non-test utterances that choose; `superb`, `random`, and `file`
            where the corpus has no dev part and no next fold.
        seed: Of the random choices, for the same.
    """

    protocol: Protocol = "session"
    num_folds: int = Field(5, ge=2, le=20)
    dev_fraction: float = Field(0.2, gt=0.0, lt=0.5)
    seed: int = Field(0, ge=0, lt=2**31)
    num_sentence_groups: int = Field(5, ge=2, le=1000)
    part_map: dict[str, Part | None] = Field(default_factory=dict)
    may_share: tuple[Shareable, ...] = ()

    @model_validator(mode="after")
    def _of_the_protocol(self) -> "SplitParams":
        for name in ("part_map", "may_share"):
            if getattr(self, name) and self.protocol != "file":
                raise ValueError(
                    f"{name} is for protocol file, and the protocol is {self.protocol}"
                )
        return self
