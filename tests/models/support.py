"""What the tests of single architectures have in common."""

import importlib

import torch

from tests.pretrained.support import (
    CUTS,
    feature_of,
    outputs_of,
    padded,
    waveforms,
    whole_model,
    write_checkpoint,
)
from tests.rounding import NETWORK


def extracted(architecture, folder, freeze, samples):
    """The feature of waveforms as a padded batch, and what a model is told of it."""
    module = importlib.import_module(f"ser.features.extractors.{architecture}")
    params = module.Params(checkpoint=str(folder), freeze=freeze, device="cpu")
    extractor = module.build(params, sampling_rate=16000)
    batch, lengths = padded([torch.from_numpy(extractor(s)) for s in samples], fill=0.0)
    return batch, lengths, feature_of(architecture, folder, freeze, extractor.num_bins)


def normalised(samples):
    return ((samples - samples.mean()) / (samples.var() + 1e-7) ** 0.5).astype("float32")


def assert_it_is_what_transformers_says(module, architecture, folder):
    """Every cut that leaves frames: extractor and model against the whole checkpoint."""
    write_checkpoint(folder, architecture)
    samples = waveforms(6000, 3000, 400)
    whole = whole_model(folder)
    expected = torch.stack(
        [outputs_of(whole, normalised(s)).last_hidden_state[0].mean(dim=0) for s in samples]
    )
    for freeze in CUTS[:-1]:
        batch, lengths, feature = extracted(architecture, folder, freeze, samples)
        params = module.Params(pooling="mean", embedding_dim=None)
        model = module.build(params, feature=feature, num_classes=4, head="linear").eval()
        assert model.origin == "random weights (seed 0)"
        assert not model.normalises_inputs
        with torch.inference_mode():
            output = model(batch, lengths)
        torch.testing.assert_close(output.embedding, expected, atol=NETWORK, rtol=0)
        assert model.embedding_dim == 32
