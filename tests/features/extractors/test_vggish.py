from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from ser.errors import MissingWeightsError, ParamsError, WeightsError
from ser.features.extractors import vggish
from ser.pretrained.vggish import Trunk
from ser.pretrained.vggish_frontend import LogMel
from tests.pretrained.weights_files import write_weights
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

RATE = 16000
WIDTH = 1 / 16


def waveform(num_frames, seed=0):
    num_samples = 400 + 160 * (num_frames - 1)
    return (0.1 * np.random.default_rng(seed).normal(size=num_samples)).astype(np.float32)


@pytest.fixture(scope="module")
def trunk():
    torch.manual_seed(0)
    return Trunk(width=WIDTH).eval()


@pytest.fixture(scope="module")
def weights(trunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "vggish.pth"
    path, digest = write_weights(path, trunk.state_dict())
    return {"weights": str(path), "sha256": digest, "width": WIDTH}


def build(**params):
    return vggish.build(vggish.Params(**params), sampling_rate=RATE)


def test_a_frame_is_the_trunks_embedding_of_a_patch(weights, trunk):
    samples = waveform(250)
    frames = LogMel(RATE)(samples)
    patches = torch.stack([frames[:96], frames[96:192], frames[154:]])
    with torch.inference_mode():
        expected = trunk(patches).numpy()
    found = build(**weights)(samples)
    assert found.shape == (3, 128)
    np.testing.assert_allclose(found, expected, atol=NETWORK, rtol=NETWORK)
    assert found.min() < 0


def test_inspection_finds_what_building_refuses(weights, tmp_path):
    def inspect(**params):
        return vggish.inspect_weights(vggish.Params(**params), sampling_rate=RATE)

    assert inspect(**weights) == weights["weights"]
    with pytest.raises(ParamsError, match="need a trained trunk"):
        inspect()
    with pytest.raises(MissingWeightsError, match="no such file of VGGish weights"):
        inspect(**{**weights, "weights": str(tmp_path / "gone.pth")})
    with pytest.raises(WeightsError, match=r"but params\.yaml pins 00000000"):
        inspect(**{**weights, "sha256": "00000000"})
    with pytest.raises(ParamsError, match="16"):
        vggish.inspect_weights(vggish.Params(**weights), sampling_rate=8000)


def test_overlap_and_rectification_follow_the_params(weights):
    overlapping = build(**weights, patch_hop=48)(waveform(192))
    assert len(overlapping) == 3
    rectified = build(**weights, patch_hop=48, final_relu=True)(waveform(192))
    np.testing.assert_array_equal(rectified, np.maximum(overlapping, 0.0))


def test_a_long_recording_is_embedded_in_several_pieces_without_a_seam(weights, monkeypatch):
    samples = waveform(96 * 7)
    whole = build(**weights)(samples)
    monkeypatch.setattr(vggish, "_PATCHES_AT_ONCE", 3)
    pieces = build(**weights)(samples)
    assert len(whole) == 7
    np.testing.assert_allclose(pieces, whole, atol=NETWORK, rtol=NETWORK)


def test_several_threads_get_what_one_gets(weights):
    extractor = build(**weights)
    clips = [waveform(150, seed) for seed in range(8)]
    alone = [extractor(clip) for clip in clips]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(extractor, clips))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_file_of_weights_is_part_of_the_stores_identity(weights):
    for pinned in (weights["sha256"], weights["sha256"][:8]):
        assert build(**{**weights, "sha256": pinned}).provenance == {
            "checkpoint": "vggish.pth",
            "revision": None,
            "weights_sha256": weights["sha256"],
        }


def test_without_a_file_of_weights_it_says_what_to_write():
    with pytest.raises(ParamsError, match=r"features\.vggish\.weights: .*vggish-10086976\.pth"):
        build()


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pth: no such file"):
        build(weights=str(tmp_path / "absent.pth"), sha256=64 * "0")


def test_another_sampling_rate_is_refused(weights):
    with pytest.raises(ParamsError, match="16000 Hz only, got 8000"):
        vggish.build(vggish.Params(**weights), sampling_rate=8000)
