"""Speech transformers as features: each against its checkpoint, and what all share."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from ser import components
from ser.data import audio
from ser.errors import ParamsError, WeightsError
from ser.features import extraction
from ser.features.extraction import AudioParams, Places
from ser.features.extractors import speech_transformer
from ser.pretrained import checkpoints
from ser.pretrained.architectures import ARCHITECTURES
from tests import synthetic
from tests.pretrained.support import (
    num_bins_of,
    outputs_of,
    summary_of,
    waveforms,
    whole_model,
    write_checkpoint,
)
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

COMMIT = "0123456789abcdef0123456789abcdef01234567"

hubert, wavlm = (components.load("ser.features.extractors", name) for name in ("hubert", "wavlm"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("hubert"), "hubert")


def build(checkpoint, **params):
    settings = hubert.Params(checkpoint=str(checkpoint), device="cpu", **params)
    return hubert.build(settings, sampling_rate=16000)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_waveform_goes_through_transformers_own_preprocessing_and_model(architecture, tmp_path):
    """Every cut of an architecture, from the samples on."""
    from transformers import AutoFeatureExtractor

    module = components.load("ser.features.extractors", architecture)
    write_checkpoint(tmp_path, architecture)
    (samples,) = waveforms(6000)
    prepared = samples
    if architecture != "whisper":  # whose features are part of what stands for the whole model
        prepare = AutoFeatureExtractor.from_pretrained(tmp_path)
        prepared = prepare(samples, sampling_rate=16000)["input_values"][0]
    model = whole_model(tmp_path)
    whole = outputs_of(model, prepared)
    with torch.inference_mode():
        convolved = model.feature_extractor(torch.from_numpy(prepared)[None])[0].T
    expected = {
        "feature_encoder": convolved,
        2: whole.hidden_states[2][0],
        "all": summary_of(whole)[None],
    }
    for freeze, frames in expected.items():
        params = module.Params(checkpoint=str(tmp_path), freeze=freeze, device="cpu")
        extractor = module.build(params, sampling_rate=16000)
        assert extractor.num_bins == num_bins_of(freeze, architecture)
        assert extractor.provenance == {
            "checkpoint": str(tmp_path),
            "revision": None,
            "weights_sha256": checkpoints.digest(tmp_path),
        }
        np.testing.assert_allclose(extractor(samples), frames.numpy(), atol=NETWORK, rtol=0)


def test_the_published_checkpoints_are_pinned():
    for name, facts in ARCHITECTURES.items():
        params_class = components.load("ser.features.extractors", name).Params
        if facts.published is None:
            with pytest.raises(ValidationError, match="checkpoint"):
                params_class()
            continue
        params = params_class()
        assert (params.checkpoint, params.revision) == facts.published
        assert params_class(**params.model_dump()) == params


def test_another_checkpoint_does_not_get_the_revision_of_the_published_one():
    assert hubert.Params(checkpoint="data/weights/hubert").revision is None
    assert hubert.Params(checkpoint="a/b", revision=COMMIT).revision == COMMIT
    moved = hubert.Params(revision=COMMIT)
    assert (moved.checkpoint, moved.revision) == ("facebook/hubert-base-ls960", COMMIT)


@pytest.mark.parametrize("freeze", [0, -1, True, 1.5, "1", "none", None])
def test_a_cut_that_there_is_not_is_refused(freeze):
    with pytest.raises(ValidationError, match="expected feature_encoder, all, or a number of"):
        hubert.Params(freeze=freeze)


def test_a_checkpoint_that_can_be_nothing_is_refused():
    with pytest.raises(ValidationError, match="for a folder say revision: null"):
        hubert.Params(checkpoint="data/weights/hubert", revision=COMMIT)


@pytest.mark.parametrize("is_normalised", [True, False])
def test_waveforms_are_normalised_where_the_checkpoint_says_so(checkpoint, tmp_path, is_normalised):
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = json.loads((folder / "preprocessor_config.json").read_text())
    content["do_normalize"] = is_normalised
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    extractor = build(folder, freeze=1)
    (samples,) = waveforms(4000)
    loud = 0.2 + 3.0 * samples
    assert np.allclose(extractor(samples), extractor(loud), atol=NETWORK) == is_normalised


@pytest.mark.parametrize(("word", "expected"), [("auto", True), (True, True), (False, False)])
def test_a_checkpoint_that_says_nothing_is_normalised_unless_the_params_say_so(
    checkpoint, tmp_path, caplog, word, expected
):
    folder = shutil.copytree(checkpoint, tmp_path / "copy")
    (folder / "preprocessor_config.json").unlink()
    extractor = build(folder, freeze=1, normalise=word)
    assert extractor.is_normalised == expected
    warned = [record.getMessage() for record in caplog.records if "assumed" in record.message]
    assert len(warned) == (word == "auto")
    assert all(str(folder) in message for message in warned)


def test_the_params_overrule_what_the_checkpoint_says(checkpoint):
    assert build(checkpoint, freeze=1).is_normalised
    assert not build(checkpoint, freeze=1, normalise=False).is_normalised


@pytest.mark.parametrize("word", ["yes", "true", 2, None])
def test_normalise_is_auto_true_or_false(word):
    with pytest.raises(ValidationError, match="normalise"):
        hubert.Params(normalise=word)


def test_the_new_file_of_transformers_decides_the_rate(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "copy")
    (folder / "preprocessor_config.json").unlink()
    said = {"feature_extractor": {"sampling_rate": 8000, "do_normalize": False}}
    (folder / "processor_config.json").write_text(json.dumps(said))
    with pytest.raises(ParamsError, match=r"audio.sampling_rate is 16000, .* needs 8000"):
        build(folder)


def test_inspection_finds_what_building_refuses(checkpoint, tmp_path):
    def inspect(folder, *, module=hubert, rate=16000, **params):
        settings = module.Params(checkpoint=str(folder), **params)
        return module.inspect_weights(settings, sampling_rate=rate)

    assert inspect(checkpoint, freeze=3) == str(checkpoint)
    with pytest.raises(ParamsError, match=r"freeze: 4 layers, but the checkpoint .* has 3"):
        inspect(checkpoint, freeze=4)
    with pytest.raises(ParamsError, match="needs 16000"):
        inspect(checkpoint, rate=8000)
    with pytest.raises(WeightsError, match="model_type is 'hubert', but wavlm needs"):
        inspect(checkpoint, module=wavlm)
    folder = shutil.copytree(checkpoint, tmp_path / "copy")
    state = load_file(folder / "model.safetensors")
    torch.save(state, folder / "pytorch_model.bin")
    lost = state.popitem()[0]
    save_file(state, folder / "model.safetensors")
    with pytest.raises(WeightsError, match=f"1 tensors are missing, .*: {lost}"):
        inspect(folder)
    (folder / "model.safetensors").unlink()
    assert "seen when it is loaded" in inspect(folder)


def test_normalisation_is_that_of_transformers_to_the_bit():
    from transformers import Wav2Vec2FeatureExtractor

    (samples,) = waveforms(4321)
    expected = Wav2Vec2FeatureExtractor()(samples, sampling_rate=16000)["input_values"][0]
    assert speech_transformer.normalised(samples).tobytes() == expected.tobytes()
    assert not speech_transformer.normalised(np.zeros(400, np.float32)).any()


@pytest.mark.parametrize("num_samples", [1, 100, 399])
def test_an_utterance_shorter_than_a_frame_sees_has_one_frame(checkpoint, num_samples):
    frames = build(checkpoint)(waveforms(num_samples)[0])
    assert frames.shape == (1, 16)
    assert np.isfinite(frames).all()


def test_another_sampling_rate_is_refused_with_both(checkpoint):
    with pytest.raises(ParamsError, match=r"audio.sampling_rate is 8000, .* needs 16000"):
        hubert.build(hubert.Params(checkpoint=str(checkpoint)), sampling_rate=8000)


def test_another_architecture_and_a_missing_checkpoint_are_refused(checkpoint, tmp_path):
    params = wavlm.Params(checkpoint=str(checkpoint))
    with pytest.raises(WeightsError, match="model_type is 'hubert', but wavlm needs"):
        wavlm.build(params, sampling_rate=16000)
    with pytest.raises(WeightsError, match=r"gone: missing config\.json"):
        build(tmp_path / "gone")


def test_it_never_learns(checkpoint):
    torch.manual_seed(0)
    extractor = build(checkpoint, freeze="all")
    (samples,) = waveforms(4000)
    first = extractor(samples)
    torch.manual_seed(1)
    assert extractor(samples).tobytes() == first.tobytes()
    assert extractor.is_thread_safe


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_store_says_with_which_checkpoint_it_was_made(checkpoint, tmp_path, dtype):
    utterances = synthetic.corpus(num_sessions=1)[:3]
    for utterance in utterances:
        path = tmp_path / "raw" / utterance.audio
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, waveforms(4000)[0], 16000)
    params = hubert.Params(checkpoint=str(checkpoint), freeze=2, dtype=dtype)
    store = extraction.extract(
        utterances,
        name="hubert",
        params=params,
        audio_params=AudioParams(),
        places=Places(
            recordings=tmp_path / "raw",
            store=tmp_path / "features",
            kept=tmp_path / "kept",
            sounds=tmp_path / "sounds",
        ),
    )
    assert store.meta["checkpoint"] == str(checkpoint)
    assert store.spec.weights_sha256 == store.meta["weights_sha256"]
    assert len(store.spec.weights_sha256) == 64
    assert store.spec.params["freeze"] == 2
    frames = store[utterances[0].id]
    assert frames.dtype == dtype
    exact = build(checkpoint, freeze=2)(
        audio.read(tmp_path / "raw" / utterances[0].audio, sampling_rate=16000)
    )
    np.testing.assert_allclose(
        frames,
        exact,
        # Another number of threads sums in another order; float16 has 11 digits, so 2^-11 of each.
        rtol=1e-3 if dtype == "float16" else NETWORK,
        atol=1e-3 if dtype == "float16" else NETWORK,
    )
