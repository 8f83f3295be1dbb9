"""Published weights on this machine: found, identified, checked and loaded, never fetched.

With a revision, `checkpoint` is a Hugging Face id and is looked up in the local Hugging
Face cache; without one it is a folder. Which of the two it is never depends on what
happens to lie on the disk. Only `download` speaks to the network.
"""

import hashlib
import pickle
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser import files, lineage
from ser.errors import WeightsError
from ser.pretrained._published import SpeechNetwork
from ser.pretrained.architectures import ARCHITECTURES, Architecture

CONFIG, PREPROCESSING = "config.json", "preprocessor_config.json"
SAFETENSORS, TORCH_FILE = "model.safetensors", "pytorch_model.bin"

SEED_KEY = "random_weights_seed"
"""Marks, in config.json, weights that were drawn and not learnt."""

#: What readers of damaged files raise, the unpickler of weights most of all.
_DAMAGED = (OSError, EOFError, LookupError, RuntimeError, ValueError, pickle.UnpicklingError)

_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def problem_of(checkpoint: str, revision: str | None) -> str | None:
    """Return what is wrong with the name of a checkpoint, or None.

    Args:
        checkpoint: Hugging Face id (`organisation/name`) or folder.
        revision: Commit of the id, 40 hex digits; None for a folder.

    Example:
        >>> problem_of("data/weights/hubert", None) is None
        True
        >>> problem_of("facebook/hubert-base-ls960", "main")
        "revision must be a commit of 40 hex digits (branches move), got 'main'"
    """
    if revision is None:
        return None
    if not _COMMIT.fullmatch(revision):
        return f"revision must be a commit of 40 hex digits (branches move), got {revision!r}"
    if not _ID.fullmatch(checkpoint) or checkpoint.startswith("."):
        return (
            f"with a revision, checkpoint must be a Hugging Face id (organisation/name), got "
            f"{checkpoint!r}; for a folder say revision: null"
        )
    return None


def locate(checkpoint: str, revision: str | None) -> Path:
    """Return the folder of a checkpoint, without touching the network.

    Args:
        checkpoint: Hugging Face id or folder, see `problem_of`.
        revision: Commit of the id; None for a folder.

    Returns:
        A folder with config.json and weights.

    Raises:
        WeightsError: Not here, or incomplete; says which files are missing and how to
            get them.
    """
    problem = problem_of(checkpoint, revision)
    if problem:
        raise WeightsError(problem)
    folder = _cached(checkpoint, revision) if revision else Path(checkpoint).expanduser()
    missing = _missing_files(folder) if folder else [CONFIG, f"{SAFETENSORS} (or {TORCH_FILE})"]
    if folder is None or missing:
        raise WeightsError(
            f"{_title(checkpoint, revision)}: missing {' and '.join(missing)}"
            f"{_cure(checkpoint, revision)}"
        )
    return folder


def download(checkpoint: str, revision: str) -> Path:
    """Fetch a published checkpoint into the local Hugging Face cache.

    It asks the Hub even where `HF_HUB_OFFLINE` is set: this function is called because a
    person asked for it.

    Args:
        checkpoint: Hugging Face id.
        revision: Its commit, 40 hex digits.

    Returns:
        The folder with the files.

    Raises:
        WeightsError: The name is wrong, the Hub cannot be reached, or it has no such files.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    problem = problem_of(checkpoint, revision)
    if problem:
        raise WeightsError(problem)
    try:
        with _online():
            for patterns in ([CONFIG, PREPROCESSING, SAFETENSORS], [TORCH_FILE]):
                fetched = huggingface_hub.snapshot_download(
                    checkpoint, revision=revision, allow_patterns=patterns
                )
                # Many repositories hold the same weights in both formats: one is enough.
                if (Path(fetched) / SAFETENSORS).is_file():
                    break
    except (HfHubHTTPError, OSError) as error:
        raise WeightsError(
            f"{_title(checkpoint, revision)}: cannot be downloaded: {error}"
        ) from error
    return locate(checkpoint, revision)


def digest(folder: Path) -> str:
    """Return the SHA-256 of all that decides a checkpoint's output, as hex digits.

    Args:
        folder: From `locate`.
    """
    names = [CONFIG, PREPROCESSING, _weights_name(folder)]
    parts = [
        f"{name} {lineage.sha256_file(folder / name)}\n" for name in names if _has(folder, name)
    ]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def origin(checkpoint: str, revision: str | None) -> str:
    """Return where a checkpoint's weights come from, for people.

    Returns:
        `<id>@<12 digits of the revision>`, the folder's name, or `random weights (seed n)`.
    """
    if revision is not None:
        return _title(checkpoint, revision)
    folder = locate(checkpoint, revision)
    seed = _read_object(folder / CONFIG).get(SEED_KEY)
    return folder.resolve().name if seed is None else f"random weights (seed {seed})"


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a network expects of its waveforms.

    Args:
        sampling_rate: In Hz.
        is_normalised: Each waveform to zero mean and unit variance.
    """

    sampling_rate: int
    is_normalised: bool


