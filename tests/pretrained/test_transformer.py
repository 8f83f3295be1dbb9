"""Prefix and suffix against the whole model of transformers, one waveform at a time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ser.errors import ParamsError, WeightsError
from ser.pretrained import checkpoints
from ser.pretrained._dropout import Dropout
from ser.pretrained._relative_attention import RelativePositions
from ser.pretrained._wide_convolution import correlated
from ser.pretrained.transformer import Prefix, Suffix
from tests.pretrained.support import (
    CUTS,
    NUM_LAYERS,
    num_bins_of,
    outputs_of,
    padded,
    summary_of,
    waveforms,
    whole_model,
    write_checkpoint,
)
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

#: The shortest that has a frame, and others; 0.025 to 0.5 seconds.
NUM_SAMPLES = (8000, 400, 5200, 719)


@pytest.fixture(scope="module")
def reference(variant):
    """Waveforms, and what the whole model says of each of them alone."""
    _, folder = variant
    model = whole_model(folder)
    return [(samples, outputs_of(model, samples)) for samples in waveforms(*NUM_SAMPLES)]


def prefix_of(variant, freeze):
    architecture, folder = variant
    return Prefix(checkpoints.load(folder, architecture), freeze)


def suffix_of(variant, freeze, **settings):
    architecture, folder = variant
    return Suffix(checkpoints.load(folder, architecture, dropout=0.0), freeze, **settings).eval()


@torch.inference_mode()
def frames_of(variant, freeze, samples):
    return prefix_of(variant, freeze)(torch.from_numpy(samples))


@pytest.mark.parametrize("freeze", CUTS[:-1])
def test_prefix_and_suffix_together_are_the_whole_model(variant, reference, freeze):
    prefix, suffix = prefix_of(variant, freeze), suffix_of(variant, freeze)
    with torch.inference_mode():
        rows = [prefix(torch.from_numpy(samples)) for samples, _ in reference]
        batch, lengths = padded(rows, fill=1e3)
        states = suffix(batch, lengths)
    assert batch.shape[-1] == prefix.num_bins == num_bins_of(freeze, variant[0])
    for row, (_, whole) in enumerate(reference):
        expected = whole.last_hidden_state[0]
        assert len(expected) == lengths[row]
        torch.testing.assert_close(states[row, : len(expected)], expected, atol=NETWORK, rtol=0)


@pytest.mark.parametrize("freeze", CUTS[1:-1])
def test_frozen_layers_give_the_hidden_states_of_the_model(variant, reference, freeze):
    samples, whole = reference[0]
    frames = frames_of(variant, freeze, samples)
    torch.testing.assert_close(frames, whole.hidden_states[freeze][0], atol=NETWORK, rtol=0)


def test_all_layers_give_mean_and_deviation_of_every_hidden_state(variant, reference):
    for samples, whole in reference:
        frames = frames_of(variant, "all", samples)
        assert len(whole.hidden_states) == NUM_LAYERS + 1
        assert frames.shape == (1, num_bins_of("all"))
        torch.testing.assert_close(frames[0], summary_of(whole), atol=NETWORK, rtol=0)


@pytest.mark.parametrize("freeze", ["feature_encoder", 1])
def test_rows_of_equal_length_need_no_mask_and_give_the_same(variant, reference, freeze):
    samples, whole = reference[0]
    frames = frames_of(variant, freeze, samples)
    with torch.inference_mode():
        states = suffix_of(variant, freeze)(
            frames.expand(2, -1, -1), torch.tensor([len(frames)] * 2)
        )
    torch.testing.assert_close(states[1], whole.last_hidden_state[0], atol=NETWORK, rtol=0)


@pytest.mark.parametrize("freeze", ["feature_encoder", 2])
def test_gradients_are_those_of_the_whole_model(variant, freeze):
    """Of every parameter above the cut, in the suffix under another name."""
    _, folder = variant
    (samples,) = waveforms(4000)
    frames = frames_of(variant, freeze, samples).clone()
    suffix = suffix_of(variant, freeze)
    suffix(frames[None], torch.tensor([len(frames)])).square().sum().backward()
    whole = whole_model(folder)
    whole(torch.from_numpy(samples)[None]).last_hidden_state.square().sum().backward()
    expected = {
        tuple(parameter.shape): parameter.grad.abs().sum().item()
        for name, parameter in whole.named_parameters()
        if f"encoder.layers.{NUM_LAYERS - 1}." in name
    }
    top = f"layers.layers.{NUM_LAYERS - 1 - (0 if freeze == 'feature_encoder' else freeze)}."
    found = {
        tuple(parameter.shape): parameter.grad.abs().sum().item()
        for name, parameter in suffix.named_parameters()
        if name.startswith(top)
    }
    assert found.keys() == expected.keys()
    assert len(found) > 3
    for shape, total in expected.items():
        assert found[shape] == pytest.approx(total, rel=NETWORK, abs=NETWORK)
    assert all(p.grad is not None for p in suffix.parameters())


def test_recomputing_activations_changes_no_gradient(variant):
    (samples,) = waveforms(4000)
    frames = frames_of(variant, 1, samples).clone()
    batch, lengths = padded([frames, frames[:5]], fill=0.0)
    gradients = []
    for recompute in (False, True):
        suffix = suffix_of(variant, 1, gradient_checkpointing=recompute).train()
        suffix(batch, lengths)[0].square().sum().backward()
        gradients.append([parameter.grad for parameter in suffix.parameters()])
    for kept, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(kept, recomputed)


def test_activations_are_recomputed_only_where_asked_for(hubert, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "ser.pretrained.transformer.recomputed",
        lambda function, *arguments, **options: calls.append(options) or function(*arguments),
    )
    batch = torch.randn(1, 6, 32), torch.tensor([6])
    for recompute in (False, True):
        suffix = suffix_of(("hubert", hubert), 1, gradient_checkpointing=recompute)
        suffix.train()(*batch)
        suffix.eval()(*batch)
    assert calls == [{"use_reentrant": False}] * 2  # two layers, in training only


def test_several_threads_get_what_one_gets(variant):
    prefix = prefix_of(variant, "all")

    def compute(samples):
        with torch.inference_mode():
            return prefix(torch.from_numpy(samples)).numpy().tobytes()

    many = waveforms(*range(2000, 6000, 250))
    alone = [compute(samples) for samples in many]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(compute, many)) == alone


def test_a_waveform_shorter_than_one_frame_sees_is_filled_up_with_zeros(variant, reference):
    prefix = prefix_of(variant, 1)
    assert prefix.receptive_field == 400
    (short,) = waveforms(150)
    longer = torch.cat([torch.from_numpy(short), torch.zeros(250)])
    assert prefix(torch.from_numpy(short)).shape == (1, 32)
    assert torch.equal(prefix(torch.from_numpy(short)), prefix(longer))


def test_a_prefix_is_frozen_and_holds_no_layer_that_it_does_not_run(hubert):
    sizes = {}
    for freeze in CUTS:
        prefix = prefix_of(("hubert", hubert), freeze)
        assert not prefix.training
        assert not any(parameter.requires_grad for parameter in prefix.parameters())
        sizes[freeze] = sum(parameter.numel() for parameter in prefix.parameters())
    layer = sizes[2] - sizes[1]
    assert sizes[3] - sizes[2] == layer > 1000
    assert sizes["all"] == sizes[3]
    assert sizes["feature_encoder"] < sizes[1] - layer


def test_prefix_and_suffix_hold_every_parameter_once(variant):
    architecture, folder = variant
    whole = sum(p.numel() for p in checkpoints.load(folder, architecture).parameters())
    for freeze in CUTS[:-1]:
        halves = prefix_of(variant, freeze), suffix_of(variant, freeze)
        assert sum(p.numel() for half in halves for p in half.parameters()) == whole, freeze


def test_the_bias_by_distance_is_kept_with_frozen_layers_and_not_trained(tmp_path):
    folder = write_checkpoint(tmp_path, "wavlm")
    trained = suffix_of(("wavlm", folder), "feature_encoder")
    kept = suffix_of(("wavlm", folder), 1)
    assert "layers.relative.weight" in dict(trained.named_parameters())
    assert "layers.relative.weight" not in dict(kept.named_parameters())
    assert torch.equal(
        trained.state_dict()["layers.relative.weight"], kept.state_dict()["layers.relative.weight"]
    )


def test_distances_fall_into_the_buckets_of_transformers(tmp_path):
    """Up to a minute: the short waveforms above reach the first few only."""
    attention = (
        checkpoints.load(write_checkpoint(tmp_path, "wavlm"), "wavlm").encoder.layers[0].attention
    )
    distances = torch.arange(-3000, 3001)
    relative = RelativePositions(attention, is_trainable=False)
    assert (attention.num_buckets, attention.max_distance) == (320, 800)
    expected = attention._relative_positions_bucket(distances)
    assert len(expected.unique()) > 300
    assert torch.equal(relative._buckets(distances), expected)


def test_depth_counts_layers_from_the_top(variant):
    suffix = suffix_of(variant, "feature_encoder")
    depths = {}
    for name, _ in suffix.named_parameters():
        depths.setdefault(suffix.parameter_depth(name), set()).add(name)
    stem = depths.pop(4, set())
    assert all(name.startswith("stem.") for name in stem)
    # Whisper's positions are fixed, and it has no projection.
    assert bool(stem) == (variant[0] != "whisper")
    assert set(depths) == {1, 2, 3}
    assert all(name.startswith(("layers.layers.0.", "layers.relative.")) for name in depths[3])
    assert all(name.startswith("layers.layers.1.") for name in depths[2])
    assert all(name.startswith(("layers.layers.2.", "final_norm.")) for name in depths[1])
    above = suffix_of(variant, 2)
    assert {above.parameter_depth(name) for name, _ in above.named_parameters()} == {1}


def test_more_layers_than_there_are_cannot_be_frozen(hubert):
    for half in (Prefix, Suffix):
        with pytest.raises(ParamsError, match=r"freeze: 4 layers, but .* has 3"):
            half(checkpoints.load(hubert, "hubert"), 4)


def test_positions_normalised_over_the_batch_are_refused_unless_they_are_frozen(hubert):
    model = checkpoints.load(hubert, "hubert")
    model.encoder.pos_conv_embed.batch_norm = torch.nn.BatchNorm1d(32)
    with pytest.raises(WeightsError, match="padding would change the answer; freeze at least"):
        Suffix(model, "feature_encoder")
    assert Suffix(model, 1).stem is None


@pytest.mark.parametrize("freeze", ["feature_encoder", 1])
def test_a_training_step_without_dropout_is_that_of_evaluation(variant, freeze):
    """The same states and gradients to rounding, of a padded batch."""
    samples = waveforms(8000, 5200, 2000)
    batch, lengths = padded([frames_of(variant, freeze, one) for one in samples], fill=1e3)
    found = []
    for is_training in (False, True):
        suffix = suffix_of(variant, freeze).train(is_training)
        states = suffix(batch.clone(), lengths)
        valid = torch.cat([row[:length] for row, length in zip(states, lengths, strict=True)])
        valid.square().sum().backward()
        found.append((valid.detach(), [parameter.grad for parameter in suffix.parameters()]))
    (plain, plain_gradients), (ours, our_gradients) = found
    torch.testing.assert_close(ours, plain, atol=NETWORK, rtol=0)
    for gradient, expected in zip(our_gradients, plain_gradients, strict=True):
        tolerance = NETWORK * max(1.0, expected.abs().max().item())
        torch.testing.assert_close(gradient, expected, atol=tolerance, rtol=0)


def test_wide_positions_are_transformed_in_training_and_convolved_in_evaluation(
    tmp_path, monkeypatch
):
    """The published width, which the tiny checkpoints do not have."""
    from transformers import HubertConfig, HubertModel

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    convolutions = {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 128}
    settings = HubertConfig(
        **sizes, **convolutions, intermediate_size=32, num_conv_pos_embedding_groups=4
    )
    torch.manual_seed(0)
    suffix = Suffix(HubertModel(settings), "feature_encoder")
    for part in suffix.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    calls = []
    monkeypatch.setattr(
        "ser.pretrained._stem.correlated",
        lambda *arguments: calls.append(suffix.training) or correlated(*arguments),
    )
    frames, lengths = torch.randn(2, 30, 16), torch.tensor([30, 30])
    for layer in suffix.layers.layers:
        layer.attention.dropout = 0.0
    trained, evaluated = suffix.train()(frames, lengths), suffix.eval()(frames, lengths)
    assert calls == [True]
    torch.testing.assert_close(trained, evaluated, atol=NETWORK, rtol=0)


def test_every_dropout_of_a_suffix_is_the_cheap_one(variant):
    architecture, folder = variant
    suffix = Suffix(checkpoints.load(folder, architecture, dropout=0.1), "feature_encoder")
    kinds = {type(part) for part in suffix.modules() if isinstance(part, torch.nn.Dropout)}
    assert kinds == {Dropout}
    assert suffix.training
