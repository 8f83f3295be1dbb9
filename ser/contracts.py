"""What a model, a loss, an extractor, a corpus, a tracker and an engine promise.

The code is annotated with these protocols, and mypy compares every component with its own.
Nothing is computed here. Torch and NumPy are named and not imported: what reads label files
or opens a run has no need of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Parameter

    from ser.batch import HeadName, ModelOutput
    from ser.utterance import Parsed, Utterance


class Module(Protocol):
    """The part of `torch.nn.Module` that the project uses; every model and loss is one.

    Attributes:
        training: Whether dropout and its like are active.
    """

    training: bool

    def parameters(self) -> Iterator[Parameter]:
        """Yield what is trained."""

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield what is trained with its name in `state_dict`."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return all weights and persistent buffers by name."""

    def load_state_dict(self, state_dict: Mapping[str, Tensor], /) -> object:
        """Take weights over; raise RuntimeError where names or shapes differ."""

    def to(self, device: torch.device, /) -> Self:
        """Move to a device and return itself."""

    def train(self, mode: bool = True, /) -> Self:
        """Set training mode and return itself."""

    def eval(self) -> Self:
        """Set evaluation mode and return itself."""


class Model(Module, Protocol):
    """From the features of utterances to their classes; padding never changes its answer.

    `ser.nn.network.Network` is a base class that keeps most of it.
    """

    @property
    def embedding_dim(self) -> int:
        """Width of `ModelOutput.embedding`."""

    @property
    def normalises_inputs(self) -> bool:
        """Whether each bin shall be normalised by the statistics of the fold's train part.

        False for a network whose published weights expect the features as they are.
        """

    @property
    def origin(self) -> str:
        """Where the weights come from before training: `from scratch`, or a checkpoint's name."""

    @property
    def num_ratings(self) -> int:
        """Width of `ModelOutput.ratings`; 0 where the model does not rate."""

    def __call__(self, inputs: Tensor, lengths: Tensor, /) -> ModelOutput:
        """Return what `forward` returns; this is how it is called."""

    def forward(self, inputs: Tensor, lengths: Tensor, /) -> ModelOutput:
        """Classify a padded batch.

        Args:
            inputs: Features `(batch, num_frames, num_bins)`, see `normalises_inputs`.
            lengths: Valid frames per row `(batch,)`, each at least 1.

        Returns:
            Embedding `(batch, embedding_dim)`, logits `(batch, num_classes)` and, from a
            model that rates, ratings `(batch, num_ratings)`.
        """

    def parameter_depth(self, name: str) -> int:
        """Return how far below the head a pretrained parameter lies.

        Args:
            name: As in `named_parameters()`.

        Returns:
            0 for what starts from fresh weights; 1 for the topmost pretrained layer, 2
            for the one below it, and so on.
        """

    def weighs_layers(self, name: str) -> bool:
        """Return whether a parameter says how much each frozen layer contributes.

        Args:
            name: As in `named_parameters()`.
        """

    def prototypes(self) -> Tensor | None:
        """Return a cosine head's prototypes `(num_classes, embedding_dim)`, without gradient.

        None with another head.
        """

    def layer_weights(self) -> list[float] | None:
        """Return what each frozen layer contributes, in sum 1, lowest first.

        None of a model that does not learn it.
        """


