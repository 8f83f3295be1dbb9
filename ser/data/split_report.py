"""The split report: how the folds were made and what the leakage audit found in them."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from ser.data.protocols import Part, Protocol, SplitParams
from ser.files import JsonArtefact
from ser.params import Section


class SharedSentences(Section):
    """Sentences that two parts share; measured, and forbidden by the protocol `text` only.

    Args:
        num_shared: Different sentences that both parts hold.
        share_of_second_part: Of the second part's utterances, how many repeat a sentence of
            the first, in [0, 1].
    """

    num_shared: int
    share_of_second_part: float


class Overlap(Section):
    """What two parts of a fold share.

    Args:
        speaker, dialogue, session: Their names, sorted.
        audio: SHA-256 of recordings that both hold, sorted.
        sentences: What is said in both.
    """

    speaker: tuple[str, ...]
    dialogue: tuple[str, ...]
    session: tuple[str, ...]
    audio: tuple[str, ...]
    sentences: SharedSentences


class FoldReport(Section):
    """One audited fold.

    Args:
        fold: Its number, from 1.
        num_utterances: Per part.
        duration_s: Per part, in seconds.
        counts: Per part, emotion -> utterances.
        speakers: Per part, sorted.
        sessions: Per part, sorted; empty where the corpus has none.
        shared: `train-dev`, `train-test` and `dev-test` -> what the two share.
        left_out: Why utterances of the study are in none of the parts -> how many, see
            `ser.data.left_out`.
    """

    fold: int
    num_utterances: Mapping[Part, int]
    duration_s: Mapping[Part, float]
    counts: Mapping[Part, Mapping[str, int]]
    speakers: Mapping[Part, tuple[str, ...]]
    sessions: Mapping[Part, tuple[str, ...]]
    shared: Mapping[str, Overlap]
    left_out: Mapping[str, int] = Field(default_factory=dict)

    @property
    def num_left_out(self) -> int:
        """Utterances of the study that are in none of the parts."""
        return sum(self.left_out.values())


class SplitReport(JsonArtefact):
    """The content of data/split_report.json.

    Args:
        protocol: By which the folds were made.
        speaker_independent: Whether no test speaker is heard in training or in choosing.
        params: The section `split` of params.yaml, defaults filled in.
        manifest_sha256: Of the manifest that was split.
        split_sha256: Of splits.csv.
        folds: What the audit found, fold by fold.
        num_untested: Utterances of the study that no fold tests.
        untested: Ids of the first of them.
    """

    what: ClassVar[str] = "a split report"

    protocol: Protocol
    speaker_independent: bool
    params: SplitParams
    manifest_sha256: str
    split_sha256: str
    folds: tuple[FoldReport, ...] = Field(min_length=1)
    num_untested: int = Field(0, ge=0)
    untested: tuple[str, ...] = ()

    def fold(self, number: int) -> FoldReport:
        """Return the fold of a number.

        Raises:
            KeyError: There is none.
        """
        return {record.fold: record for record in self.folds}[number]
