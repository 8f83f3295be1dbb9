"""A bundle: all that prediction needs, in one folder, without a pickle.

`bundle.json` says what is in it and how it was made; beside it lie the trained weights, the
normalisation, the reference of `ser monitor` and, unless told otherwise, the checkpoint of the
frozen prefix. Each file is pinned by its SHA-256, so a bundle is whole or refused.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from ser import files, lineage
from ser.errors import BundleError
from ser.evaluation.familiarity import Reference
from ser.files import JsonArtefact
from ser.monitoring.reference import FILE as DRIFT_REFERENCE
from ser.monitoring.reference import DriftReference
from ser.params import ComponentParams, Section, parse
from ser.registry import prefix
from ser.training.plan import CellPlan
from ser.training.recipe import Recipe, TrainingParams

FILE = "bundle.json"
WEIGHTS, STATISTICS = "model.safetensors", "statistics.safetensors"
FAMILIARITY = "familiarity.safetensors"

ComparedWith = Literal["dev", "left-out speakers"]


#: Sections of `params` and `served`; and those that choose a component.
_PARAMS = ("model", "loss", "recipe", "training", "feature")
_SERVED = ("model", "feature")
_NAMED = (".model", ".loss", ".feature")

MAX_SAMPLING_RATE = 768000
"""Of a model, in Hz; what a recording may have at most, see `ser.data.limits`."""


class ServingParams(Section):
    """How a model answers once it is served.

    Args:
        coverage: Share of the dev part that is to be answered, in (0, 1]; on the rest the
            model abstains. A tenth is given up, which is where it is mostly wrong.
        min_speech_share: A recording of which less is speech gets no emotion; lowered where
            dev itself has less (see `false_alarm_rate`). In [0, 1]; 0 answers for any sound.
        false_alarm_rate: Share of speech like that of dev that may be refused as unlike
            anything in training, and as no speech, in [0, 1); 0 refuses nothing. With n
            utterances to compare with, less than 1 / (n + 1) never refuses.
        window_s: Longer recordings are heard in windows of this length, in seconds; null
            takes the longest utterance of the corpus, so that nothing is longer than what
            the model was trained on, and every utterance of the corpus is one window.
        overlap: Share of a window that the next one hears again, in [0, 1).
        embed_checkpoint: Put the checkpoint of a frozen prefix into the bundle. Without it
            the bundle is smaller, and works only where the checkpoint has been downloaded.
    """

    coverage: float = Field(0.9, gt=0.0, le=1.0)
    min_speech_share: float = Field(0.25, ge=0.0, le=1.0)
    false_alarm_rate: float = Field(0.02, ge=0.0, lt=1.0)
    window_s: float | None = Field(None, ge=0.01, le=86400.0)
    overlap: float = Field(0.5, ge=0.0, lt=1.0)
    embed_checkpoint: bool = True


class Answering(Section):
    """How a bundle answers; fitted on dev, never on test.

    What it is fitted on are dev predictions of the fit that chose the epoch. Where the weights
    served were refitted, they are others: these have seen dev, and would be too sure on it.

    Args:
        temperature: Divides the logits, above 0.
        min_confidence: Below this probability of the most probable emotion it abstains.
        window_s: Longest stretch heard at once, in seconds.
        overlap: Share of a window that the next one hears again.
        limits: What a request may hold; see `ser.serving.audio_input.InputLimits`.
    """

    temperature: float = Field(gt=0.0)
    min_confidence: float = Field(ge=0.0, le=1.0)
    window_s: float = Field(ge=0.01, le=86400.0)
    overlap: float = Field(ge=0.0, lt=1.0)
    limits: Mapping[str, Any]


class Hearing(Section):
    """When a bundle gives no emotion because of what it hears, however sure the network is.

    Args:
        min_speech_share: Share of speech below which it answers that there is none.
        min_familiarity: Familiarity up to which a sound is unlike anything in training; see
            `ser.evaluation.familiarity`. Of speech like that compared with, this is the share
            that is refused.
        compared_with: Whose distances familiarity counts: those of the dev part, or, where the
            weights have seen it, those of each speaker from the others.
        num_compared: How many utterances these are.
    """

    min_speech_share: float = Field(ge=0.0, le=1.0)
    min_familiarity: float = Field(ge=0.0, lt=1.0)
    compared_with: ComparedWith
    num_compared: int = Field(ge=1)


class Training(Section):
    """What the weights were trained on.

    Args:
        cell: `<model>-<loss>`.
        fold: Whose train part; None for a refit on all parts.
        seed: Of the training.
        num_epochs: Passes over what they were trained on.
        refit: Whether that is the fold's train and dev parts, after dev had chosen the epoch.
        run_key: Of the run that trained it; of the cell for a refit.
        origin: Where the weights came from before training.
    """

    cell: str
    fold: int | None
    seed: int
    num_epochs: int
    run_key: str
    origin: str
    refit: bool = False

    @property
    def has_seen_dev(self) -> bool:
        """Whether the weights were trained on what their temperature was fitted on."""
        return self.refit or self.fold is None

    @property
    def described(self) -> str:
        """For people: which weights these are."""
        if self.fold is None:
            return f"refit on all parts, seed {self.seed}, {self.num_epochs} epochs"
        if self.refit:
            return (
                f"fold {self.fold}, seed {self.seed}, refitted on its train and dev parts, "
                f"{self.num_epochs} epochs"
            )
        return f"fold {self.fold}, seed {self.seed}, epoch {self.num_epochs}"


class TrainedOn(Section):
    """The corpus that the weights were trained on, and how it was split.

    Args:
        name: Of the corpus.
        licence, citation: See `ser.data.card.CorpusCard`.
        synthetic: Whether no person spoke.
        protocol: By which the folds were made.
        speaker_independent: Whether no test speaker was heard in training or in choosing.
    """

    name: str
    licence: str
    citation: str
    synthetic: bool
    protocol: str
    speaker_independent: bool


class Bundle(JsonArtefact):
    """The content of bundle.json.

    Args:
        format: Of the file; 1 has no `hearing`.
        emotions: The classes, in order.
        params: Sections `model`, `loss`, `recipe`, `training` and `feature` as trained.
        served: Sections `model` and `feature` as they are built from the bundle: paths of
            weights are relative to it.
        answering: Calibration, abstention, windows, limits.
        training: What the weights are.
        corpus: What it was trained on.
        tags: What decided the run that trained it. The run that registers it says where it was
            trained: the same model is the same bundle, wherever it is packed.
        environment: Of bundles of before: machine and versions of the training.
        hearing: When it gives no emotion because of what it hears; None: it gives one to any
            sound.
        files: Path in the folder -> SHA-256.
    """

    what: ClassVar[str] = "the description of a bundle of this format"
    cure: ClassVar[str] = (
        "download the bundle again from the registry, or register the cell anew: "
        "`ser register <cell>`"
    )
    sort_keys: ClassVar[bool] = True

    format: Literal[1, 2] = 2
    emotions: tuple[str, ...] = Field(min_length=2)
    params: Mapping[str, Any]
    served: Mapping[str, Any]
    answering: Answering
    training: Training
    corpus: TrainedOn
    tags: Mapping[str, str]
    environment: Mapping[str, Any] = {}
    hearing: Hearing | None = None
    files: Mapping[str, str]

    @property
    def is_synthetic(self) -> bool:
        """Whether the model was trained on synthetic speech."""
        return self.corpus.synthetic

    @property
    def sha256(self) -> str:
        """Digest of all that the bundle is, its files included."""
        # Bundles of format 1 keep the digest that they were registered with.
        later = {"hearing"} if self.format == 1 else None
        content = self.model_dump(mode="json", exclude=later)
        return lineage.sha256_text(lineage.canonical_json(content))

    def feature_params(self, folder: Path) -> ComponentParams:
        """Return the extractor's params, with paths into the bundle's folder."""
        return prefix.resolved(self.served["feature"], folder)

    def plan(self) -> CellPlan:
        """Return the cell as it is built from the bundle."""
        return plan_of({**self.params, "model": self.served["model"]}, self.emotions)


def plan_of(sections: Mapping[str, Any], emotions: tuple[str, ...]) -> CellPlan:
    """Return the plan that a tracked run's params describe.

    Args:
        sections: `model` and `loss` with their `name`, `recipe` and `training`.
        emotions: The classes, in order.

    Raises:
        ParamsError: They are those of another version of this project.
    """
    model, loss = dict(sections["model"]), dict(sections["loss"])
    names = model.pop("name"), loss.pop("name")
    return CellPlan(
        *names,
        prefix.component_params("ser.models", names[0], model),
        prefix.component_params("ser.losses", names[1], loss),
        parse(sections["recipe"], Recipe, where=FILE),
        parse(sections["training"], TrainingParams, where=FILE),
        emotions,
    )


@dataclass(frozen=True, slots=True)
class Source:
    """What a bundle is packed from.

    Args:
        weights: The trained weights, safetensors.
        statistics: The normalisation, safetensors.
        feature_meta: meta.json of the feature store that it was trained from.
        bundle: What bundle.json will say; `served` and `files` are filled in.
        reference: What requests are compared with; None where `bundle.hearing` is.
        drift_reference: What `ser monitor` compares with; a bundle without it cannot be monitored.
    """

    weights: Path
    statistics: Path
    feature_meta: Mapping[str, Any]
    bundle: Bundle
    reference: Reference | None = None
    drift_reference: DriftReference | None = None


def require_trained(*paths: Path) -> None:
    """Refuse a trained fold whose files were not kept.

    Args:
        paths: What it must have.

    Raises:
        BundleError: One of them is not there.
    """
    for path in paths:
        if not path.is_file():
            raise BundleError(
                f"{path}: no such file; `dvc checkout` brings it back. Under "
                f"training.keep_weights: best only the fold of the highest dev UAR has weights"
            )


def write(source: Source, folder: Path, *, embed_checkpoint: bool = True) -> Bundle:
    """Pack a bundle.

    Args:
        source: Trained weights and what is said about them.
        folder: Where; replaced if it exists, complete or not there.
        embed_checkpoint: See `ServingParams`.

    Returns:
        The content of its bundle.json.

    Raises:
        BundleError: The weights are not there, as where training kept the best ones only.
        WeightsError: The checkpoint is missing, or not the one that was trained with.
    """
    require_trained(source.weights, source.statistics)
    with files.replacing_folder(folder) as part:
        shutil.copy(source.weights, part / WEIGHTS)
        shutil.copy(source.statistics, part / STATISTICS)
        if source.reference is not None:
            source.reference.save(part / FAMILIARITY)
        if source.drift_reference is not None:
            source.drift_reference.write(part / DRIFT_REFERENCE)
        served = {
            "model": prefix.without_weights(source.bundle.params["model"]),
            "feature": prefix.pack(source.feature_meta, part, embed=embed_checkpoint),
        }
        digests = lineage.file_digests(part, [Path()])
        bundle = Bundle(**{**source.bundle.model_dump(), "served": served, "files": digests})
        bundle.write(part / FILE)
    return bundle


def read(folder: Path) -> Bundle:
    """Read a bundle and check that it is whole.

    Args:
        folder: From `write`.

    Returns:
        The content of its bundle.json.

    Raises:
        BundleError: A file is missing, changed or one too many, or bundle.json lacks a section;
            names it.
        FileError: It has no bundle.json, or one of another format.
    """
    bundle = Bundle.read(folder / FILE)
    if wrong := _wrong(bundle):
        raise BundleError(f"{folder / FILE}: {wrong}; {Bundle.cure}")
    found = lineage.file_digests(folder, [Path()])
    found.pop(FILE)
    if found != dict(bundle.files):
        names = sorted(
            name for name in {*found, *bundle.files} if found.get(name) != bundle.files.get(name)
        )
        raise BundleError(f"{folder}: files differ from {FILE}: {', '.join(names)}; {Bundle.cure}")
    return bundle


def _wrong(bundle: Bundle) -> str | None:
    """Return what is wrong with the sections; what is in them their own classes say."""
    sections = {f"params.{key}": bundle.params.get(key) for key in _PARAMS}
    sections |= {f"served.{key}": bundle.served.get(key) for key in _SERVED}
    for name, section in sections.items():
        if not isinstance(section, Mapping):
            return f"{name}: expected a section, got {section!r:.40}"
        if name.endswith(_NAMED) and not isinstance(section.get("name"), str):
            return f"{name}: expected the name of a component"
    rate = bundle.served["feature"].get("sampling_rate")
    if type(rate) is not int or not 0 < rate <= MAX_SAMPLING_RATE:
        return f"served.feature.sampling_rate: expected 1 to {MAX_SAMPLING_RATE}, got {rate!r:.40}"
    try:
        # NaN, and halves of characters, have no digest.
        _ = bundle.sha256
    except ValueError as error:
        return str(error)
    return None


def read_drift_reference(folder: Path) -> DriftReference:
    """Return what a bundle was heard to do on speech that was new to it.

    Args:
        folder: A bundle that `read` has found whole.

    Raises:
        BundleError: It was registered before bundles had a reference.
        FileError: Its reference is of another format.
    """
    path = folder / DRIFT_REFERENCE
    if not path.is_file():
        raise BundleError(
            f"{folder}: the bundle has no {DRIFT_REFERENCE}, so there is nothing to compare with; "
            f"it was registered by an older version of this project; {DriftReference.cure}"
        )
    return DriftReference.read(path)


def size_mib(folder: Path) -> float:
    """Return the size of all files of a bundle, in MiB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
