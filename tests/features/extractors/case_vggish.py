"""What the contract tests build the extractor with."""

import torch

from ser.features.extractors import vggish
from ser.pretrained.vggish import Trunk
from tests.pretrained.weights_files import write_weights

IDS = ("narrow",)

WIDTH = 1 / 16


def make(name, case, folder):
    torch.manual_seed(0)
    path, digest = write_weights(folder / "vggish.safetensors", Trunk(width=WIDTH).state_dict())
    return vggish.Params(weights=str(path), sha256=digest, width=WIDTH)
