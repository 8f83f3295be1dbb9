"""Small checkpoints for tests, and what they must agree with: transformers on its own."""

import numpy as np
import torch
from safetensors.torch import load_file

from ser.batch import FeatureSpec
from ser.pretrained import checkpoint_files, checkpoints, tiny
from ser.pretrained.tiny import TinyCheckpoint
from ser.pretrained.whisper_encoder import KEY_MAPPING

#: Architecture and normalisation: all that a published checkpoint can be.
VARIANTS = (
    ("wav2vec2", "group"),
    ("wav2vec2", "layer"),
    ("hubert", "group"),
    ("hubert", "layer"),
    ("wavlm", "group"),
    ("wavlm", "layer"),
    ("data2vec_audio", "layer"),
    ("whisper", "layer"),
)
NUM_LAYERS = 3
CUTS = ("feature_encoder", *range(1, NUM_LAYERS + 1), "all")


def write_checkpoint(folder, architecture, norm="group", seed=0):
    """Write a checkpoint none of whose parameters is a 0 or 1 that would hide a mistake."""
    sizes = {"hidden_size": 32, "num_layers": NUM_LAYERS, "conv_dim": 16}
    tiny.write(folder, TinyCheckpoint(architecture=architecture, norm=norm, seed=seed, **sizes))
    model = checkpoints.load(folder, architecture)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_flat = parameter.ndim == 1 or "original0" in name or "gru_rel_pos_const" in name
            size = 1.0 if "rel_attn_embed" in name else 0.2 if is_flat else 0.0
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    with checkpoints.without_progress_bars():
        model.save_pretrained(folder)
    return folder


def write_as_published(folder, source, prefix):
    """Write a checkpoint as the base ones are published: a pickle, with a pretraining head."""
    folder.mkdir()
    for name in (checkpoint_files.CONFIG, checkpoint_files.PREPROCESSING):
        (folder / name).write_bytes((source / name).read_bytes())
    old = {
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
    }
    tensors = {"quantizer.codevectors": torch.zeros(2), "project_hid.bias": torch.zeros(2)}
    for name, tensor in load_file(source / checkpoint_files.SAFETENSORS).items():
        for new_name, old_name in old.items():
            name = name.replace(new_name, old_name)
        tensors[f"{prefix}.{name}"] = tensor
    torch.save(tensors, folder / checkpoint_files.TORCH_FILE)
    return folder


def write_sharded(folder, source):
    """Write a checkpoint as transformers does where one file would be too large."""
    with checkpoints.without_progress_bars():
        whole_model(source).save_pretrained(folder, max_shard_size="40KB")
    preprocessing = (source / checkpoint_files.PREPROCESSING).read_bytes()
    (folder / checkpoint_files.PREPROCESSING).write_bytes(preprocessing)
    return folder


def waveforms(*num_samples, seed=0):
    """Waveforms of different loudness and offset, float32."""
    rng = np.random.default_rng(seed)
    return [(0.1 + 0.3 * rng.normal(size=size)).astype(np.float32) for size in num_samples]


class WholeWhisper:
    """Whisper's encoder as transformers runs it: published features, then as many positions.

    Transformers' encoder takes thirty seconds only, unless its table of positions is shorter.
    """

    def __init__(self, folder):
        from transformers import WhisperFeatureExtractor
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        self.prepare = WhisperFeatureExtractor.from_pretrained(folder)
        self.encoder = WhisperEncoder.from_pretrained(
            folder, dtype=torch.float32, key_mapping=KEY_MAPPING
        ).eval()

    def named_parameters(self):
        return [(f"encoder.{name}", value) for name, value in self.encoder.named_parameters()]

    def mels(self, waveform, padding="do_not_pad"):
        features = self.prepare(
            waveform, sampling_rate=16000, padding=padding, return_tensors="pt"
        ).input_features
        # The second convolution has its stride of two: it pads an odd number by a zero itself.
        return torch.nn.functional.pad(features, (0, features.shape[2] % 2))

    def __call__(self, waveforms, *, padding="do_not_pad", **options):
        mels = self.mels(waveforms[0].numpy(), padding)
        encoder, num_frames = self.encoder, mels.shape[2] // 2
        table, encoder.embed_positions.weight = (
            encoder.embed_positions.weight,
            torch.nn.Parameter(encoder.embed_positions.weight[:num_frames], requires_grad=False),
        )
        encoder.embed_positions.num_embeddings = num_frames
        encoder.config.max_source_positions = num_frames
        try:
            return encoder(mels, **options)
        finally:
            encoder.embed_positions.weight = table

    def feature_extractor(self, waveforms):
        """The output of the convolutions `(1, hidden_size, num_frames)`."""
        hidden = self.encoder.conv1(self.mels(waveforms[0].numpy()))
        return torch.nn.functional.gelu(self.encoder.conv2(torch.nn.functional.gelu(hidden)))


def whole_model(folder):
    """The checkpoint as transformers itself loads it."""
    from transformers import AutoConfig, AutoModel

    with checkpoints.without_progress_bars():
        if AutoConfig.from_pretrained(folder).model_type == "whisper":
            return WholeWhisper(folder)
        return AutoModel.from_pretrained(folder).eval()


@torch.inference_mode()
def outputs_of(model, waveform):
    """What transformers computes for one waveform alone."""
    return model(torch.from_numpy(waveform)[None], output_hidden_states=True)


def summary_of(output):
    """Mean and standard deviation over time of all hidden states, one after the other."""
    parts = []
    for state in output.hidden_states:
        frames = state[0].double()
        mean = frames.sum(dim=0) / len(frames)
        variance = ((frames - mean) ** 2).sum(dim=0) / len(frames)
        parts += [mean, variance.sqrt()]
    return torch.cat(parts).float()


def padded(rows, *, fill, extra=2):
    """Return rows `(num_frames, num_bins)` as one batch with rubbish behind them, and lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    batch = torch.full((len(rows), int(lengths.max()) + extra, rows[0].shape[1]), fill)
    for index, row in enumerate(rows):
        batch[index, : len(row)] = row
    return batch, lengths


def feature_of(architecture, folder, freeze, num_bins):
    """What a model is told of a feature that was extracted with a checkpoint."""
    params = {"checkpoint": str(folder), "revision": None, "freeze": freeze}
    return FeatureSpec(architecture, num_bins, params, checkpoints.digest(folder))


def num_bins_of(freeze, architecture="hubert"):
    """Width of the frames of a checkpoint of `write_checkpoint`."""
    convolved = 32 if architecture == "whisper" else 16
    widths = {"feature_encoder": convolved, "all": 2 * (NUM_LAYERS + 1) * 32}
    return widths.get(freeze, 32)
