"""What the tests of single architectures have in common."""

import numpy as np
import torch

from ser.pretrained import checkpoints
from tests.pretrained.support import (
    num_bins_of,
    outputs_of,
    summary_of,
    waveforms,
    whole_model,
    write_checkpoint,
)
from tests.rounding import NETWORK


def assert_it_is_what_transformers_says(module, architecture, folder):
    """Every cut of an architecture, from the samples on."""
    from transformers import Wav2Vec2FeatureExtractor

    write_checkpoint(folder, architecture)
    prepare = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    (samples,) = waveforms(6000)
    prepared = prepare(samples, sampling_rate=16000)["input_values"][0]
    model = whole_model(folder)
    whole = outputs_of(model, prepared)
    with torch.inference_mode():
        convolved = model.feature_extractor(torch.from_numpy(prepared)[None])[0].T
    expected = {
        "feature_encoder": convolved,
        2: whole.hidden_states[2][0],
        "all": summary_of(whole)[None],
    }
    for freeze, frames in expected.items():
        params = module.Params(checkpoint=str(folder), freeze=freeze, device="cpu")
        extractor = module.build(params, sampling_rate=16000)
        assert extractor.num_bins == num_bins_of(freeze)
        assert extractor.provenance == {
            "checkpoint": str(folder),
            "revision": None,
            "weights_sha256": checkpoints.digest(folder),
        }
        np.testing.assert_allclose(extractor(samples), frames.numpy(), atol=NETWORK, rtol=0)
