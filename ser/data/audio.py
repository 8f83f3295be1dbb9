"""Open recordings: check that one is usable, and read it as a mono waveform."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser.data import decoding, hearing, limits
from ser.data.decoding import Decoder
from ser.data.limits import WIDEST, RecordingLimits
from ser.errors import AudioError
from ser.utterance import Annotation, Segment


@dataclass(frozen=True, slots=True)
class Recording:
    """What a usable audio file, or a part of it, holds.

    Args:
        sha256: Of the file's bytes, hexadecimal; of a part, `samples_sha256`.
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


def inspect(path: Path, allowed: RecordingLimits, segment: Segment | None = None) -> Recording:
    """Open a recording once, and refuse it if speech cannot be learnt from it.

    It is never in memory as a whole once it is decoded; of a part, neither is the file.

    Args:
        path: A file of `ser.data.containers.KNOWN`.
        allowed: What it, or the part of it, may be.
        segment: The part of it that is the utterance; None for the whole.

    Returns:
        Its digests and sizes.

    Raises:
        AudioError: The file is missing, empty, not audio, truncated, without samples, not
            within the limits, silent, or holds NaN, infinite or absurd samples; the part
            reaches beyond its end. The message is the reason alone, without the path, so that
            it is the same on every machine.
    """
    if segment is not None:
        with decoding.opened(path, allowed, segment=segment) as decoder:
            return _inspected(decoder, allowed, sha256=None)
    content = decoding.content_of(path, allowed)
    digest = hashlib.sha256(content).hexdigest()
    return _inspected(decoding.Decoder(content, allowed), allowed, sha256=digest)


def _inspected(decoder: Decoder, allowed: RecordingLimits, *, sha256: str | None) -> Recording:
    """Return what a decoder yields; without a digest of the file, that of the samples is both."""
    # What is heard, whatever the file's header and depth.
    digest = hashlib.sha256(f"{decoder.sampling_rate} Hz float32 ".encode())
    for block in decoder.blocks():
        with np.errstate(invalid="ignore"):  # NaNs are refused after the last block
            # Adding zero turns -0.0, which only float files hold, into 0.0.
            heard = block + np.float32(0.0)
        digest.update(np.ascontiguousarray(heard, "<f4").data)
    limits.check_speech(decoder.num_samples, decoder.sampling_rate, decoder.peak, allowed)
    return Recording(
        sha256=sha256 or digest.hexdigest(),
        samples_sha256=digest.hexdigest(),
        num_samples=decoder.num_samples,
        sampling_rate=decoder.sampling_rate,
        num_channels=decoder.num_channels,
        duration_s=decoder.num_samples / decoder.sampling_rate,
    )


def read(path: Path, *, sampling_rate: int, segment: Segment | None = None) -> NDArray[np.float32]:
    """Read a recording, or a part of it, as a mono waveform at a wanted rate.

    Channels are averaged; the rate is changed by soxr at its quality HQ. Recordings of a corpus
    were held to its limits when the manifest was made; here only the widest limits hold.

    Args:
        path: A file of `ser.data.containers.KNOWN`.
        sampling_rate: Wanted, in Hz.
        segment: The part that is wanted; None for the whole.

    Returns:
        Waveform, `(num_samples,)`, full scale is [-1, 1].

    Raises:
        AudioError: The file is missing, empty, not audio, truncated, without samples, or holds
            NaN, infinite or absurd samples; the part reaches beyond its end. The message names
            the file.
    """
    try:
        waveform, rate = _samples(path, segment)
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error
    return hearing.at_rate(waveform, rate, wanted=sampling_rate)


def read_utterance(root: Path, utterance: Annotation, *, sampling_rate: int) -> NDArray[np.float32]:
    """Read what an utterance is: its recording, or its part of one; see `read`.

    Args:
        root: The corpus' folder.
        utterance: Names the recording and the part.
        sampling_rate: Wanted, in Hz.
    """
    path = root / utterance.audio
    return read(path, sampling_rate=sampling_rate, segment=utterance.segment)


def _samples(path: Path, segment: Segment | None) -> tuple[NDArray[np.float32], int]:
    """Return a waveform at its own rate, and the rate."""
    if segment is None:
        waveform, decoder = decoding.decode(decoding.content_of(path, WIDEST), WIDEST)
        return waveform, decoder.sampling_rate
    with decoding.opened(path, WIDEST, segment=segment) as decoder:
        return decoding.waveform_of(decoder), decoder.sampling_rate


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
