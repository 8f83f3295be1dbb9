"""A bundle as an ONNX graph, and the proof that it answers as the bundle does.

What a graph can hold is in it: for speech transformers all from the waveform to the
probabilities; for the others all from the frames (`mfcc`, frozen VGGish) or from patches of
frames (VGGish), which the extractor named in `features.json` computes beside it.
"""

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser import files
from ser.contracts import Model
from ser.errors import BundleError, translating
from ser.features.extractors.speech_transformer import SpeechTransformerExtractor
from ser.models.vggish import VggishModel
from ser.nn.ratings import RatedModel
from ser.pretrained.transformer import Prefix
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
        difference: Largest difference of a log-probability, in nats, times the temperature:
            that of the logits, whatever the temperature makes of it.
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
        self.prefix: Prefix | None = None
        if isinstance(predictor.extractor, SpeechTransformerExtractor):
            self.prefix = predictor.extractor.prefix
            self.is_normalised = predictor.extractor.is_normalised
            self.is_half = predictor.extractor.dtype == "float16"
        self.network = _classifier(predictor.network)
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
            if self.is_half:
                # As stored for training: what was learnt on rounded frames is asked about such.
                values = values.half().float()
        frames = (values - self.mean) / self.std
        lengths = torch.ones(1, dtype=torch.int64) * frames.shape[0]
        if self.input == "patches" and isinstance(self.network, VggishModel):
            output = self.network.classify_patches(frames.unsqueeze(0), lengths)
        else:
            output = self.network(frames.unsqueeze(0), lengths)
        return torch.softmax(output.logits[0] * self.scale, dim=0)


def export(bundle: Path, out: Path) -> Parity:
    """Write a bundle as an ONNX graph and compare the two.

    Args:
        bundle: Folder of a bundle.
        out: Folder for `model.onnx` and `features.json`.

    Returns:
        How well they agree, on seeded noise of several lengths.

    Raises:
        BundleError: The package `onnx` or `onnxruntime` is missing, the bundle answers for longer
            windows than its network hears at once, or the exporter cannot write its network.
        OSError: The folder cannot be written, or its disk is full; what was there stays.
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
    _require_one_piece(predictor)
    with files.adding(out) as folder:
        difference, num_signals = _written(predictor, folder, bundle, onnxruntime)
    return Parity(out, _input_of(predictor), difference, num_signals)


def _not_exported(bundle: Path, error: Exception) -> BundleError:
    """Return what torch's exporter or ONNX' runtime means; they raise errors of their own."""
    first = f"{type(error).__name__}: {error}".partition("\n")[0]
    return BundleError(
        f"{bundle}: its network cannot be written as an ONNX graph ({first}); `ser export --format "
        f"bundle` writes the bundle itself"
    )


def _written(
    predictor: Predictor, folder: Path, bundle: Path, onnxruntime: ModuleType
) -> tuple[float, int]:
    """Write a graph and what describes it; return its largest difference and of how many."""
    kind = _input_of(predictor)
    signals = _signals(predictor.sampling_rate)
    inputs = [_graph_input(predictor, kind, signal) for signal in signals]
    chain, example = Chain(predictor, kind).eval(), torch.from_numpy(inputs[-1])
    with torch.inference_mode():
        chain(example)  # so that a fault of ours is seen here, and is none of the exporter's
    say = partial(_not_exported, bundle)
    graph = folder / GRAPH
    with translating(say):
        _write_graph(chain, example, kind, graph)
    _write_features(predictor, kind, folder / FEATURES)
    with translating(say):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        answers = [session.run(["probabilities"], {kind: values})[0] for values in inputs]
    temperature = predictor.bundle.answering.temperature
    differences = []
    for signal, found in zip(signals, answers, strict=True):
        expected = (predictor.logits(signal) / temperature).softmax(0).numpy()
        differences.append(temperature * _difference(found, expected))
    return max(differences), len(signals)


def as_text(parity: Parity) -> str:
    """Return the result of an export for a terminal."""
    return (
        f"{parity.folder / GRAPH}: from {parity.input} to calibrated probabilities; largest "
        f"difference of a logit from the bundle's {parity.difference:.1e} over "
        f"{parity.num_signals} signals"
    )


def _difference(found: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    """Return the largest difference of a log-probability that float32 can hold."""
    least = np.finfo(np.float32).tiny
    pair = (np.log(np.maximum(values, least)) for values in (found, expected))
    return float(np.abs(np.subtract(*pair)).max())


def _require_one_piece(predictor: Predictor) -> None:
    """Raise BundleError where a window would be cut in pieces: a graph cannot do that."""
    if not isinstance(predictor.extractor, SpeechTransformerExtractor):
        return
    heard = predictor.extractor.prefix.window
    longest = predictor.bundle.answering.window_s
    if heard is not None and longest * predictor.sampling_rate > heard.num_samples:
        raise BundleError(
            f"the bundle answers for windows of {longest:g} s, but its network hears "
            f"{heard.num_samples / predictor.sampling_rate:g} s at once, and a graph cannot cut; "
            f"register it again with serving.window_s: "
            f"{heard.num_samples / predictor.sampling_rate:g} or less"
        )


def _input_of(predictor: Predictor) -> Input:
    if isinstance(predictor.extractor, SpeechTransformerExtractor):
        return "waveform"
    return "frames" if _patch_hop(predictor.network) is None else "patches"


def _classifier(network: Model) -> Model:
    """Return the part of a model that classifies; the head for ratings is left out."""
    return network.model if isinstance(network, RatedModel) else network


def _patch_hop(network: Model) -> int | None:
    """Return the frames from one patch to the next of a model that cuts patches, else None."""
    inner = _classifier(network)
    if not isinstance(inner, VggishModel) or inner.patches is None:
        return None
    return inner.patches.patch_hop


def _graph_input(
    predictor: Predictor, kind: Input, signal: NDArray[np.float32]
) -> NDArray[np.float32]:
    if kind == "waveform":
        return signal
    frames = predictor.extractor(signal)
    hop = _patch_hop(predictor.network)
    if hop is None:
        return frames
    return cut_patches(torch.from_numpy(frames), patch_starts(len(frames), hop)).numpy()


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
        # Neither is in the graph: it gives probabilities to any sound.
        "not_in_graph": ["speech_share", "familiarity"],
        "window_s": bundle.answering.window_s,
        "overlap": bundle.answering.overlap,
        "bundle_sha256": bundle.sha256,
        "synthetic": bundle.is_synthetic,
    }
    files.write_json(path, content)


def _signals(sampling_rate: int) -> list[NDArray[np.float32]]:
    """Return noise of several lengths; a graph with a fixed length answers one of them."""
    rng = np.random.default_rng(0)
    return [
        (0.1 * rng.standard_normal(round(seconds * sampling_rate))).astype(np.float32)
        for seconds in _DURATIONS_S
    ]
