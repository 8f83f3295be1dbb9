"""What is said of all results wherever they are shown: of which corpus, real speech or not."""

from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport

SYNTHETIC_NOTICE = (
    "Synthetic speech: these numbers prove that the machinery works, "
    "and say nothing about emotion recognition."
)


def footer_of(card: CorpusCard, split: SplitReport) -> str:
    """Return the line below every figure: corpus, protocol, synthetic or real.

    Args:
        card: `data/corpus.json`.
        split: `data/split_report.json`.
    """
    kind = "SYNTHETIC speech" if card.synthetic else "real speech"
    speakers = "" if split.speaker_independent else ", SPEAKER-DEPENDENT"
    return f"corpus {card.name} ({kind}), protocol {split.protocol}{speakers}"
