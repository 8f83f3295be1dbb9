"""How a checkpoint wants its waveforms, as its own files say it.

Transformers 5 writes processor_config.json, with the settings of the feature extractor
under a key of their own; older versions wrote preprocessor_config.json. Where neither says
something it is assumed, and never in silence.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ser.errors import WeightsError
from ser.pretrained import checkpoint_files
from ser.pretrained.architectures import ARCHITECTURES, Architecture
from ser.pretrained.checkpoint_files import PREPROCESSING, PROCESSOR

Normalise = Literal["auto", True, False]

_NESTED = ("feature_extractor", "audio_processor")
_RATE, _NORMALISE = "sampling_rate", "do_normalize"
#: What transformers takes for all architectures here where it is told nothing, in Hz.
_DEFAULT_RATE = 16000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a network expects of its waveforms.

    Args:
        sampling_rate: In Hz.
        is_normalised: Each waveform to zero mean and unit variance.
    """

    sampling_rate: int
    is_normalised: bool


def read(
    folder: Path, architecture: Architecture, *, normalise: Normalise = "auto"
) -> Preprocessing:
    """Return how waveforms are prepared for a checkpoint.

    Args:
        folder: From `ser.pretrained.checkpoints.locate`.
        architecture: Whose defaults hold.
        normalise: `auto` takes the checkpoint's word, and where it says nothing assumes
            transformers' defaults and logs a warning, once; True and False overrule it.

    Raises:
        FileError: A file is damaged.
        WeightsError: The sampling rate is not one.
    """
    name, said = settings(folder)
    defaults = {_RATE: _DEFAULT_RATE, _NORMALISE: ARCHITECTURES[architecture].is_normalised}
    if normalise == "auto":
        assumed = {key: value for key, value in defaults.items() if value and key not in said}
        _warn_of_assumptions(folder, name, assumed)
    rate = said.get(_RATE, defaults[_RATE])
    if not isinstance(rate, int) or isinstance(rate, bool) or rate <= 0:
        raise WeightsError(
            f"{folder / str(name)}: {_RATE} is {rate!r}; expected a number of Hz, as 16000"
        )
    told = said.get(_NORMALISE, defaults[_NORMALISE]) if normalise == "auto" else normalise
    return Preprocessing(rate, bool(told))


def settings(folder: Path) -> tuple[str | None, Mapping[str, Any]]:
    """Return the name of the file that says how waveforms are prepared, and what it says.

    The order is that of transformers 5 (`FeatureExtractionMixin.get_feature_extractor_dict`):
    settings of their own in processor_config.json, then preprocessor_config.json. The last
    choice, settings at the top of processor_config.json, is not in it.

    Args:
        folder: A checkpoint's.

    Returns:
        None and {} where no file says it.

    Raises:
        FileError, WeightsError: A file is damaged.
    """
    processor = _read(folder / PROCESSOR)
    for key in _NESTED:
        if isinstance(nested := processor.get(key), dict):
            return PROCESSOR, nested
    if (folder / PREPROCESSING).is_file():
        return PREPROCESSING, _read(folder / PREPROCESSING)
    return (PROCESSOR, processor) if processor.keys() & {_RATE, _NORMALISE} else (None, {})


def _read(path: Path) -> dict[str, Any]:
    return checkpoint_files.read_object(path) if path.is_file() else {}


def _warn_of_assumptions(folder: Path, name: str | None, assumed: Mapping[str, object]) -> None:
    """Say what is assumed because a checkpoint does not say it."""
    if not assumed:
        return
    lacks = (
        f"{folder}: it has no {PREPROCESSING} and no {PROCESSOR}"
        if name is None
        else f"{folder / name}: it does not say {' and '.join(assumed)}"
    )
    values = " and ".join(f"{key} {str(value).lower()}" for key, value in assumed.items())
    _warn_once(
        f"{lacks}, so transformers' default is assumed: {values}. If the checkpoint was trained "
        f"otherwise (WavLM's base was, without normalisation), its features are wrong: put the "
        f"published file there, or write `normalise: true` or `normalise: false` beside "
        f"`checkpoint:` in params.yaml"
    )


@cache
def _warn_once(message: str) -> None:
    logger.warning("%s", message)
