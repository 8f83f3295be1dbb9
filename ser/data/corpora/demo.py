"""The demo corpus: synthetic speech in the shape of IEMOCAP, read by IEMOCAP's own parser."""

from collections import Counter
from typing import Literal

from pydantic import Field

from ser.contracts import Corpus
from ser.data.corpora._base import CorpusParams
from ser.data.corpora._iemocap_tree import Counts, IemocapCorpus
from ser.data.demo import plan


class Params(CorpusParams):
    """Params of the demo corpus: what is generated, and so what must be found.

    Args:
        seed: Decides everything; the same seed gives the same bytes.
        utterances_per_session: In each of the five sessions, of all labels; about three
            quarters are of the four classes.
        distinctness: How far emotions lie apart; 0 makes them all sound alike, with 1 a
            simple classifier gets about two thirds of unseen speakers' utterances right.
        sampling_rate: Of the recordings, in Hz.
    """

    name: Literal["demo"] = "demo"
    seed: int = Field(0, ge=0, lt=2**32)
    utterances_per_session: int = Field(84, ge=plan.MIN_PER_SESSION, le=900)
    distinctness: float = Field(1.0, ge=0.0, le=2.0)
    sampling_rate: int = Field(16_000, ge=12_000, le=48_000)


def build(params: Params) -> Corpus:
    """Return the parser of a demo corpus that was written with the same params.

    Args:
        params: As given to `ser.data.demo.release.generate`.

    Returns:
        IEMOCAP's parser, insisting on the counts that the plan of these params has.

    Source: Written by this project; no person's voice, under the project's own licence.
    """
    turns = plan.build(seed=params.seed, utterances_per_session=params.utterances_per_session)
    cells = Counter((f"Ses0{turn.session}", turn.label) for turn in turns)
    return IemocapCorpus(
        name="demo",
        synthetic=True,
        licence="Synthetic; made by this project, under its Apache-2.0 licence.",
        redistributable=True,
        citation="None: synthetic speech shows that the machinery works, nothing about people.",
        expected=Counts(
            per_session=Counter(f"Ses0{turn.session}" for turn in turns),
            per_label=Counter(turn.label for turn in turns),
            per_cell=cells,
        ),
        cure="The demo corpus was written with other params, or changed since: write it again "
        "with `ser demo-corpus`.",
    )
