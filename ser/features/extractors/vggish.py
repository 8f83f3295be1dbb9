"""Embeddings of the frozen AudioSet VGGish, one per patch of 0.96 s.

They are the network's own 128 numbers; the whitening and 8-bit quantisation of the
released AudioSet embeddings are left out, since they serve compatibility only.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ser import lineage
from ser.contracts import Extractor
from ser.errors import ParamsError
from ser.features.extractors._base import ExtractorParams
from ser.pretrained.vggish import (
    EMBEDDING_DIM,
    NO_WEIGHTS,
    Trunk,
    TrunkParams,
    load_published,
    require_file,
)
from ser.pretrained.vggish_frontend import LogMel, cut_patches, patch_starts

_PATCHES_AT_ONCE = 32
"""So that memory does not grow with the length of a recording."""


class Params(ExtractorParams, TrunkParams):
    """Which trunk, and how patches are cut; `weights` and `sha256` must be given."""


class VggishExtractor:
    """Waveform -> embeddings of its patches.

    Args:
        front_end: Waveform to log-mel frames.
        trunk: Patches to embeddings.
        patch_hop: Frames from one patch to the next.
        provenance: Which file the trunk's weights are from.
    """

    num_bins = EMBEDDING_DIM
    is_thread_safe = True
    dtype = "float32"

    def __init__(
        self, front_end: LogMel, trunk: Trunk, *, patch_hop: int, provenance: dict[str, str | None]
    ) -> None:
        self.patch_hop, self.provenance = patch_hop, provenance
        self._front_end, self._trunk = front_end, trunk.eval()

    @torch.inference_mode()
    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return embeddings `(num_patches, 128)`, at least one."""
        frames = self._front_end(waveform)
        patches = cut_patches(frames, patch_starts(len(frames), self.patch_hop))
        embeddings = torch.cat(
            [self._trunk(some) for some in torch.split(patches, _PATCHES_AT_ONCE)]
        )
        result: NDArray[np.float32] = embeddings.numpy()
        return result


def build(params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor.

    Raises:
        ParamsError: No file of weights is named, or the sampling rate is not 16 kHz.
        WeightsError: The file cannot be used.
    """
    path, sha256 = _named(params)
    return VggishExtractor(
        LogMel(sampling_rate),
        load_published(path, sha256, width=params.width, final_relu=params.final_relu),
        patch_hop=params.patch_hop,
        provenance={
            "checkpoint": path.name,
            "revision": None,
            "weights_sha256": lineage.sha256_file(path),
        },
    )


def inspect_weights(params: Params, *, sampling_rate: int) -> str:
    """Look at the file of weights without loading it; see `ser.components.Component`.

    Args:
        params: Which file.
        sampling_rate: Of the waveforms, in Hz.

    Returns:
        Which one was found.

    Raises:
        ParamsError, WeightsError: As `build`.
    """
    path, sha256 = _named(params)
    LogMel(sampling_rate)
    require_file(path, sha256)
    return str(path)


def _named(params: Params) -> tuple[Path, str]:
    """Return the file of weights that params name, and its digest."""
    if params.weights == NO_WEIGHTS or params.sha256 is None:
        raise ParamsError(
            "features.vggish.weights: embeddings need a trained trunk, got none; write the path "
            "of vggish-10086976.pth (https://github.com/harritaylor/torchvggish/releases/tag/v0.1) "
            "and its sha256, or take the feature logmel to train VGGish from scratch"
        )
    return Path(params.weights), params.sha256
