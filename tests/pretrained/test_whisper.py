"""Whisper's encoder against transformers' own: features, cuts, windows, published folders."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ser.data import audio
from ser.errors import WeightsError
from ser.pretrained import checkpoint_files, checkpoints
from ser.pretrained.transformer import Prefix, Suffix
from ser.pretrained.whisper import WhisperMel
from tests.pretrained.support import (
    NUM_LAYERS,
    WholeWhisper,
    padded,
    summary_of,
    waveforms,
    write_checkpoint,
)
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

WINDOW_S, RATE = 30, 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("whisper"), "whisper")


@pytest.fixture(scope="module")
def whole(folder):
    return WholeWhisper(folder)


def prefix_of(folder, freeze, context="own"):
    return Prefix(checkpoints.load(folder, "whisper"), freeze, context)


def suffix_of(folder, freeze):
    return Suffix(checkpoints.load(folder, "whisper", dropout=0.0), freeze).eval()


@torch.inference_mode()
def frames_of(folder, freeze, samples, context="own"):
    return prefix_of(folder, freeze, context)(torch.from_numpy(samples))


@pytest.mark.parametrize("num_mels", [80, 128])
@pytest.mark.parametrize("num_samples", [400, 719, 16000, 480000])
def test_log_mel_frames_are_those_of_the_published_feature_extractor(num_mels, num_samples):
    from transformers import WhisperFeatureExtractor

    published = WhisperFeatureExtractor(feature_size=num_mels)
    (samples,) = waveforms(num_samples)
    # A pause, far below what comes before: it is raised to 80 dB below the loudest.
    samples[num_samples // 2 :] *= 1e-6
    expected = published(
        samples, sampling_rate=RATE, padding="do_not_pad", return_tensors="pt"
    ).input_features
    found = WhisperMel(num_mels)(torch.from_numpy(samples)[None])
    assert found.shape == (1, num_mels, num_samples // 160)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("freeze", ["feature_encoder", 1, NUM_LAYERS])
def test_filled_up_to_thirty_seconds_it_is_transformers_own_encoder(folder, freeze):
    """Nothing of transformers' encoder is changed here: 3000 mel frames, 1500 positions."""
    untouched = WholeWhisper(folder)
    (samples,) = waveforms(23456)
    mels = untouched.mels(samples, padding="max_length")
    with torch.inference_mode():
        expected = untouched.encoder(mels).last_hidden_state[0]
        frames = frames_of(folder, freeze, samples, "30s")
        states = suffix_of(folder, freeze)(frames[None], torch.tensor([len(frames)]))[0]
    assert states.shape == (1500, 32)
    torch.testing.assert_close(states, expected, atol=NETWORK, rtol=0)


@pytest.mark.parametrize("num_samples", [400, 6000, 23456])
def test_the_silence_behind_a_recording_takes_no_part_in_its_summary(folder, whole, num_samples):
    (samples,) = waveforms(num_samples)
    with torch.inference_mode():
        output = whole(
            torch.from_numpy(samples)[None], padding="max_length", output_hidden_states=True
        )
    num_frames = len(frames_of(folder, 1, samples))
    output.hidden_states = tuple(state[:, :num_frames] for state in output.hidden_states)
    found = frames_of(folder, "all", samples, "30s")
    torch.testing.assert_close(found[0], summary_of(output), atol=NETWORK, rtol=0)


def test_what_is_longer_than_the_window_is_encoded_in_pieces_and_nothing_is_lost(folder):
    (samples,) = waveforms(int(70.5 * RATE))
    pieces = np.split(samples, [WINDOW_S * RATE, 2 * WINDOW_S * RATE])
    for freeze in ("feature_encoder", 2):
        alone = torch.cat([frames_of(folder, freeze, piece) for piece in pieces])
        assert len(alone) == 70.5 * 50
        assert torch.equal(frames_of(folder, freeze, samples), alone)
    states = torch.cat([frames_of(folder, 2, piece) for piece in pieces]).double()
    summary = frames_of(folder, "all", samples)[0].view(NUM_LAYERS + 1, 2, -1)[2]
    torch.testing.assert_close(summary[0], states.mean(0).float(), atol=NETWORK, rtol=0)
    deviation = states.std(0, correction=0).float()
    torch.testing.assert_close(summary[1], deviation, atol=NETWORK, rtol=0)