class Loss(Module, Protocol):
    """From a model's output and the truth to what training lowers; it learns nothing itself.

    `ser.losses._base.WeightedLoss` is a base class that keeps most of it.
    """

    @property
    def head(self) -> HeadName:
        """The model head whose logits it is defined on."""

    @property
    def logit_scale(self) -> float:
        """Probabilities are softmax(logit_scale * logits); 1 for a linear head."""

    @property
    def num_ratings(self) -> int:
        """How many dimensions the loss wants rated, in the order of `ser.emotion.DIMENSIONS`.

        0, or 3 where its params say `targets: vad` or `ratings`. Then the model gets a second
        head, and `ModelOutput.ratings` and the ratings are there.
        """

    @property
    def learns_shares(self) -> bool:
        """Whether `forward` takes shares of votes too; else `training.targets: soft` is refused."""

    @property
    def learns_classes(self) -> bool:
        """Whether it lowers something that depends on the classes; False for ratings alone."""

    def __call__(
        self, output: ModelOutput, truth: Tensor, ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return what `forward` returns; this is how it is called."""

    def forward(
        self, output: ModelOutput, truth: Tensor, ratings: Tensor | None = None, /
    ) -> Tensor:
        """Return the mean loss of a batch.

        Args:
            output: Embedding `(batch, embedding_dim)` and logits `(batch, num_classes)`.
            truth: Class indices `(batch,)`, int64; or, for a loss that `learns_shares`, each
                class' share of the raters' votes `(batch, num_classes)`, floating point,
                rows in sum 1.
            ratings: `(batch, 3)`, NaN where there is none. A loss without `num_ratings`
                never looks at them.

        Returns:
            A scalar `()`, float32; float64 where the logits are.
        """

    def start_epoch(self, epoch: int) -> None:
        """Set what the loss changes over training; called before every epoch.

        It depends on the epoch alone, never on the calls before, so that a fit which
        resumes sees the same loss as one that was never interrupted.

        Args:
            epoch: The epoch that begins, from 1.
        """

    def diagnose(self, output: ModelOutput, labels: Tensor, /) -> dict[str, float]:
        """Return what else is worth a curve, measured on a whole part; often nothing.

        Args:
            output: Embedding `(num_utterances, embedding_dim)`, logits
                `(num_utterances, num_classes)`.
            labels: Class indices `(num_utterances,)`.

        Returns:
            Name -> value, finite; the names carry no part.
        """


class Extractor(Protocol):
    """Turns one waveform into frames; it sees one utterance at a time."""

    @property
    def num_bins(self) -> int:
        """Width of a frame."""

    @property
    def is_thread_safe(self) -> bool:
        """Whether several threads may call it at once."""

    @property
    def dtype(self) -> str:
        """Of the frames on disk: `float32`, or `float16` for half the space."""

    @property
    def provenance(self) -> Mapping[str, str | None]:
        """Facts beyond the params that decide the result, e.g. the checkpoint's revision.

        They become part of the store's identity. A pretrained extractor gives `checkpoint`,
        `revision` and `weights_sha256`.
        """

    def __call__(self, waveform: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Return the frames of a waveform.

        Args:
            waveform: Mono samples `(num_samples,)` at the extractor's sampling rate.

        Returns:
            Frames `(num_frames, num_bins)`, at least one.
        """


class Corpus(Protocol):
    """One corpus, as a stage sees it."""

    @property
    def synthetic(self) -> bool:
        """Whether no person spoke; every report then says so."""

    @property
    def licence(self) -> str:
        """Under which terms the recordings may be used, one sentence."""

    @property
    def redistributable(self) -> bool:
        """Whether a report may hold recordings, and be passed on, under no further terms.

        False where the licence forbids it, and where it puts terms on what holds them.
        """

    @property
    def citation(self) -> str:
        """What to cite, one sentence."""

    def parse(self, root: Path) -> Parsed:
        """Read labels and file names below a root; raise CorpusError if it is no such corpus."""

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Raise CorpusError, listing what differs, unless the known counts are right."""


@dataclass(frozen=True, slots=True)
class DatasetReference:
    """Data a run was made from, by digest.

    Args:
        name: E.g. `manifest`.
        digest: SHA-256, hexadecimal.
        source: Path relative to the project's root.
        context: What the run used it for: `training` or `evaluation`.
    """

    name: str
    digest: str
    source: str
    context: str


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything a run is opened with.

    Args:
        name: `<model>-<loss>` or `<model>-<loss>/fold-<k>/seed-<s>`.
        run_key: Hash of everything that decides the result; one run per key, ever.
        tags: `ser.*` tags, strings.
        params: The parsed params, defaults included; nested mappings become dotted keys.
        note: Markdown shown at the top of the run's page.
        datasets: What it was made from.
    """

    name: str
    run_key: str
    tags: Mapping[str, str]
    params: Mapping[str, Any]
    note: str = ""
    datasets: tuple[DatasetReference, ...] = field(default=())


class Tracker(Protocol):
    """One open run."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Record metrics, all in one request; a step already recorded is left alone.

        Args:
            metrics: Key -> value; a value that is not finite is left out with a warning.
            step: Epoch, at least 0; None is a single value rather than a curve.

        Raises:
            ValueError: A single value for a metric recorded per epoch.
        """

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Copy a file, or a folder with all its files, into the run's artifacts.

        Args:
            path: What to copy; it arrives as `<folder>/<its name>`.
            folder: Where among the artifacts; empty is the top.

        Raises:
            TrackingError: No such file or folder.
        """

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""


class Experiment(Protocol):
    """A named collection of runs, at most one per run key."""

    def run(
        self, spec: RunSpec, *, parent_key: str | None = None
    ) -> AbstractContextManager[Tracker]:
        """Open a run, resume the unfinished one of the same key, or be silent if it is finished.

        Args:
            spec: What the run is.
            parent_key: Run key of the parent, for a nested run.

        Returns:
            A context manager: leaving it normally finishes the run, an exception fails it,
            an interrupt marks it killed.
        """

    def is_finished(self, run_key: str) -> bool:
        """Return whether the run of a key is recorded to its end."""

    def amend(self, run_key: str, *, topic: str, digest: str) -> AbstractContextManager[Tracker]:
        """Add to a finished run what was found out later: its scores, its figures.

        Args:
            run_key: Of the run.
            topic: What is added, one word.
            digest: SHA-256 of it. A run that has been given the same before stays as it is
                (the tracker is silent); new values replace old ones.

        Returns:
            A context manager; leaving it normally notes the digest with the run.
        """


#: What an engine hands out: names of some work, small and picklable.
Unit = TypeVar("Unit")


@dataclass(frozen=True, slots=True)
class UnitOutcome(Generic[Unit]):
    """What became of a unit of work.

    Args:
        unit: The unit.
        error: Why it failed, for people; None if it is done.
    """

    unit: Unit
    error: str | None


class Engine(Protocol[Unit]):
    """Where units of work run."""

    def run(
        self, work: Callable[[Unit], None], units: Sequence[Unit]
    ) -> Iterator[UnitOutcome[Unit]]:
        """Do every unit once and yield what became of each, in any order.

        Args:
            work: Does one unit; a `SerError` that it raises is the unit's failure, and the
                other units go on.
            units: What is to be done.
        """
