"""Random weights in the sizes of the published ones, and in tiny ones for a quick look."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ser import lineage
from ser.pretrained import tiny
from ser.pretrained.architectures import Architecture
from ser.pretrained.vggish import Trunk

#: What differs from the defaults of transformers' config, which are those of wav2vec2-base and of
#: hubert-base-ls960. Whisper's are those of its base size; its decoder is made and not written.
PUBLISHED: Mapping[Architecture, Mapping[str, Any]] = {
    "wav2vec2": {},
    "hubert": {},
    "whisper": {
        "d_model": 512,
        "encoder_layers": 6,
        "encoder_attention_heads": 8,
        "encoder_ffn_dim": 2048,
        "decoder_layers": 1,
        # The decoder is never run; its heads must divide its width.
        "decoder_attention_heads": 8,
    },
}
VGGISH = "vggish.safetensors"
_SEED = 0
_TINY_WIDTH = 1 / 64


def write(folder: Path, name: str, *, is_tiny: bool) -> dict[str, Any]:
    """Write the weights of a feature; return what its params say of them.

    Args:
        folder: Of the weights; made if it does not exist.
        name: The feature: `vggish`, or one of the speech transformers.
        is_tiny: A network that runs in no time.
    """
    if name != "vggish":
        if is_tiny:
            small = tiny.TinyCheckpoint(
                architecture=name, hidden_size=16, num_layers=2, conv_dim=16
            )
            tiny.write(folder, small)
        else:
            tiny.draw(folder, name, PUBLISHED[name], seed=_SEED)
        return {"checkpoint": f"data/weights/{folder.name}", "revision": None}
    folder.mkdir(parents=True, exist_ok=True)
    width = _TINY_WIDTH if is_tiny else 1.0
    torch.manual_seed(_SEED)
    save_file(Trunk(width=width).state_dict(), folder / VGGISH)
    return {
        "weights": f"data/weights/{folder.name}/{VGGISH}",
        "sha256": lineage.sha256_file(folder / VGGISH),
        "width": width,
    }
