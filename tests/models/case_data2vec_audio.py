"""What the contract tests build the model with."""

from ser.models import data2vec_audio
from tests.pretrained.support import feature_of, num_bins_of, write_checkpoint

IDS = ("feature_encoder", "first_layer", "all_but_the_pooling", "all")

FREEZE = {"feature_encoder": "feature_encoder", "first_layer": 1, "all_but_the_pooling": 3}


def make(case, folder):
    checkpoint = write_checkpoint(folder / case, "data2vec_audio", norm="group")
    freeze = FREEZE.get(case, case)
    pooling = {"first_layer": "stats", "all_but_the_pooling": "attention"}.get(case, "mean")
    params = data2vec_audio.Params(pooling=pooling, gradient_checkpointing=case == "first_layer")
    return params, feature_of("data2vec_audio", checkpoint, freeze, num_bins_of(freeze))
