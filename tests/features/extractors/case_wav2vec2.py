"""What the contract tests build the extractor with."""

from ser.features.extractors import wav2vec2
from tests.pretrained.support import write_checkpoint

IDS = ("feature_encoder", "first_layer", "all")


def make(case, folder):
    checkpoint = write_checkpoint(folder / case, "wav2vec2", norm="layer")
    freeze = {"first_layer": 1}.get(case, case)
    return wav2vec2.Params(checkpoint=str(checkpoint), freeze=freeze, device="cpu")
