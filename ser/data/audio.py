"""Open recordings: check that one is usable, and read it as a mono waveform."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser.data import hearing
from ser.errors import AudioError

#: Memory is taken for what a header declares, and a damaged one can declare anything.
_MAX_DURATION_S = 3600


@dataclass(frozen=True, slots=True)
class Recording:
    """What a usable audio file holds.

    Args:
        sha256: Of the file's bytes, hexadecimal.
        samples_sha256: Of the down-mixed samples and their rate, hexadecimal: the same
            for the same sound under another header, bit depth or lossless format.
        num_samples: Per channel, at the file's own rate.
        sampling_rate: Of the file, in Hz.
        num_channels: 1 is mono.
        duration_s: num_samples / sampling_rate, in seconds.
    """

    sha256: str
    samples_sha256: str
    num_samples: int
    sampling_rate: int
    num_channels: int
    duration_s: float


def inspect(path: Path, *, min_duration_s: float, silence_dbfs: float) -> Recording:
    """Open a recording once, and refuse it if speech cannot be learnt from it.

    Args:
        path: WAV, FLAC, OGG or MP3 (others that libsndfile reads are not checked for a
            missing end); any rate, depth and number of channels.
        min_duration_s: Shorter recordings are refused, in seconds.
        silence_dbfs: Recordings whose peak, after down-mixing, is below this are
            refused as silent, in dB relative to full scale.

    Returns:
        Its digests and sizes.

    Raises:
        AudioError: The file is missing, empty, not audio, truncated, without samples,
            too short, longer than an hour, silent, or holds NaN or infinite samples.
            The message is the reason alone, without the path, so that it is the same
            on every machine.
    """
    content = _content(path)
    samples, sampling_rate = _decode(content)
    num_samples, num_channels = samples.shape
    duration_s = num_samples / sampling_rate
    if duration_s < min_duration_s:
        raise AudioError(
            f"too short: {num_samples} samples at {sampling_rate} Hz are {duration_s:.4f} s; "
            f"at least {min_duration_s:g} s is required (corpus.min_duration_s)"
        )
    waveform = _mono(samples)
    peak_dbfs = _peak_dbfs(waveform)
    if peak_dbfs < silence_dbfs:
        raise AudioError(
            f"silent: its peak is {peak_dbfs:.1f} dBFS; "
            f"at least {silence_dbfs:g} dBFS is required (corpus.silence_dbfs)"
        )
    return Recording(
        sha256=hashlib.sha256(content).hexdigest(),
        samples_sha256=_samples_sha256(waveform, sampling_rate),
        num_samples=num_samples,
        sampling_rate=sampling_rate,
        num_channels=num_channels,
        duration_s=duration_s,
    )


def read(path: Path, *, sampling_rate: int) -> NDArray[np.float32]:
    """Read a recording as a mono waveform at a wanted rate.

    Channels are averaged; the rate is changed by soxr at its quality HQ.

    Args:
        path: WAV, FLAC, OGG or MP3; any rate, depth and number of channels.
        sampling_rate: Wanted, in Hz.

    Returns:
        Waveform, `(num_samples,)`, full scale is [-1, 1].

    Raises:
        AudioError: The file is missing, empty, not audio, truncated, without samples,
            or holds NaN or infinite samples; the message names the file.
    """
    try:
        samples, own_rate = _decode(_content(path))
        waveform = _mono(samples)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error
    return hearing.at_rate(waveform, own_rate, wanted=sampling_rate)


def write(path: Path, samples: NDArray[Any], sampling_rate: int, **settings: Any) -> None:
    """Write a recording.

    libsndfile does not say why it could not write a file, e.g. that the disk is full; Python does.

    Args:
        path: The file; its folder exists.
        samples: `(num_samples,)` or `(num_samples, num_channels)`.
        sampling_rate: In Hz.
        **settings: Of `soundfile.write`; `format` is one of them.
    """
    content = io.BytesIO()
    soundfile.write(content, samples, sampling_rate, **settings)
    path.write_bytes(content.getvalue())


def _content(path: Path) -> bytes:
    """Return the file's bytes, which are then both hashed and decoded."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise AudioError("missing: there is no such file") from error
    except OSError as error:
        raise AudioError(f"unreadable: the file cannot be opened ({error.strerror})") from error
    if not content:
        raise AudioError("empty: the file has 0 bytes")
    if content.startswith(b"version https://git-lfs"):
        raise AudioError("not audio: a Git LFS pointer; `git lfs pull` fetches the recording")
    return content


def _decode(content: bytes) -> tuple[NDArray[np.float32], int]:
    """Return samples `(num_samples, num_channels)` and their rate in Hz."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            sampling_rate: int = file.samplerate
            num_declared: int = file.frames
            if num_declared > _MAX_DURATION_S * sampling_rate:
                raise AudioError(
                    f"too long: the header declares {num_declared} samples at {sampling_rate} Hz; "
                    f"an utterance lasts {_MAX_DURATION_S} s at most"
                )
            samples: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        # Its str() shows the address of our buffer, another one in each run.
        raise AudioError(f"unreadable: not audio, or damaged ({error.error_string})") from error
    if reason := hearing.why_truncated(content, num_declared=num_declared, num_read=len(samples)):
        raise AudioError(reason)
    if len(samples) == 0:
        raise AudioError("empty: the file holds no samples")
    return samples, sampling_rate


def _mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over channels, `(num_samples,)`; refuse what is not a finite number."""
    waveform = hearing.mono(samples)
    # The sum is finite if all samples are, and far cheaper than a mask; only then count.
    with np.errstate(invalid="ignore"):  # inf - inf
        total = waveform.sum(dtype=np.float64)
    if not np.isfinite(total):
        num_bad = int(np.count_nonzero(~np.isfinite(waveform)))
        raise AudioError(f"damaged: {num_bad} of {len(waveform)} samples are NaN or infinite")
    return np.ascontiguousarray(waveform)


def _peak_dbfs(waveform: NDArray[np.float32]) -> float:
    """Return the largest magnitude in dB relative to full scale; -inf for digital silence."""
    peak = max(float(waveform.max()), -float(waveform.min()))
    return 20.0 * float(np.log10(peak)) if peak > 0.0 else float("-inf")


def _samples_sha256(waveform: NDArray[np.float32], sampling_rate: int) -> str:
    """Return the digest of what is heard, whatever the file's header and depth."""
    digest = hashlib.sha256(f"{sampling_rate} Hz float32 ".encode())
    # Adding zero turns -0.0, which only float files hold, into 0.0.
    digest.update((waveform + np.float32(0.0)).astype("<f4", copy=False).data)
    return digest.hexdigest()
