"""A corpus beside that of params.yaml: manifest and features, made as `prepare` and `extract` do.

Its features have the very same params as those of the corpus of params.yaml, so that a model that
was trained on the one can be tested on the other.
"""

from collections.abc import Mapping

from ser.cross_folders import CorpusFolder
from ser.data import manifest, pair, preparation
from ser.data.card import CorpusCard
from ser.data.corpora._base import CorpusParams
from ser.data.pair import CorpusRecordings
from ser.errors import CorpusError
from ser.features import extraction
from ser.features.extraction import AudioParams, Places
from ser.params import ComponentParams
from ser.progress import Progress
from ser.project import Project


def make(
    name: str,
    params: CorpusParams,
    features: Mapping[str, ComponentParams],
    audio_params: AudioParams,
    *,
    project: Project,
    folder: CorpusFolder,
    progress: Progress | None = None,
) -> CorpusCard:
    """Prepare a corpus and extract its features.

    Args:
        name: That of its folder in data/raw, and in messages.
        params: Which parser reads it; without `emotions`, its classes are those of the corpus of
            params.yaml that it has.
        features: Name -> params, as in the section `features`.
        audio_params: How recordings are heard.
        project: The checkout: its corpus is prepared.
        folder: Where manifest and features shall be.
        progress: Wraps the iterations, e.g. `tqdm`.

    Returns:
        Its card.

    Raises:
        CorpusError: It is not that corpus, or not as it should be.
        LeakageError: A recording is in the corpus of params.yaml, too; names it.
        SplitError: The two have fewer than two classes in common.
        SerError: What `ser.features.extraction.extract` says.
    """
    card, recordings = CorpusCard.read(project.corpus_card), project.raw(name)
    try:
        chosen = preparation.with_classes(params, card.emotions, recordings=recordings)
        made = preparation.prepare(chosen, folder, recordings=recordings, progress=progress)
    except CorpusError as error:
        raise type(error)(f"corpus {name}: {error}") from error
    classes = pair.shared_classes(card, made)
    own, utterances = manifest.read(project.manifest), manifest.read(folder.manifest)
    pair.require_no_shared_recording(
        CorpusRecordings([u for u in own if u.emotion in classes], project.raw(card.name)),
        CorpusRecordings([u for u in utterances if u.emotion in classes], recordings),
        names=(card.name, name),
    )
    for feature, feature_params in features.items():
        extraction.extract(
            utterances,
            name=feature,
            params=feature_params,
            audio_params=audio_params,
            places=Places(
                recordings=recordings,
                store=folder.features(feature),
                kept=folder.kept_copies(feature),
                sounds=project.sounds,
            ),
            progress=progress,
        )
    return made
