"""The corpus card: what was read, in numbers, for every later stage and the report."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from ser.files import JsonArtefact


class CorpusCard(JsonArtefact):
    """The content of data/corpus.json.

    "Used" are the utterances of the study's emotions, or without classes those that are rated;
    the others stay in the manifest.

    Args:
        name: Of the corpus, as in params.yaml.
        synthetic: True where no person spoke.
        licence: Under which terms the recordings may be used, one sentence.
        citation: What to cite, one sentence.
        emotions: The classes, in order; none where ratings are learnt.
        num_utterances: In the manifest.
        num_used: Of these, with one of the emotions.
        num_rejected: Recordings that were refused.
        num_speakers: Who speak the used utterances.
        num_sessions: In which the used utterances were spoken; 0 where the corpus has none.
        duration_s: Of the used utterances together, in seconds.
        counts: Emotion -> used utterances.
        rated: Dimension -> used utterances that are rated on it; those that nobody rates are
            left out.
        labels: The corpus' own label -> utterances in the manifest.
        params: The section `corpus` of params.yaml, defaults filled in.
        vote_emotions: Rater's label -> canonical emotion, one of the classes or another; empty
            where the corpus has no votes.
    """

    what: ClassVar[str] = "a corpus card"

    name: str
    synthetic: bool
    licence: str
    citation: str
    emotions: tuple[str, ...]
    num_utterances: int
    num_used: int
    num_rejected: int
    num_speakers: int
    num_sessions: int
    duration_s: float
    counts: Mapping[str, int]
    labels: Mapping[str, int]
    params: Mapping[str, Any]
    rated: Mapping[str, int] = {}
    vote_emotions: Mapping[str, str] = Field(default_factory=dict)
