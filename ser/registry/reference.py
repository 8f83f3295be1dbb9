"""What a bundle compares a request with: its own training, and speech it was not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file

from ser.contracts import Model
from ser.data import audio, speech_activity
from ser.data.splits import Fold
from ser.errors import BundleError, FileError, translating
from ser.evaluation import familiarity
from ser.evaluation.familiarity import Reference
from ser.features.dataset import FeatureDataset, Normalisation, Statistics
from ser.grid import inputs as cell_inputs
from ser.grid.inputs import Inputs
from ser.project import Project
from ser.registry.bundle import ComparedWith, Hearing, ServingParams, plan_of
from ser.tracking.cells import RunRecord
from ser.training import device
from ser.training.plan import CellPlan, build_loss, build_model
from ser.training.predict import predict
from ser.training.saved_fold import SavedFold
from ser.utterance import Utterance


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """Trained weights and the stored features that they read.

    Args:
        plan: Model, loss and settings.
        model: With its weights, on its device.
        normalisation: Of the features.
        data: What the cell was made from.
    """

    plan: CellPlan
    model: Model
    normalisation: Normalisation
    data: Inputs

    def embeddings(self, ids: Sequence[str]) -> NDArray[np.float64]:
        """Return the embeddings of utterances as they are, `(num_utterances, embedding_dim)`."""
        # Not what trained, which may have drawn copies: what is served hears none.
        dataset = FeatureDataset(
            self.data.store, tuple(ids), self.data.label_of, self.normalisation
        )
        outputs = predict(
            self.model,
            dataset,
            batch_size=self.plan.recipe.batch_size,
            max_frames=self.plan.recipe.max_frames,
            device=next(self.model.parameters()).device,
        )
        return np.asarray(outputs.output.embedding.double().numpy())

    def labels(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the class indices of utterances `(num_utterances,)`."""
        return np.array([self.data.label_of[id_] for id_ in ids], dtype=np.int64)


def inputs_of(project: Project, record: RunRecord) -> Inputs:
    """Return what a run was made from; see `ser.grid.inputs.load` for what it raises."""
    section = dict(record.spec.params["feature"])
    name = str(section.pop("name"))
    section.pop("sampling_rate")
    return cell_inputs.load(project, name, feature_params=section, in_full=True)


def network_of(saved: SavedFold, record: RunRecord, data: Inputs) -> TrainedNetwork:
    """Return the network of a trained fold.

    Args:
        saved: The fold on disk.
        record: Its run.
        data: What it was made from.

    Raises:
        FileError: Its weights or its normalisation are missing, damaged, or another network's.
    """
    plan = plan_of(record.spec.params, data.emotions)
    loss = build_loss(plan)
    model = build_model(plan, feature=data.store.spec, head=loss.head, num_ratings=loss.num_ratings)

    def say(error: Exception) -> FileError:
        first = str(error).partition("\n")[0]
        return FileError(
            f"{saved.weights}: not the weights of this network ({first}); `dvc repro` trains it"
        )

    with translating(say):
        model.load_state_dict(load_file(saved.weights))
    # A model that a GPU trained in float16 may be registered where there is none.
    as_it_is = plan.training.model_copy(update={"precision": "float32"})
    model.to(device.accelerator(as_it_is).device)
    return TrainedNetwork(plan, model, Statistics.load(saved.statistics), data)


@dataclass(frozen=True, slots=True)
class Compared:
    """What requests are compared with, and when this refuses them.

    Args:
        reference: The distances of training.
        hearing: The limits.
    """

    reference: Reference
    hearing: Hearing


def of_fold(
    network: TrainedNetwork,
    fold: Fold,
    dev: Sequence[Utterance],
    *,
    params: ServingParams,
    has_seen_dev: bool,
) -> Compared:
    """Return what the weights of a fold are compared with; its test part is not read.

    Args:
        network: The fold's.
        fold: Which utterances were its train and dev parts.
        dev: Those of the dev part; their recordings are listened to.
        params: How many of them may be refused, and the share of speech that is enough.
        has_seen_dev: Whether the weights were refitted on both parts.

    Raises:
        AudioError: A recording is missing or cannot be read.
        BundleError: All embeddings of every class are the same.
    """
    if has_seen_dev:
        return left_out(network, (*fold.train, *fold.dev), dev, params=params)
    embeddings, labels = network.embeddings(fold.train), network.labels(fold.train)
    try:
        gaussians = familiarity.fit(embeddings, labels)
    except ValueError as error:
        raise _without_distance(network, error) from error
    distances = gaussians.distances(network.embeddings(fold.dev))
    return _limited(Reference(gaussians, np.sort(distances)), dev, network, params, "dev")


def left_out(
    network: TrainedNetwork,
    ids: Sequence[str],
    dev: Sequence[Utterance],
    *,
    params: ServingParams,
) -> Compared:
    """Return what weights are compared with that have seen every dev part that there is.

    Each speaker's distances are those from the other speakers' Gaussians. The network itself
    has heard everybody, so a new speaker is further away than these say.

    Args:
        network: Trained on the utterances.
        ids: The utterances.
        dev: Utterances whose recordings are listened to.
        params: How many of them may be refused, and the share of speech that is enough.

    Raises:
        AudioError: A recording is missing or cannot be read.
        BundleError: All embeddings of every class are the same.
    """
    embeddings, labels = network.embeddings(ids), network.labels(ids)
    speakers = [network.data.speaker_of[id_] for id_ in ids]
    groups = speakers if len(set(speakers)) > 1 else list(ids)
    try:
        distances = familiarity.held_out_distances(embeddings, labels, groups)
        reference = Reference(familiarity.fit(embeddings, labels), np.sort(distances))
    except ValueError as error:
        raise _without_distance(network, error) from error
    return _limited(reference, dev, network, params, "left-out speakers")


def _limited(
    reference: Reference,
    dev: Sequence[Utterance],
    network: TrainedNetwork,
    params: ServingParams,
    compared_with: ComparedWith,
) -> Compared:
    """Set the limits below which no emotion is given."""
    shares = [speech_share(utterance, network.data.project) for utterance in dev]
    usual = float(np.quantile(shares, params.false_alarm_rate, method="lower"))
    hearing = Hearing(
        # Speech that the detector does not take for speech, as a synthesiser's, is no reason
        # to refuse what is like it.
        min_speech_share=min(params.min_speech_share, usual),
        min_familiarity=params.false_alarm_rate,
        compared_with=compared_with,
        num_compared=len(reference.distances),
    )
    return Compared(reference, hearing)


def speech_share(utterance: Utterance, project: Project) -> float:
    """Return the share of an utterance's recording in which somebody speaks, in [0, 1]."""
    rate = speech_activity.SAMPLING_RATE
    samples = audio.read_utterance(project.raw(utterance.corpus), utterance, sampling_rate=rate)
    return float(speech_activity.speech_frames(samples, rate).mean())


def _without_distance(network: TrainedNetwork, error: ValueError) -> BundleError:
    return BundleError(
        f"{network.plan.name}: its embeddings cannot be compared: {error}; train it for longer, or "
        f"register another cell"
    )