@pytest.mark.parametrize("freeze", ["feature_encoder", 2])
def test_the_trained_part_hears_the_same_pieces(folder, freeze):
    """Rows of 70.5, 30 and 0.5 s in one batch: each as its pieces are alone."""
    suffix = suffix_of(folder, freeze)
    samples = waveforms(int(70.5 * RATE), WINDOW_S * RATE, RATE // 2)
    rows = [frames_of(folder, freeze, s) for s in samples]
    batch, lengths = padded(rows, fill=1e3)
    with torch.inference_mode():
        found = suffix(batch, lengths)
        for states, row in zip(found, rows, strict=True):
            alone = [suffix(p[None], torch.tensor([len(p)]))[0] for p in row.split(1500)]
            expected = torch.cat(alone)
            torch.testing.assert_close(states[: len(row)], expected, atol=NETWORK, rtol=0)


def test_positions_are_fixed_and_not_saved_with_what_is_trained(folder):
    suffix = suffix_of(folder, "feature_encoder")
    assert not [name for name in suffix.state_dict() if name.startswith("stem.")]
    table = load_file(folder / checkpoint_files.SAFETENSORS)["embed_positions.weight"]
    assert torch.equal(suffix.stem.positions.table, table)


def with_decoder(folder, target):
    """The checkpoint as it is published: encoder and decoder in one file."""
    target.mkdir()
    tensors = load_file(folder / checkpoint_files.SAFETENSORS)
    whole = {f"model.encoder.{name}": tensor for name, tensor in tensors.items()}
    whole |= {
        "model.decoder.embed_tokens.weight": torch.zeros(8, 32),
        "proj_out.weight": torch.zeros(8, 32),
    }
    for name in (checkpoint_files.CONFIG, checkpoint_files.PREPROCESSING):
        (target / name).write_bytes((folder / name).read_bytes())
    return whole


@pytest.mark.parametrize("kind", ["safetensors", "pickle", "encoder alone"])
def test_a_published_folder_gives_the_encoder_alone(folder, tmp_path, kind):
    tensors = with_decoder(folder, tmp_path / "published")
    if kind == "encoder alone":
        tensors = {name: t for name, t in tensors.items() if "encoder" in name}
    if kind == "pickle":
        torch.save(tensors, tmp_path / "published" / checkpoint_files.TORCH_FILE)
    else:
        save_file(tensors, tmp_path / "published" / checkpoint_files.SAFETENSORS)
    (samples,) = waveforms(6000)
    assert torch.equal(
        frames_of(tmp_path / "published", "all", samples), frames_of(folder, "all", samples)
    )
    loaded = checkpoints.load(tmp_path / "published", "whisper")
    loaded.save_pretrained(tmp_path / "packed")
    assert not [n for n in load_file(tmp_path / "packed" / "model.safetensors") if "decoder" in n]


def test_a_tensor_of_the_encoder_that_is_missing_is_named(folder, tmp_path):
    tensors = with_decoder(folder, tmp_path / "published")
    del tensors["model.encoder.layers.1.fc2.bias"]
    save_file(tensors, tmp_path / "published" / checkpoint_files.SAFETENSORS)
    with pytest.raises(WeightsError, match=r"1 tensors are missing.*layers\.1\.fc2\.bias"):
        checkpoints.load(tmp_path / "published", "whisper")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"d_model": "wide"}, "d_model: .*'wide'"),
        ({"encoder_attention_heads": 5}, "d_model 32 is no multiple of encoder_attention_heads 5"),
        ({"activation_function": "relu"}, "activation_function: .*'gelu', got 'relu'"),
        ({"encoder_layers": 0}, "encoder_layers: .*greater than or equal to 1, got 0"),
    ],
)
def test_a_configuration_of_another_encoder_is_refused_with_the_key(folder, tmp_path, change, said):
    packed(folder, tmp_path, config=change)
    with pytest.raises(WeightsError, match=rf"config\.json: it describes no network: .*{said}"):
        checkpoints.load(tmp_path, "whisper")


@pytest.mark.parametrize("name", [checkpoint_files.SAFETENSORS, checkpoint_files.TORCH_FILE])
def test_weights_that_are_damaged_or_of_another_size_are_refused_with_the_file(
    folder, tmp_path, name
):
    packed(folder, tmp_path, config={"encoder_ffn_dim": 8})
    with pytest.raises(WeightsError, match=r"cannot be loaded: .*fc1\.weight"):
        checkpoints.load(tmp_path, "whisper")
    (tmp_path / checkpoint_files.SAFETENSORS).unlink()
    for content in (b"", b"rubbish" * 100):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name}: cannot be loaded"):
            checkpoints.load(tmp_path, "whisper")


def packed(folder, target, *, config):
    """A copy of the checkpoint with other settings."""
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    path = target / checkpoint_files.CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))


def test_rates_of_dropout_act_in_training_alone(folder):
    network = checkpoints.load(folder, "whisper", dropout=0.5)
    (layer, *_) = network.encoder.layers
    hidden = torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(hidden), layer(hidden))
    layer.train()
    assert not torch.equal(layer(hidden), layer(hidden))
    rates = (layer.dropout, layer.activation_dropout, layer.self_attn.dropout)
    assert (*rates, network.encoder.dropout.p) == (0.5, 0.5, 0.5, 0.5)


SHIPPED = Path("data/weights/whisper-tiny.en")


def test_the_shipped_encoder_is_the_published_one(project):
    """Its digest is that of the weights that its README describes."""
    folder = project / SHIPPED
    digest = hashlib.sha256((folder / checkpoint_files.SAFETENSORS).read_bytes()).hexdigest()
    assert digest in (folder / "README.md").read_text("utf-8")
    assert "MIT License" in (folder / "LICENSE").read_text("utf-8")
    tensors = load_file(folder / checkpoint_files.SAFETENSORS)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    assert sum(tensor.numel() for tensor in tensors.values()) > 8e6


def test_real_speech_through_the_shipped_encoder_is_what_transformers_computes(project, emodb_root):
    """Learnt weights and real recordings: every cut against the hidden states."""
    whole = WholeWhisper(project / SHIPPED)
    paths = sorted(path for path in emodb_root.rglob("03a0*.*") if path.suffix in (".wav", ".flac"))
    assert len(paths) >= 3
    for path in paths[:3]:
        samples = audio.read(path, sampling_rate=RATE)
        with torch.inference_mode():
            output = whole(torch.from_numpy(samples)[None], output_hidden_states=True)
        # Values reach tens: the tolerance of a network is meant for values around one.
        largest = max(float(state.abs().max()) for state in output.hidden_states)
        within = NETWORK * max(1.0, largest)
        for freeze in (1, 3, 4):
            found = frames_of(project / SHIPPED, freeze, samples)
            expected = output.hidden_states[freeze][0]
            torch.testing.assert_close(found, expected, atol=within, rtol=0)
        found = frames_of(project / SHIPPED, "all", samples)[0]
        torch.testing.assert_close(found, summary_of(output), atol=within, rtol=0)
