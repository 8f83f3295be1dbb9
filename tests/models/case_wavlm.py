"""What the contract tests build the model with."""

from ser.models import wavlm
from tests.pretrained.support import feature_of, num_bins_of, write_checkpoint

IDS = ("feature_encoder", "first_layer", "all_but_the_pooling", "all")

FREEZE = {"feature_encoder": "feature_encoder", "first_layer": 1, "all_but_the_pooling": 3}


def make(case, folder):
    checkpoint = write_checkpoint(folder / case, "wavlm", norm="group")
    freeze = FREEZE.get(case, case)
    pooling = {"first_layer": "stats", "all_but_the_pooling": "attention"}.get(case, "mean")
    params = wavlm.Params(pooling=pooling, gradient_checkpointing=case == "first_layer")
    return params, feature_of("wavlm", checkpoint, freeze, num_bins_of(freeze))
