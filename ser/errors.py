"""Every failure the project reports to a person, as one tree.

SerError
├── ParamsError             params.yaml is wrong
│   └── UnknownComponentError   ... it names a component that has no file
├── FileError               a file of the project is missing, damaged or not of its form
├── FullDiskError           there is no room for what is written, and a cure of its own
├── CorpusError             a folder is not the corpus it should be, or too much of it is unusable
│   ├── NotTheCorpusError   ... nothing of it is in the folder
│   └── DownloadError       ... it cannot be fetched, or what came is not its archive
├── AudioError              one wav cannot be used
├── ManifestError           data/manifest.jsonl breaks its own rules
├── SplitError              a protocol cannot be applied to this corpus
│   └── LeakageError        two parts of a fold share what they must not share
├── StaleFeaturesError      features or folds were made from other params or data, or are damaged
├── WeightsError            a file of weights is missing, of another digest, or of another shape
│   └── MissingWeightsError     ... nothing of a checkpoint is on this machine
├── CheckpointError         a training checkpoint belongs to another run or is damaged
├── TrainingError           training cannot go on (no utterances, loss not finite)
│   └── RankError               ... with the other processes of a fit
│       └── RankLostError           ... because one of them has ended
├── TuningError             a study cannot go on, or its outcome is of other folds
├── AudioInputError         a request's audio cannot be used
├── BundleError             what is to be served is incomplete, changed, or of another version
├── MonitoringError         what was heard cannot be compared with a bundle's reference
├── RegistryError           a version cannot be registered, promoted or rolled back
├── EngineError             a cluster cannot be used, or what it sent is not whole
│   └── NodeError           ... one node cannot do a unit that another may do
├── TrackingError           the tracking store cannot be used
└── LineageError            a run no longer leads back to its data, code or lock

What a library raises is turned into one of these where the library is called, whatever its type:
see `translating`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class SerError(Exception):
    """Base of all errors whose message is meant for the person at the keyboard."""


class ParamsError(SerError):
    """A value in params.yaml is unknown, of the wrong type or out of range."""


class UnknownComponentError(ParamsError):
    """params.yaml names a component that has no file."""


class FileError(SerError):
    """A file of the project is missing, cannot be read, or is not of its form."""


class FullDiskError(SerError):
    """A disk is full, and more can be done about it than to free some space."""


class CorpusError(SerError):
    """A folder is not the corpus it should be, or too much of it is unusable."""


class NotTheCorpusError(CorpusError):
    """A folder holds nothing of the corpus that it should be; another one has to be linked."""


class DownloadError(CorpusError):
    """A corpus cannot be fetched, or what came is not its archive."""


class AudioError(SerError):
    """One wav cannot be used; the message is the reason recorded in rejected.jsonl."""


class ManifestError(SerError):
    """A manifest breaks its own rules."""


class SplitError(SerError):
    """A protocol cannot be applied to this corpus."""


class LeakageError(SplitError):
    """Two parts of a fold share a speaker, dialogue, session or recording."""


class StaleFeaturesError(SerError):
    """A feature store was made with other params, or is damaged."""


class WeightsError(SerError):
    """A file of weights is missing, of another digest, or of another shape."""


class MissingWeightsError(WeightsError):
    """Nothing of a checkpoint is on this machine: it was not fetched, made or put there."""


class CheckpointError(SerError):
    """A training checkpoint belongs to another run or is damaged."""


class TrainingError(SerError):
    """Training cannot go on."""


class RankError(TrainingError):
    """The processes of one fit cannot train together."""


class RankLostError(RankError):
    """Another process of the fit has ended, which says why itself."""


class TuningError(SerError):
    """A study cannot go on, or its outcome is not what training needs."""


class AudioInputError(SerError):
    """A request's audio cannot be used."""


class BundleError(SerError):
    """What is to be served is incomplete, has been changed, or is of another version."""


class MonitoringError(SerError):
    """What was heard cannot be compared with the reference of a bundle."""


class RegistryError(SerError):
    """A model version cannot be registered, promoted or rolled back."""


class EngineError(SerError):
    """A cluster cannot be reached or used, or what a node sent is not whole."""


class NodeError(EngineError):
    """One node cannot do a unit of work: its data, code or versions are others."""


class TrackingError(SerError):
    """The tracking store cannot be used."""


class LineageError(SerError):
    """A run no longer leads back to its data, code or lock."""


class PipelineError(SerError):
    """dvc.yaml is not as it should be, or DVC cannot work on it now."""


@contextmanager
def translating(say: Callable[[Exception], SerError]) -> Iterator[None]:
    """Turn whatever a library raises in the block into an error of ours; our own pass.

    A list of types would only hold those that were seen so far: a damaged file, or the store of
    another vendor, raises the next one. The block holds the call of the library and nothing more,
    so that no fault of ours is taken for one of the world.

    Args:
        say: Makes our error of the library's.

    Raises:
        SerError: What `say` has made, or one that was raised in the block.
    """
    try:
        yield
    except SerError:
        raise
    except Exception as error:
        raise say(error) from error
