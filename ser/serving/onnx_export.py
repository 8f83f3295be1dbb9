"""A bundle as an ONNX graph, and the proof that it answers as the bundle does.

What a graph can hold is in it: for speech transformers all from the waveform to the
probabilities; for the others all from the frames (`mfcc`, frozen VGGish) or from patches of
frames (VGGish), which the extractor named in `features.json` computes beside it.
"""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser.errors import BundleError
from ser.evaluation import calibration
from ser.models.vggish import VggishModel
from ser.pretrained.checkpoints import ARCHITECTURES
from ser.pretrained.vggish_frontend import cut_patches, patch_starts
from ser.serving.predictor import Predictor

Input = Literal["waveform", "frames", "patches"]

GRAPH, FEATURES = "model.onnx", "features.json"
_OPSET = 17
_DURATIONS_S = (0.1, 0.5, 1.0, 2.3, 4.0)


@dataclass(frozen=True, slots=True)
class Parity:
    """How a graph's answers differ from the bundle's.

    Args:
        folder: Where it was written.
        input: What the graph is given.
        difference: Largest difference of a calibrated probability.
        num_signals: Test signals of different lengths.
    """

    folder: Path
    input: Input
    difference: float
    num_signals: int


class Chain(nn.Module):
    """What the graph computes, for one recording.

    Args:
        predictor: Who answers.
        input: What it is given.
    """

    def __init__(self, predictor: Predictor, input: Input) -> None:
        super().__init__()
        self.input = input
        self.prefix: nn.Module | None = None
        if input == "waveform":
            extractor: Any = predictor.extractor
            self.prefix, self.is_normalised = extractor.prefix, extractor.is_normalised
        self.network: Any = predictor.network
        self.mean = torch.from_numpy(predictor.statistics.mean)
        self.std = torch.from_numpy(predictor.statistics.std)
        self.scale = predictor.logit_scale / predictor.bundle.answering.temperature

    def forward(self, values: Tensor) -> Tensor:
        """Return calibrated probabilities `(num_classes,)`.

        Args:
            values: Waveform `(num_samples,)`, frames `(num_frames, num_bins)`, or patches
                `(num_patches, 96, 64)`.
        """
        if self.prefix is not None:
            if self.is_normalised:
                variance = (values - values.mean()).square().mean()
                values = (values - values.mean()) / torch.sqrt(variance + 1e-7)
            values = self.prefix(values)
        frames = (values - self.mean) / self.std
        if self.input == "patches":
            logits = self._of_patches(frames)
        else:
            lengths = torch.ones(1, dtype=torch.int64) * frames.shape[0]
            logits = self.network(frames.unsqueeze(0), lengths).logits[0]
        return torch.softmax(logits * self.scale, dim=0)

    def _of_patches(self, patches: Tensor) -> Tensor:
        network = self.network
        embeddings = network.patches.trunk(patches).unsqueeze(0)
        lengths = torch.ones(1, dtype=torch.int64) * patches.shape[0]
        embedding = torch.tanh(network.embedding(network.pooling(embeddings, lengths)))
        logits: Tensor = network.head(embedding)[0]
        return logits


def export(bundle: Path, out: Path) -> Parity:
    """Write a bundle as an ONNX graph and compare the two.

    Args:
        bundle: Folder of a bundle.
        out: Folder for `model.onnx` and `features.json`.

    Returns:
        How well they agree, on seeded noise of several lengths.

    Raises:
        BundleError: The package `onnx` or `onnxruntime` is missing.
    """
    try:
        import onnx  # noqa: F401 (torch writes by it)
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise BundleError(
            f"ONNX export needs the package {error.name}, which is not installed: "
            f"`pip install -c constraints.txt {error.name}`"
        ) from error
    predictor = Predictor.load(bundle)
    kind = _input_of(predictor)
    signals = _signals(predictor.sampling_rate)
    inputs = [_graph_input(predictor, kind, signal) for signal in signals]
    out.mkdir(parents=True, exist_ok=True)
    _write_graph(Chain(predictor, kind).eval(), torch.from_numpy(inputs[-1]), kind, out / GRAPH)
    _write_features(predictor, kind, out / FEATURES)
    session = onnxruntime.InferenceSession(out / GRAPH, providers=["CPUExecutionProvider"])
    differences = []
    for signal, values in zip(signals, inputs, strict=True):
        found = session.run(["probabilities"], {kind: values})[0]
        raw = predictor.logits(signal).softmax(0).numpy()[np.newaxis]
        expected = calibration.scale(raw, predictor.bundle.answering.temperature)[0]
        differences.append(float(np.abs(found - expected).max()))
    return Parity(out, kind, max(differences), len(signals))


def as_text(parity: Parity) -> str:
    """Return the result of an export for a terminal."""
    return (
        f"{parity.folder / GRAPH}: from {parity.input} to calibrated probabilities; largest "
        f"difference from the bundle {parity.difference:.1e} over {parity.num_signals} signals"
    )


def _input_of(predictor: Predictor) -> Input:
    if predictor.bundle.served["feature"]["name"] in ARCHITECTURES:
        return "waveform"
    network: Any = predictor.network
    inner = getattr(network, "model", network)
    if isinstance(inner, VggishModel) and inner.patches is not None:
        return "patches"
    return "frames"


def _graph_input(predictor: Predictor, kind: Input, signal: NDArray[np.float32]) -> Any:
    if kind == "waveform":
        return signal
    frames = predictor.extractor(signal)
    if kind == "frames":
        return frames
    network: Any = predictor.network
    starts = patch_starts(len(frames), network.patches.patch_hop)
    return cut_patches(torch.from_numpy(frames), starts).numpy()


def _write_graph(chain: Chain, example: Tensor, kind: Input, path: Path) -> None:
    with warnings.catch_warnings(), torch.inference_mode():
        # The newer exporter fixes the length of recordings; this one is called deprecated,
        # and says of each branch that lengths decide that it is fixed: parity tells.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            chain,
            (example,),
            str(path),
            input_names=[kind],
            output_names=["probabilities"],
            dynamic_axes={str(kind): {0: "length"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _write_features(predictor: Predictor, kind: Input, path: Path) -> None:
    bundle = predictor.bundle
    content = {
        "input": kind,
        "sampling_rate": predictor.sampling_rate,
        "feature": dict(bundle.served["feature"]),
        "emotions": list(bundle.emotions),
        "min_confidence": bundle.answering.min_confidence,
        "window_s": bundle.answering.window_s,
        "overlap": bundle.answering.overlap,
        "bundle_sha256": bundle.sha256,
        "synthetic": bundle.is_synthetic,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _signals(sampling_rate: int) -> list[NDArray[np.float32]]:
    """Return noise of several lengths; a graph with a fixed length answers one of them."""
    rng = np.random.default_rng(0)
    return [
        (0.1 * rng.standard_normal(round(seconds * sampling_rate))).astype(np.float32)
        for seconds in _DURATIONS_S
    ]
