"""What the contract tests build the model with."""

import torch

from ser.batch import FeatureSpec
from ser.models import vggish
from ser.pretrained.vggish import Trunk
from tests.pretrained.weights_files import write_weights

IDS = ("scratch", "batch-norm", "random-patches", "finetuned", "frozen")

WIDTH = 1 / 16


def make(name, case, folder):
    logmel = FeatureSpec("logmel", 64)
    small = {"width": WIDTH, "dropout": 0.0}
    if case == "batch-norm":
        return vggish.Params(batch_norm=True, **small), logmel
    if case == "random-patches":
        return vggish.Params(train_patches=2, pooling="stats", **small), logmel
    if case == "finetuned":
        torch.manual_seed(0)
        path, digest = write_weights(folder / "weights.pth", Trunk(width=WIDTH).state_dict())
        return vggish.Params(weights=str(path), sha256=digest, **small), logmel
    if case == "frozen":
        spec = FeatureSpec("vggish", 128, params={"width": 1.0}, weights_sha256=64 * "a")
        return vggish.Params(pooling="stats"), spec
    return vggish.Params(**small), logmel
