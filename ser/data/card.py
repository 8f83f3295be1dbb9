"""The corpus card: what was read, in numbers, for every later stage and the report."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ser.contracts import Corpus
from ser.data.corpora._base import CorpusParams
from ser.utterance import Rejection, Utterance


def describe(
    corpus: Corpus,
    params: CorpusParams,
    utterances: Sequence[Utterance],
    rejections: Sequence[Rejection],
) -> dict[str, Any]:
    """Return the content of data/corpus.json.

    Args:
        corpus: Its terms and whether a person spoke.
        params: Its params; `emotions` are the classes, in order.
        utterances: The manifest.
        rejections: What was refused.

    Returns:
        JSON-ready: name, synthetic, licence, citation, emotions, counts per emotion and
        per the corpus' own label, numbers of utterances, speakers and sessions, hours.
    """
    used = [utterance for utterance in utterances if utterance.emotion is not None]
    counts = Counter(utterance.emotion for utterance in used)
    return {
        "name": params.name,
        "synthetic": corpus.synthetic,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "emotions": list(params.emotions),
        "num_utterances": len(utterances),
        "num_used": len(used),
        "num_rejected": len(rejections),
        "num_speakers": len({utterance.speaker for utterance in used}),
        "num_sessions": len({utterance.session for utterance in used}),
        "duration_s": round(sum(utterance.duration_s for utterance in used), 3),
        "counts": {emotion: counts[emotion] for emotion in params.emotions},
        "labels": dict(sorted(Counter(utterance.label for utterance in utterances).items())),
        "params": params.model_dump(mode="json"),
    }
