"""What the contract tests build the models of the family with."""

from ser.models.speech_transformer import Params
from tests.pretrained.support import feature_of, num_bins_of, write_checkpoint

IDS = ("feature_encoder", "first_layer", "all_but_the_pooling", "all")

FREEZE = {"feature_encoder": "feature_encoder", "first_layer": 1, "all_but_the_pooling": 3}


def make(name, case, folder):
    norm = "layer" if name == "wav2vec2" else "group"
    checkpoint = write_checkpoint(folder / case, name, norm=norm)
    freeze = FREEZE.get(case, case)
    pooling = {"first_layer": "stats", "all_but_the_pooling": "attention"}.get(case, "mean")
    params = Params(pooling=pooling, gradient_checkpointing=case == "first_layer")
    return params, feature_of(name, checkpoint, freeze, num_bins_of(freeze, name))
