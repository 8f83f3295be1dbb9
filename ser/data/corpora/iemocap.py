"""IEMOCAP: acted conversations of ten speakers in five sessions."""

from typing import Literal, Self

from pydantic import model_validator

from ser.contracts import Corpus
from ser.data.corpora._base import CorpusParams
from ser.data.corpora._iemocap_tree import Counts, IemocapCorpus

_PER_SESSION = {"Ses01": 1819, "Ses02": 1811, "Ses03": 2136, "Ses04": 2103, "Ses05": 2170}
_PER_LABEL = {
    "ang": 1103,
    "dis": 2,
    "exc": 1041,
    "fea": 40,
    "fru": 1849,
    "hap": 595,
    "neu": 1708,
    "oth": 3,
    "sad": 1084,
    "sur": 107,
    "xxx": 2507,
}
_FOUR_CLASSES = {
    "Ses01": {"ang": 229, "hap": 135, "exc": 143, "neu": 384, "sad": 194},
    "Ses02": {"ang": 137, "hap": 117, "exc": 210, "neu": 362, "sad": 197},
    "Ses03": {"ang": 240, "hap": 135, "exc": 151, "neu": 320, "sad": 305},
    "Ses04": {"ang": 327, "hap": 65, "exc": 238, "neu": 258, "sad": 143},
    "Ses05": {"ang": 170, "hap": 143, "exc": 299, "neu": 384, "sad": 245},
}

#: What the full release holds: 10039 utterances, 5531 of them in the four classes.
PUBLISHED = Counts(
    per_session=_PER_SESSION,
    per_label=_PER_LABEL,
    per_cell={
        (session, label): count
        for session, labels in _FOUR_CLASSES.items()
        for label, count in labels.items()
    },
)


class Params(CorpusParams):
    """Params of the IEMOCAP parser.

    Args:
        allow_partial: Accept a copy whose counts differ from the full release's, or that
            lacks sessions. Its results compare with nobody's.
        merge_excited: Count `exc` as happy, as the usual task of four classes does; else it
            is `excited`, which `emotions` may name as a class of its own.
    """

    name: Literal["iemocap"] = "iemocap"
    allow_partial: bool = False
    merge_excited: bool = True

    @model_validator(mode="after")
    def _excited_once(self) -> Self:
        if self.merge_excited and "excited" in self.emotions:
            raise ValueError(
                "emotions has excited, but merge_excited counts exc as happy; write "
                "`merge_excited: false`"
            )
        return self


def build(params: Params) -> Corpus:
    """Return the parser of IEMOCAP_full_release.

    Args:
        params: Which counts to insist on and how to map `exc`.

    Returns:
        The corpus; all 10039 utterances are kept, with `emotion` None where the raters
        agreed on none (`xxx`) or on something without a name (`oth`).

    Source: C. Busso et al., IEMOCAP: Interactive emotional dyadic motion capture database,
        Language Resources and Evaluation 42 (2008). 10039 utterances, five sessions, ten
        speakers; licensed by the University of Southern California for research only.
    """
    return IemocapCorpus(
        name="iemocap",
        synthetic=False,
        licence="IEMOCAP data release form of the University of Southern California: "
        "research only, no redistribution of recordings.",
        redistributable=False,
        citation="C. Busso et al., IEMOCAP: Interactive emotional dyadic motion capture "
        "database, Language Resources and Evaluation 42:335-359, 2008.",
        expected=None if params.allow_partial else PUBLISHED,
        cure="Restore the release as it was delivered, or say `allow_partial: true` in the "
        "corpus section of params.yaml.",
        merge_excited=params.merge_excited,
        allow_partial=params.allow_partial,
    )
