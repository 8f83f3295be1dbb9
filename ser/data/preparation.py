"""From the recordings of a corpus to its manifest, its rejections and its card."""

from collections.abc import Sequence
from pathlib import Path

from ser import components
from ser.contracts import Corpus
from ser.data import classes, fold_lists, intake, manifest, speech_kind
from ser.data.card import CorpusCard
from ser.data.corpora._base import CorpusParams
from ser.errors import CorpusError
from ser.progress import Progress
from ser.project import Project


def prepare(
    params: CorpusParams,
    project: Project,
    *,
    recordings: Path,
    progress: Progress | None = None,
) -> CorpusCard:
    """Take a corpus in, refuse what cannot be used, and write the manifest.

    Args:
        params: Which parser reads it, and how.
        project: Where manifest, rejections and card shall be.
        recordings: The corpus' folder.
        progress: Wraps the iteration over recordings, e.g. `tqdm`.

    Returns:
        The card.

    Raises:
        CorpusError: The folder is not that corpus, more was refused than may be, or nobody speaks
            one of the classes.
    """
    corpus: Corpus = components.load(components.CORPORA, params.parser_name).build(params)
    parsed = fold_lists.parse(corpus, recordings, params.fold_lists)
    taken = intake.take_in(parsed, root=recordings, params=params, progress=progress)
    # Written before anything is refused, so that the list is there to be read.
    manifest.write_rejections(project.rejected, taken.rejections)
    intake.enforce(taken, max_rejected=params.max_rejected)
    corpus.check(taken.utterances)
    speech_kind.require_known(taken.utterances, params.speech, corpus=params.name)
    classes.require_each(params.emotions, taken.utterances, corpus=params.name)
    manifest.write(project.manifest, taken.utterances)
    card = intake.describe(corpus, params, taken)
    card.write(project.corpus_card)
    return card


def with_classes(params: CorpusParams, wanted: Sequence[str], *, recordings: Path) -> CorpusParams:
    """Return the params of a corpus with the classes that it is read for.

    Args:
        params: If they say `emotions`, these stay.
        wanted: The classes that are asked for.
        recordings: The corpus' folder.

    Returns:
        The params, with those of the wanted classes that somebody speaks.

    Raises:
        CorpusError: The folder is not that corpus, or it has fewer than two of the classes.
    """
    if "emotions" in params.model_fields_set:
        return params
    corpus: Corpus = components.load(components.CORPORA, params.parser_name).build(params)
    annotations = corpus.parse(recordings).annotations
    spoken = {
        speech_kind.studied_emotion(item, emotions=wanted, speech=params.speech)
        for item in annotations
    }
    found = tuple(emotion for emotion in wanted if emotion in spoken)
    if len(found) < 2:
        there = ", ".join(sorted({item.emotion for item in annotations if item.emotion})) or "none"
        raise CorpusError(
            f"{recordings}: two of the classes {', '.join(wanted)} are needed, but it has: {there}"
        )
    return params.model_copy(update={"emotions": found})
