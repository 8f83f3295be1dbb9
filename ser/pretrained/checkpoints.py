"""Published weights on this machine: found, identified, checked and loaded, never fetched.

With a revision, `checkpoint` is a Hugging Face id and is looked up in the local Hugging
Face cache; without one it is a folder. Which of the two it is never depends on what
happens to lie on the disk. Only `ser.pretrained.downloads` speaks to the network.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ser import lineage
from ser.errors import MissingWeightsError, WeightsError, translating
from ser.pretrained import checkpoint_files, preprocessing
from ser.pretrained._published import SpeechNetwork
from ser.pretrained.architectures import ARCHITECTURES, Architecture
from ser.pretrained.checkpoint_files import CONFIG, PREPROCESSING, PROCESSOR, SAFETENSORS, Weights

SEED_KEY = "random_weights_seed"
"""Marks, in config.json, weights that were drawn and not learnt."""


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
        A folder with config.json and weights, none of them cut off.

    Raises:
        MissingWeightsError: There is nothing of it on this machine; says how to get it.
        WeightsError: Files are missing, cut off, or stand in place of the real ones; says
            which and how to get them.
        FileError: The index of several files of weights is damaged.
    """
    problem = problem_of(checkpoint, revision)
    if problem:
        raise WeightsError(problem)
    folder = cached_folder(checkpoint, revision) if revision else Path(checkpoint).expanduser()
    missing = checkpoint_files.missing(folder)
    if missing:
        kind = WeightsError if folder.is_dir() else MissingWeightsError
        raise kind(
            f"{title(checkpoint, revision)}: missing {' and '.join(missing)}"
            f"{_cure(checkpoint, revision)}"
        )
    if revision is None:
        checkpoint_files.require_whole(folder)
    else:
        again = f"`ser download-weights {checkpoint} --revision {revision}` fetches it again"
        checkpoint_files.require_whole(folder, cure=again)
    return folder


def deciding_files(folder: Path) -> tuple[str, ...]:
    """Return the names of the files that decide a checkpoint's output.

    They are the configuration, the file that says how waveforms are prepared if there is
    one, and the weights with their index.

    Args:
        folder: From `locate`.

    Raises:
        FileError, WeightsError: A file that says which others count is damaged.
    """
    said_in, _ = preprocessing.settings(folder)
    weights = checkpoint_files.weights_of(folder)
    return (
        CONFIG,
        *([] if said_in is None else [said_in]),
        *(() if weights is None else weights.names),
    )


