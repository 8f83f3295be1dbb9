"""Speech transformers as models: each against its whole checkpoint, and what all share."""

import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError

from ser import components
from ser.batch import FeatureSpec
from ser.errors import ParamsError, WeightsError
from ser.nn.ratings import RatedModel
from ser.nn.transformer_bodies import LayerMixture
from ser.pretrained.architectures import ARCHITECTURES
from ser.training.fit import parameter_groups
from ser.training.recipe import Recipe
from tests.pretrained.support import (
    CUTS,
    NUM_LAYERS,
    feature_of,
    num_bins_of,
    outputs_of,
    padded,
    waveforms,
    whole_model,
    write_checkpoint,
)
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

hubert, wavlm = (components.load("ser.models", name) for name in ("hubert", "wavlm"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("hubert"), "hubert")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Layers that normalise their input, as in the large checkpoints."""
    return write_checkpoint(tmp_path_factory.mktemp("large"), "hubert", norm="layer")


def build(folder, freeze, head="linear", **params):
    feature = feature_of("hubert", folder, freeze, num_bins_of(freeze))
    return hubert.build(hubert.Params(**params), feature=feature, num_classes=4, head=head)


def extracted(architecture, folder, freeze, samples):
    """The feature of waveforms as a padded batch, and what a model is told of it."""
    feature = components.load("ser.features.extractors", architecture)
    params = feature.Params(checkpoint=str(folder), freeze=freeze, device="cpu")
    extractor = feature.build(params, sampling_rate=16000)
    batch, lengths = padded([torch.from_numpy(extractor(s)) for s in samples], fill=0.0)
    return batch, lengths, feature_of(architecture, folder, freeze, extractor.num_bins)


def normalised(samples):
    return ((samples - samples.mean()) / (samples.var() + 1e-7) ** 0.5).astype("float32")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_untrained_embedding_is_the_mean_of_the_whole_model(architecture, tmp_path):
    """Every cut that leaves frames: extractor and model against the whole checkpoint."""
    write_checkpoint(tmp_path, architecture)
    module = components.load("ser.models", architecture)
    samples = waveforms(6000, 3000, 400)
    whole = whole_model(tmp_path)
    heard = [normalised(s) if ARCHITECTURES[architecture].is_normalised else s for s in samples]
    expected = torch.stack([outputs_of(whole, s).last_hidden_state[0].mean(dim=0) for s in heard])
    for freeze in CUTS[:-1]:
        batch, lengths, feature = extracted(architecture, tmp_path, freeze, samples)
        params = module.Params(pooling="mean", embedding_dim=None)
        model = module.build(params, feature=feature, num_classes=4, head="linear").eval()
        assert model.origin == "random weights (seed 0)"
        assert not model.normalises_inputs
        with torch.inference_mode():
            output = model(batch, lengths)
        torch.testing.assert_close(output.embedding, expected, atol=NETWORK, rtol=0)
        assert model.embedding_dim == 32


@pytest.mark.parametrize("pooling", ["mean", "stats"])
def test_a_mixture_of_layers_is_the_mixture_of_their_statistics(checkpoint, pooling):
    samples = waveforms(6000, 3000)
    batch, lengths, feature = extracted("hubert", checkpoint, "all", samples)
    params = hubert.Params(pooling=pooling, embedding_dim=None)
    model = hubert.build(params, feature=feature, num_classes=4, head="linear").eval()
    with torch.no_grad():
        model.body.scores.copy_(torch.tensor([0.0, 1.0, -1.0, 0.5]))
    weights = torch.tensor([0.0, 1.0, -1.0, 0.5]).exp()
    weights = weights / weights.sum()
    assert model.layer_weights() == pytest.approx(weights.tolist())
    whole = whole_model(checkpoint)
    for row, waveform in enumerate(samples):
        states = outputs_of(whole, normalised(waveform)).hidden_states
        # The order that DESIGN and SUPERB have: first the mixture of frames, then the mean.
        mixed = sum(w * state[0] for w, state in zip(weights, states, strict=True)).mean(dim=0)
        found = model(batch, lengths).embedding[row]
        torch.testing.assert_close(found[:32], mixed, atol=NETWORK, rtol=0)
        if pooling == "stats":
            deviation = sum(
                w * state[0].std(dim=0, correction=0)
                for w, state in zip(weights, states, strict=True)
            )
            torch.testing.assert_close(found[32:], deviation, atol=NETWORK, rtol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("freeze", "num_layers"), [(2, 0), (1, 1), ("feature_encoder", 2), (3, 0)])
def test_a_lower_layer_than_the_last_is_pooled(architecture, freeze, num_layers, tmp_path):
    """Frozen below the cut, trained above it: together the hidden state of that layer."""
    write_checkpoint(tmp_path, architecture)
    module = components.load("ser.models", architecture)
    samples = waveforms(6000, 3000)
    whole = whole_model(tmp_path)
    heard = [normalised(s) if ARCHITECTURES[architecture].is_normalised else s for s in samples]
    layer = num_layers + (freeze if isinstance(freeze, int) else 0)
    expected = torch.stack([outputs_of(whole, s).hidden_states[layer][0].mean(0) for s in heard])
    batch, lengths, feature = extracted(architecture, tmp_path, freeze, samples)
    params = module.Params(pooling="mean", embedding_dim=None, num_layers=num_layers)
    model = module.build(params, feature=feature, num_classes=4, head="linear").eval()
    with torch.inference_mode():
        found = model(batch, lengths).embedding
    torch.testing.assert_close(found, expected, atol=NETWORK, rtol=0)
    # Frames that nothing pretrained reads any more are standardised, as other features are.
    assert model.normalises_inputs is (num_layers == 0)


@pytest.mark.stage
def test_what_is_frozen_as_a_whole_needs_no_network(checkpoint):
    """Not even the import of transformers, which takes seconds."""
    cases = [
        (feature_of("hubert", checkpoint, freeze, num_bins_of(freeze)), num_layers)
        for freeze, num_layers in (("all", None), (2, 0))
    ]
    code = f"""
import sys
from ser import components
from ser.batch import FeatureSpec
hubert = components.load("ser.models", "hubert")
for feature, num_layers in {cases!r}:
    params = hubert.Params(num_layers=num_layers)
    hubert.build(params, feature=feature, num_classes=4, head="linear")
    assert "transformers" not in sys.modules, feature
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_layers_weigh_the_same_before_training(checkpoint):
    model = build(checkpoint, "all")
    assert model.layer_weights() == pytest.approx([1 / (NUM_LAYERS + 1)] * (NUM_LAYERS + 1))
    assert model.normalises_inputs
    assert build(checkpoint, 1).layer_weights() is None


def test_attention_over_no_frames_is_refused(checkpoint):
    with pytest.raises(ParamsError, match=r"models\.hubert\.pooling: .* use mean or stats"):
        build(checkpoint, "all", pooling="attention")


def test_a_feature_of_another_extractor_is_refused(checkpoint):
    for feature in (FeatureSpec("mfcc", 39), feature_of("hubert", checkpoint, 1, 32)):
        with pytest.raises(
            ParamsError, match=r"models\.wavlm goes on where the feature wavlm ends"
        ):
            wavlm.build(wavlm.Params(), feature=feature, num_classes=4, head="linear")


def test_a_checkpoint_that_changed_since_the_extraction_is_refused(checkpoint, tmp_path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    feature = feature_of("hubert", folder, 1, 32)
    config = folder / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(WeightsError, match=r"SHA-256 is .* extracted with .* `dvc repro extract`"):
        hubert.build(hubert.Params(), feature=feature, num_classes=4, head="linear")
    config.unlink()
    with pytest.raises(WeightsError, match=r"missing config\.json"):
        hubert.build(hubert.Params(), feature=feature, num_classes=4, head="linear")


def test_the_embedding_is_not_rectified_and_as_wide_as_asked_for(checkpoint):
    torch.manual_seed(0)
    model = build(checkpoint, 1, head="cosine", embedding_dim=24).eval()
    embedding = model(torch.randn(8, 9, 32), torch.tensor([9] * 8)).embedding
    assert embedding.shape == (8, 24)
    assert embedding.min() < -0.1
    assert embedding.abs().max() < 1


def test_dropouts_of_the_checkpoint_can_be_replaced(checkpoint):
    batch = torch.randn(2, 9, 32), torch.tensor([9, 9])
    for rate, is_random in ((0.0, False), (0.5, True), (None, True)):
        model = build(checkpoint, 1, dropout=0.0, hidden_dropout=rate)
        assert (not torch.equal(model(*batch).logits, model(*batch).logits)) == is_random
    model = build(checkpoint, "all", dropout=0.5, hidden_dropout=0.0)
    batch = torch.randn(2, 1, num_bins_of("all")), torch.tensor([1, 1])
    assert not torch.equal(model(*batch).logits, model(*batch).logits)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_deeper_layers_learn_more_slowly(checkpoint, large, norm):
    model = build(checkpoint if norm == "group" else large, "feature_encoder")
    recipe = Recipe(pretrained_rate=0.1, layer_decay=0.5)
    rates = {round(group["rate"], 6) for group in parameter_groups(model, recipe)}
    assert rates == {1.0, 0.1, 0.05, 0.025, 0.0125}
    fresh = {n for n, _ in model.named_parameters() if model.parameter_depth(n) == 0}
    assert {name.split(".")[0] for name in fresh} == {"embedding", "head"}
    mixture = build(checkpoint if norm == "group" else large, "all")
    assert {model.weighs_layers(name) for name, _ in model.named_parameters()} == {False}
    assert {mixture.parameter_depth(name) for name, _ in mixture.named_parameters()} == {0}


def test_the_weights_of_layers_learn_at_a_rate_of_their_own(checkpoint):
    mixture = build(checkpoint, "all")
    recipe = Recipe(layer_weights_rate=50.0, pretrained_rate=0.1, weight_decay=0.3)
    (group,) = (g for g in parameter_groups(mixture, recipe) if g["rate"] == 50.0)
    assert [p is mixture.body.scores for p in group["params"]] == [True]
    assert group["weight_decay"] == 0.0
    others = [g["rate"] for g in parameter_groups(mixture, recipe) if g is not group]
    assert set(others) == {1.0, 50.0}
    rated = RatedModel(mixture, 3)
    assert [name for name, _ in rated.named_parameters() if rated.weighs_layers(name)] == [
        "model.body.scores"
    ]


@pytest.mark.parametrize("num_layers", [None, 0])
def test_heads_that_do_not_divide_the_width_are_refused(checkpoint, num_layers):
    with pytest.raises(ParamsError, match=r"attention_heads is 5, which does not divide .* 32"):
        build(checkpoint, 1, pooling="attention", attention_heads=5, num_layers=num_layers)


@pytest.mark.parametrize(
    ("freeze", "num_layers", "message"),
    [
        (1, 3, r"num_layers: 3 layers above freeze: 1, but the checkpoint .* has 2 there"),
        ("all", 0, r"num_layers is 0, but features\.hubert\.freeze: all weights all layers"),
    ],
)
def test_layers_that_are_not_there_are_refused(checkpoint, freeze, num_layers, message):
    with pytest.raises(ParamsError, match=message):
        build(checkpoint, freeze, num_layers=num_layers)


def test_pooling_by_attention_is_fresh(checkpoint):
    model = build(checkpoint, 1, pooling="attention")
    assert model.parameter_depth("body.pooling.score.weight") == 0
    assert model.parameter_depth("body.suffix.layers.layers.1.layer_norm.weight") == 1


@pytest.mark.parametrize("pooling", ["mean", "stats"])
def test_a_mixture_of_one_frame_is_to_the_bit_that_of_two_that_are_alike(pooling):
    mixture = LayerMixture(2, 3, pooling)
    frame = torch.randn(4, 1, 12, generator=torch.Generator().manual_seed(0))
    alone = mixture(frame, torch.ones(4, dtype=torch.long))
    assert torch.equal(alone, mixture(frame.repeat(1, 2, 1), torch.full((4,), 2)))


def test_a_mixture_of_several_frames_is_that_of_their_mean():
    mixture = LayerMixture(2, 3, "stats")
    frames = torch.randn(1, 4, 12)
    one = mixture(frames[:, :3].mean(dim=1, keepdim=True), torch.tensor([1]))
    torch.testing.assert_close(mixture(frames, torch.tensor([3])), one)


@pytest.mark.parametrize(
    "bad", [{"pooling": "last"}, {"dropout": 1.0}, {"embedding_dim": 0}, {"hidden_dropout": -0.1}]
)
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValidationError):
        hubert.Params(**bad)


def test_frozen_layers_and_what_is_below_them_are_not_trained(checkpoint):
    model = build(checkpoint, "feature_encoder", frozen_layers=2).train()
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert not any(name.startswith("body.suffix.stem.") for name in names)
    assert not any(name.startswith("body.suffix.layers.layers.1.") for name in names)
    assert any(name.startswith("body.suffix.layers.layers.2.") for name in names)
    assert {name for name, _ in model.named_parameters()} == set(model.state_dict()) - {
        name for name, _ in model.named_buffers()
    }
    body = model.body.suffix
    assert [layer.training for layer in body.layers.layers] == [False, False] + [True] * (
        NUM_LAYERS - 2
    )
    assert body.stem.training is False
    model.eval()
    model.train()
    assert body.layers.layers[0].training is False


def test_freezing_layers_gives_what_a_higher_cut_gives(checkpoint):
    samples = waveforms(6000)
    low, lengths, _ = extracted("hubert", checkpoint, "feature_encoder", samples)
    high, high_lengths, _ = extracted("hubert", checkpoint, 2, samples)
    torch.manual_seed(0)
    below = build(checkpoint, "feature_encoder", frozen_layers=2, hidden_dropout=0.0, dropout=0.0)
    torch.manual_seed(0)
    above = build(checkpoint, 2, hidden_dropout=0.0, dropout=0.0)
    below.train()
    above.train()
    for model, batch, sizes in ((below, low, lengths), (above, high, high_lengths)):
        model(batch, sizes).logits.sum().backward()
    torch.testing.assert_close(
        below(low, lengths).logits, above(high, high_lengths).logits, atol=NETWORK, rtol=NETWORK
    )
    gradients = dict(above.named_parameters())
    shift = {"body.suffix.layers.layers.2.": "body.suffix.layers.layers.0."}
    for name, parameter in below.named_parameters():
        if name.startswith("body.suffix.layers.layers.2."):
            other = name.replace(*next(iter(shift.items())))
            torch.testing.assert_close(
                parameter.grad, gradients[other].grad, atol=NETWORK, rtol=NETWORK
            )


@pytest.mark.parametrize(
    ("freeze", "frozen", "message"),
    [
        ("feature_encoder", 40, r"frozen_layers is 40, but only \d+ layers lie above"),
        (2, 1, r"frozen_layers is 1, but only 0 layers lie above"),
        ("all", 1, r"frozen_layers is 1, but features\.hubert\.freeze: all leaves no layer"),
    ],
)
def test_more_frozen_layers_than_there_are_is_refused(checkpoint, freeze, frozen, message):
    with pytest.raises(ParamsError, match=message):
        build(checkpoint, freeze, frozen_layers=frozen, num_layers=0 if freeze == 2 else None)
