"""What the contract tests build the extractor with."""

from ser.features.extractors import data2vec_audio
from tests.pretrained.support import write_checkpoint

IDS = ("feature_encoder", "first_layer", "all")


def make(case, folder):
    checkpoint = write_checkpoint(folder / case, "data2vec_audio", norm="group")
    freeze = {"first_layer": 1}.get(case, case)
    return data2vec_audio.Params(checkpoint=str(checkpoint), freeze=freeze, device="cpu")