def digest(folder: Path) -> str:
    """Return the SHA-256 of all that decides a checkpoint's output, as hex digits.

    Args:
        folder: From `locate`.
    """
    parts = [f"{name} {lineage.sha256_file(folder / name)}\n" for name in deciding_files(folder)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def origin(checkpoint: str, revision: str | None) -> str:
    """Return where a checkpoint's weights come from, for people.

    Returns:
        `<id>@<12 digits of the revision>`, the folder's name, or `random weights (seed n)`.
    """
    if revision is not None:
        return title(checkpoint, revision)
    folder = locate(checkpoint, revision)
    seed = checkpoint_files.read_object(folder / CONFIG).get(SEED_KEY)
    return folder.resolve().name if seed is None else f"random weights (seed {seed})"


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
    sizes = ARCHITECTURES[architecture].sizes
    return Sizes(*(int(config.get(key, default)) for key, default in sizes))


def read_config(folder: Path, architecture: Architecture) -> dict[str, Any]:
    """Return config.json of a checkpoint of an architecture, with plain JSON reading.

    Raises:
        FileError: It is missing or damaged.
        WeightsError: It is empty, a Git LFS pointer or a web page, of another architecture,
            or of one with parts that are not supported.
    """
    config = checkpoint_files.read_object(folder / CONFIG)
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
    if other := config.get("transformers_weights"):
        raise WeightsError(
            f"{folder / CONFIG}: transformers_weights is {other!r}, so transformers would load "
            f"another file than {SAFETENSORS}; rename that file, and remove the key"
        )
    return config


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
        The network without any head: a model of transformers, whose `config` is that of the
        checkpoint without SpecAugment, or Whisper's encoder.

    Raises:
        WeightsError: Another architecture, damaged, or tensors are missing.
    """
    config = read_config(folder, architecture)
    weights = checkpoint_files.weights_of(folder)
    if weights is None:
        raise WeightsError(f"{folder}: missing {SAFETENSORS}; {checkpoint_files.CURE}")
    if architecture == "whisper":
        return _load_whisper(folder, config, weights, dropout)
    return _load_with_transformers(folder, architecture, weights, dropout)


def _load_whisper(
    folder: Path, config: dict[str, Any], weights: Weights, dropout: float | None
) -> SpeechNetwork:
    """Load Whisper's encoder, for which transformers is not imported."""
    from ser.pretrained import whisper, whisper_encoder

    with translating(partial(_no_network, folder)):
        encoder = whisper_encoder.build(config, folder, dropout=dropout)
    with translating(partial(_not_loaded, folder, weights)):
        missing = whisper_encoder.fill(encoder, folder, weights)
    _require_all(folder, weights, missing)
    network: SpeechNetwork = whisper.WhisperNetwork(encoder)
    return network


def _load_with_transformers(
    folder: Path, architecture: Architecture, weights: Weights, dropout: float | None
) -> SpeechNetwork:
    import torch
    from transformers import AutoConfig, AutoModel

    with translating(partial(_no_network, folder)):
        config = AutoConfig.from_pretrained(folder)
    # SpecAugment inside the model draws from NumPy's global generator; features are masked
    # in ser.training.augment instead. Without it the model has no mask embedding.
    config.mask_time_prob = config.mask_feature_prob = 0.0
    if dropout is not None:
        for name in ("hidden", "attention", "activation", "feat_proj"):
            setattr(config, f"{name}_dropout", dropout)
    with translating(partial(_not_loaded, folder, weights)), without_progress_bars():
        model, report = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation=ARCHITECTURES[architecture].attention,
            use_safetensors=weights.is_safetensors,
            output_loading_info=True,
        )
    _require_all(folder, weights, sorted(report["missing_keys"]))
    network: SpeechNetwork = model.eval()
    return network


def _no_network(folder: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{folder / CONFIG}: it describes no network: {error}")


def _not_loaded(folder: Path, weights: Weights, error: Exception) -> WeightsError:
    return WeightsError(f"{folder / weights.names[0]}: cannot be loaded: {error}")


def _require_all(folder: Path, weights: Weights, missing: Sequence[str]) -> None:
    """Refuse weights of which tensors are missing."""
    if missing:
        raise WeightsError(
            f"{folder / weights.names[0]}: {len(missing)} tensors are missing, which would "
            f"stay random: {', '.join(missing[:4])}{', ...' if missing[4:] else ''}"
        )


def title(checkpoint: str, revision: str | None) -> str:
    """Return a checkpoint's name for messages, with the first digits of its revision."""
    return checkpoint if revision is None else f"{checkpoint}@{revision[:12]}"


def cached_folder(checkpoint: str, revision: str) -> Path:
    """Return where the local Hugging Face cache keeps the files of a revision of an id.

    Raises:
        WeightsError: The Hub has no such names.
    """
    from huggingface_hub import constants, file_download

    no_name = f"checkpoint {checkpoint}: no name that the Hugging Face Hub allows"
    with translating(lambda error: WeightsError(f"{no_name} ({error}); compare the spelling")):
        folder = file_download.repo_folder_name(repo_id=checkpoint, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / folder / "snapshots" / revision


def _cure(checkpoint: str, revision: str | None) -> str:
    """Return the end of a message: where the files were looked for, and how to get them."""
    besides = f"(with {PREPROCESSING} or {PROCESSOR}, where it was published with one)"
    if revision is not None:
        return (
            f" in the local Hugging Face cache; nothing is fetched unasked: run "
            f"`ser download-weights {checkpoint} --revision {revision}`, or copy the files "
            f"{besides} into a folder and set checkpoint: <folder> and revision: null"
        )
    hint = (
        "; if it is a Hugging Face id, give its revision, too" if _ID.fullmatch(checkpoint) else ""
    )
    return f"; put them {besides} into the folder {Path(checkpoint).expanduser()}{hint}"


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Keep transformers from drawing progress bars inside the block."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()
