import numpy as np
import pytest
import torch

from ser.data import audio
from ser.errors import ParamsError
from ser.pretrained.vggish_frontend import LogMel, cut_patches, patch_starts
from tests.rounding import EPS, FORMULA

pytestmark = pytest.mark.numeric

RATE = 16000

#: In float32 a loud band leaves some roundings (2^-23) of itself in the quiet ones, up to 800 of
#: what is in those; the logarithm makes relative errors absolute.
TOLERANCE = 800 * EPS


def waveform(seconds=1.5, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (200 + 900 * time) * time) * np.hanning(len(time))
    return (0.5 * tone + 0.01 * rng.normal(size=len(time))).astype(np.float32)


def mel(hz):
    return 1127.0 * np.log(1.0 + hz / 700.0)


def reference(samples):
    """AudioSet's definition, one frame and one triangle at a time, in float64."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    num_frames = 1 + (len(samples) - 400) // 160
    spectra = np.stack(
        [
            np.abs(np.fft.rfft(samples[160 * k : 160 * k + 400].astype(np.float64) * window, 512))
            for k in range(num_frames)
        ]
    )
    bins = mel(np.arange(257) * RATE / 512)
    edges = np.linspace(mel(125.0), mel(7500.0), 66)
    matrix = np.zeros((257, 64))
    for band in range(64):
        low, centre, high = edges[band : band + 3]
        for index, place in enumerate(bins):
            if low < place <= centre:
                matrix[index, band] = (place - low) / (centre - low)
            elif centre < place < high:
                matrix[index, band] = (high - place) / (high - centre)
    return np.log(spectra @ matrix + 0.01)


def test_frames_equal_an_independent_computation():
    samples = waveform()
    frames = LogMel(RATE)(samples)
    expected = reference(samples)
    assert frames.dtype == torch.float32
    assert frames.shape == expected.shape == (148, 64)
    np.testing.assert_allclose(frames.numpy(), expected, atol=TOLERANCE)
    assert np.abs(frames.numpy() - expected).mean() < FORMULA


def test_a_loud_and_a_quiet_voice_equal_it_too():
    for gain in (1.9, 1e-3):
        samples = gain * waveform(seed=1)
        np.testing.assert_allclose(
            LogMel(RATE)(samples).numpy(), reference(samples), atol=TOLERANCE
        )


@pytest.mark.emodb
def test_frames_of_real_speech_equal_an_independent_computation(emodb_recordings):
    front_end = LogMel(RATE)
    for path in emodb_recordings[::120]:
        samples = audio.read(path, sampling_rate=RATE)
        np.testing.assert_allclose(front_end(samples).numpy(), reference(samples), atol=TOLERANCE)


def test_silence_is_the_logarithm_of_the_offset():
    frames = LogMel(RATE)(np.zeros(RATE, dtype=np.float32))
    torch.testing.assert_close(frames, torch.full((98, 64), float(np.log(0.01))))


@pytest.mark.parametrize("num_samples", [1, 399, 15599])
def test_a_short_clip_is_padded_with_silence_to_one_patch(num_samples):
    samples = waveform()[:num_samples]
    frames = LogMel(RATE)(samples)
    assert len(frames) == 96
    padded = np.concatenate([samples, np.zeros(15600 - num_samples, dtype=np.float32)])
    np.testing.assert_array_equal(frames.numpy(), LogMel(RATE)(padded).numpy())


def test_a_clip_of_one_patch_is_not_padded():
    assert len(LogMel(RATE)(waveform()[:15600])) == 96
    assert len(LogMel(RATE)(waveform()[: 15600 + 160])) == 97


@pytest.mark.parametrize("rate", [8000, 44100])
def test_another_sampling_rate_is_refused(rate):
    with pytest.raises(ParamsError, match=rf"audio\.sampling_rate: .* 16000 Hz only, got {rate}"):
        LogMel(rate)


@pytest.mark.parametrize(
    ("num_frames", "patch_hop", "expected"),
    [
        (1, 96, [0]),
        (96, 96, [0]),
        (97, 96, [0, 1]),
        (192, 96, [0, 96]),
        (200, 96, [0, 96, 104]),
        (192, 48, [0, 48, 96]),
        (150, 48, [0, 48, 54]),
    ],
)
def test_patches_cover_every_frame_and_never_leave_the_utterance(num_frames, patch_hop, expected):
    starts = patch_starts(num_frames, patch_hop)
    assert starts == expected
    heard = {frame for start in starts for frame in range(start, start + 96)}
    assert set(range(num_frames)) <= heard
    assert max(heard) < max(num_frames, 96)


def test_patches_are_stretches_of_the_frames():
    frames = torch.randn(200, 64)
    patches = cut_patches(frames, [0, 104])
    assert torch.equal(patches[0], frames[:96])
    assert torch.equal(patches[1], frames[104:])


def test_an_utterance_shorter_than_a_patch_is_filled_up_with_zeros():
    frames = torch.randn(5, 64)
    (patch,) = cut_patches(frames, [0])
    assert torch.equal(patch[:5], frames)
    assert patch.shape == (96, 64)
    assert not patch[5:].any()
