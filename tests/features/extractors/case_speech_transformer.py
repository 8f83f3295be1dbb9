"""What the contract tests build the extractors of the family with."""

from ser.features.extractors import speech_transformer
from tests.pretrained.support import write_checkpoint

IDS = ("feature_encoder", "first_layer", "all")


def make(name, case, folder):
    norm = "layer" if name == "wav2vec2" else "group"
    checkpoint = write_checkpoint(folder / case, name, norm=norm)
    freeze = {"first_layer": 1}.get(case, case)
    params_class = speech_transformer.params_class(name)
    return params_class(checkpoint=str(checkpoint), freeze=freeze, device="cpu")
