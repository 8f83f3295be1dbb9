import errno
import json
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch

from ser.batch import FeatureSpec
from ser.errors import BundleError
from ser.features.dataset import Statistics
from ser.features.extractors import logmel
from ser.models import vggish
from ser.nn.ratings import RatedModel
from ser.registry.bundle import ServingParams
from ser.serving import onnx_export
from tests.rounding import FORMULA, NETWORK
from tests.serving.support import RATE, speech, write_bundle
from tests.trained_project import CELLS

pytestmark = pytest.mark.numeric

INPUTS = {
    "lstm-aam": "frames",
    "vggish-cross_entropy": "patches",
    "wav2vec2-focal": "waveform",
    "whisper-ccc": "waveform",
    "hubert-label_smoothing": "waveform",
}

#: Another library's kernels from the waveform on, for logits up to 16 (AAM's scale): a network
#: in another order. A frame that is stored as float16 may be rounded the other way, by 2^-11 of
#: one number among hundreds. Measured on three sets of instructions: at most 4e-6.
LOGITS_WITHIN = 2 * NETWORK


@pytest.mark.parametrize("cell", CELLS)
def test_the_graph_answers_as_the_bundle_at_every_length(cell, trained, tmp_path):
    folder, _ = write_bundle(cell, tmp_path / "bundle")
    parity = onnx_export.export(folder, tmp_path / "onnx")
    assert parity.input == INPUTS[cell]
    assert parity.difference < LOGITS_WITHIN
    described = json.loads((tmp_path / "onnx" / "features.json").read_text())
    assert described["input"] == INPUTS[cell]
    assert described["synthetic"] is True
    assert f"{parity.difference:.1e}" in onnx_export.as_text(parity)


def test_parity_is_measured_and_not_taken_for_granted(trained, tmp_path, monkeypatch):
    folder, _ = write_bundle("wav2vec2-focal", tmp_path / "bundle")
    run = onnxruntime.InferenceSession.run

    def wrong(self, *arguments):
        return [values[::-1] for values in run(self, *arguments)]

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", wrong)
    assert onnx_export.export(folder, tmp_path / "onnx").difference > 100 * LOGITS_WITHIN


def test_windows_longer_than_the_network_hears_at_once_are_refused(trained, tmp_path):
    params = ServingParams(window_s=31.0)
    folder, _ = write_bundle("whisper-ccc", tmp_path / "bundle", params=params)
    with pytest.raises(BundleError, match=r"windows of 31 s, but its network hears 30 s at once"):
        onnx_export.export(folder, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_the_graph_alone_gives_probabilities(trained, tmp_path):
    folder, _ = write_bundle("wav2vec2-focal", tmp_path / "bundle")
    onnx_export.export(folder, tmp_path / "onnx")
    said = json.loads((tmp_path / "onnx" / "features.json").read_text())
    assert said["not_in_graph"] == ["speech_share", "familiarity"]
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    (answer,) = session.run(None, {"waveform": speech(1.7, RATE)})
    assert answer.shape == (4,)
    assert np.sum(answer) == pytest.approx(1.0, abs=FORMULA)


def test_a_model_that_rates_is_exported_without_its_ratings():
    torch.manual_seed(0)
    params = vggish.Params(width=1 / 16)
    feature = FeatureSpec("logmel", 64)
    inner = vggish.build(params, feature=feature, num_classes=4, head="linear")
    model = RatedModel(inner, 3).eval()
    predictor = SimpleNamespace(
        extractor=logmel.build(logmel.Params(), sampling_rate=RATE),
        network=model,
        statistics=Statistics.identity(64),
        logit_scale=2.0,
        bundle=SimpleNamespace(answering=SimpleNamespace(temperature=1.0)),
    )
    samples = speech(2.0, RATE)
    assert onnx_export._input_of(predictor) == "patches"
    patches = onnx_export._graph_input(predictor, "patches", samples)
    found = onnx_export.Chain(predictor, "patches")(torch.from_numpy(patches))
    frames = torch.from_numpy(predictor.extractor(samples))
    logits = model(frames.unsqueeze(0), torch.tensor([len(frames)])).logits[0]
    torch.testing.assert_close(found, (2.0 * logits).softmax(0))


class ExporterError(Exception):
    """Of torch's exporter: related to no other."""


def test_whatever_the_exporter_raises_is_its_own_and_leaves_nothing(trained, tmp_path, monkeypatch):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")

    def fail(*_, **__):
        raise ExporterError("no such operator\nat all")

    monkeypatch.setattr(torch.onnx, "export", fail)
    said = r"bundle: its network cannot be written as an ONNX graph \(ExporterError: no such oper"
    with pytest.raises(BundleError, match=said):
        onnx_export.export(folder, tmp_path / "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_fault_of_ours_is_none_of_the_exporter_s(trained, tmp_path, monkeypatch):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    monkeypatch.setattr(onnx_export.Chain, "forward", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        onnx_export.export(folder, tmp_path / "onnx")


def test_a_full_disk_leaves_the_export_that_was_there(trained, tmp_path, monkeypatch):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    out = tmp_path / "onnx"
    out.mkdir()
    for name in (onnx_export.GRAPH, onnx_export.FEATURES):
        (out / name).write_text("of yesterday")

    def full(path, _):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(onnx_export.files, "write_json", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*onnx'"):
        onnx_export.export(folder, out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        onnx_export.GRAPH: "of yesterday",
        onnx_export.FEATURES: "of yesterday",
    }