def read_preprocessing(folder: Path, architecture: Architecture) -> Preprocessing:
    """Return what preprocessor_config.json says, or transformers' defaults without one."""
    content = _read_object(folder / PREPROCESSING) if _has(folder, PREPROCESSING) else {}
    is_normalised = ARCHITECTURES[architecture].is_normalised
    return Preprocessing(
        int(content.get("sampling_rate", 16000)), bool(content.get("do_normalize", is_normalised))
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of a transformer.

    Args:
        num_layers: Transformer layers.
        hidden_size: Their width.
    """

    num_layers: int
    hidden_size: int


def read_sizes(folder: Path, architecture: Architecture) -> Sizes:
    """Return what config.json says of the transformer; see `read_config` for what is raised."""
    config = read_config(folder, architecture)
    return Sizes(*(int(config[key]) for key in ARCHITECTURES[architecture].sizes))


def read_config(folder: Path, architecture: Architecture) -> dict[str, Any]:
    """Return config.json of a checkpoint of an architecture, with plain JSON reading.

    Raises:
        FileError: It is missing or damaged.
        WeightsError: Another architecture, or one with parts that are not supported.
    """
    config = _read_object(folder / CONFIG)
    expected = ARCHITECTURES[architecture].model_type
    if config.get("model_type") != expected:
        raise WeightsError(
            f"{folder / CONFIG}: model_type is {config.get('model_type')!r}, but {architecture} "
            f"needs {expected!r}"
        )
    if config.get("add_adapter"):
        raise WeightsError(
            f"{folder / CONFIG}: add_adapter is true; checkpoints with an adapter behind the "
            f"transformer are not supported"
        )
    return config


def _read_object(path: Path) -> dict[str, Any]:
    return files.read_object(path, cure="put the checkpoint there again")


def load(
    folder: Path, architecture: Architecture, *, dropout: float | None = None
) -> SpeechNetwork:
    """Load a speech transformer in float32, in evaluation mode.

    Args:
        folder: From `locate`.
        architecture: What it must be.
        dropout: Replaces all dropout rates of the transformer; None keeps the
            checkpoint's own.

    Returns:
        The `transformers` model without any head. Its `config` is that of the checkpoint
        without SpecAugment.

    Raises:
        WeightsError: Another architecture, damaged, or tensors are missing.
    """
    read_config(folder, architecture)  # before transformers is imported, which takes seconds
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    from ser.pretrained import whisper

    config = AutoConfig.from_pretrained(folder)
    # SpecAugment inside the model draws from NumPy's global generator; features are masked
    # in ser.training.augment instead. Without it the model has no mask embedding.
    config.mask_time_prob = config.mask_feature_prob = 0.0
    if dropout is not None:
        for name in ("hidden", "attention", "activation", "feat_proj"):
            setattr(config, f"{name}_dropout", dropout)
        config.dropout = dropout  # what Whisper calls that of its hidden states
    is_whisper = architecture == "whisper"
    kind: Any = WhisperEncoder if is_whisper else AutoModel
    try:
        with without_progress_bars():
            model, report = kind.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                attn_implementation=ARCHITECTURES[architecture].attention,
                use_safetensors=_weights_name(folder) == SAFETENSORS,
                output_loading_info=True,
                key_mapping=whisper.KEY_MAPPING if is_whisper else None,
            )
    except (SafetensorError, *_DAMAGED) as error:
        raise WeightsError(
            f"{folder / _weights_name(folder)}: cannot be loaded: {error}"
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"{folder / _weights_name(folder)}: {len(missing)} tensors are missing, which would "
            f"stay random: {', '.join(missing[:4])}{', ...' if missing[4:] else ''}"
        )
    network: SpeechNetwork = whisper.WhisperNetwork(model) if is_whisper else model.eval()
    return network


def _cached(checkpoint: str, revision: str) -> Path | None:
    """Return the snapshot of an id in the local Hugging Face cache."""
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(checkpoint, CONFIG, revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _weights_name(folder: Path) -> str:
    return SAFETENSORS if _has(folder, SAFETENSORS) else TORCH_FILE


def _missing_files(folder: Path) -> list[str]:
    missing = [] if _has(folder, CONFIG) else [CONFIG]
    if not _has(folder, _weights_name(folder)):
        missing.append(f"{SAFETENSORS} (or {TORCH_FILE})")
    return missing


def _title(checkpoint: str, revision: str | None) -> str:
    return checkpoint if revision is None else f"{checkpoint}@{revision[:12]}"


def _cure(checkpoint: str, revision: str | None) -> str:
    """Return the end of a message: where the files were looked for, and how to get them."""
    files = f"(with {PREPROCESSING}, where it was published with one)"
    if revision is not None:
        return (
            f" in the local Hugging Face cache; nothing is fetched unasked: run "
            f"`ser download-weights {checkpoint} --revision {revision}`, or copy the files "
            f"{files} into a folder and set checkpoint: <folder> and revision: null"
        )
    hint = (
        "; if it is a Hugging Face id, give its revision, too" if _ID.fullmatch(checkpoint) else ""
    )
    return f"; put them {files} into the folder {Path(checkpoint).expanduser()}{hint}"


@contextmanager
def _online() -> Iterator[None]:
    """Let the Hugging Face client use the network inside the block."""
    from huggingface_hub import constants

    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing progress bars inside the block."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
