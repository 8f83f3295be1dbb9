"""What the contract tests build the extractor with."""

from ser.features.extractors import wavlm
from tests.pretrained.support import write_checkpoint

IDS = ("feature_encoder", "first_layer", "all")


def make(case, folder):
    checkpoint = write_checkpoint(folder / case, "wavlm", norm="group")
    freeze = {"first_layer": 1}.get(case, case)
    return wavlm.Params(checkpoint=str(checkpoint), freeze=freeze, device="cpu")
