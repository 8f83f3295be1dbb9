"""Whether a checkpoint was trained on what is computed here before its convolutions.

Told from its settings alone, so that it can be asked without importing torch. The numbers are
those of `ser.pretrained.whisper`; a test compares the two.
"""

from collections.abc import Mapping
from pathlib import Path

from ser.errors import WeightsError
from ser.pretrained import preprocessing
from ser.pretrained.architectures import Architecture

#: Architecture -> name in its published settings -> the only value that is computed here:
#: rate in Hz, samples of a window, samples between two, seconds that the encoder hears.
COMPUTED: Mapping[Architecture, Mapping[str, int]] = {
    "whisper": {"sampling_rate": 16000, "n_fft": 400, "hop_length": 160, "chunk_length": 30},
}


def require(folder: Path, architecture: Architecture) -> None:
    """Refuse a checkpoint whose settings ask for another front end than is computed.

    A setting that is not written has transformers' default, which is the value computed here.

    Args:
        folder: From `ser.pretrained.checkpoints.locate`.
        architecture: What it must be; one without a fixed front end accepts any settings.

    Raises:
        WeightsError: Names every setting that differs; or a file is a Git LFS pointer.
        FileError: A file is damaged.
    """
    name, said = preprocessing.settings(folder)
    computed = COMPUTED.get(architecture, {})
    other = [key for key, value in computed.items() if said.get(key, value) != value]
    if other:
        found = ", ".join(f"{key} is {said[key]!r}" for key in other)
        expected = ", ".join(f"{key} {computed[key]}" for key in other)
        raise WeightsError(
            f"{folder / str(name)}: {found}; expected {expected}, as every published "
            f"{architecture} checkpoint has it: no other front end is computed here, and the "
            f"features would be wrong. Name a checkpoint that was trained with it; if this one "
            f"was, put the published file in this one's place"
        )
