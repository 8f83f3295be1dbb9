"""The section of the surest mistakes: what is shown of each, and how it can be heard."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from ser import lineage
from ser.data import audio
from ser.data.limits import WIDEST
from ser.errors import AudioError
from ser.evaluation.mistakes import Mistake, SurestMistakes
from ser.utterance import Utterance

#: Longer recordings stay outside the page: ten of this length are 6 MB at 16 kHz before FLAC
#: makes about half of it.
MAX_DURATION_S = 20.0
_MAX_INT16 = 2**15


@dataclass(frozen=True, slots=True)
class Heard:
    """One mistake with its recording.

    Args:
        mistake: What was taken for what.
        sound: The recording as a `data:` address of FLAC; None where it is not on the page.
        silence: Why it is not, a few words; empty where the page holds it, or where the
            licence keeps all of them out.
    """

    mistake: Mistake
    sound: str | None
    silence: str = ""


@dataclass(frozen=True, slots=True)
class MistakesSection:
    """What the page shows of the surest mistakes.

    Args:
        cell: `<model>-<loss>`.
        found: The mistakes, and out of how many.
        heard: The same mistakes in the same order, each with its recording.
        allowed: Whether the corpus' terms let the page hold recordings.
    """

    cell: str
    found: SurestMistakes
    heard: tuple[Heard, ...]
    allowed: bool

    @property
    def any_silent(self) -> bool:
        """Whether a recording is missing that the page could hold."""
        return any(one.silence for one in self.heard)


def section(cell: str, found: SurestMistakes, recordings: Path | None) -> MistakesSection:
    """Return the section.

    Args:
        cell: `<model>-<loss>`.
        found: See `ser.evaluation.mistakes.find`.
        recordings: Folder of the corpus; None where its terms keep recordings out of the
            page, and then no file is opened.
    """
    heard = tuple(
        Heard(mistake, None) if recordings is None else _hear(mistake, recordings)
        for mistake in found.mistakes
    )
    return MistakesSection(cell, found, heard, recordings is not None)


def _hear(mistake: Mistake, recordings: Path) -> Heard:
    """Return a mistake with its recording, or with the reason why there is none."""
    utterance = mistake.utterance
    path = recordings / utterance.audio
    if utterance.duration_s > MAX_DURATION_S:
        return Heard(mistake, None, f"longer than {MAX_DURATION_S:g} s")
    if not path.is_file():
        return Heard(mistake, None, "not on this disk")
    try:
        if _digest(utterance, path) != utterance.sha256:
            return Heard(mistake, None, "not the recording of the manifest")
        return Heard(mistake, _as_address(utterance, recordings))
    except AudioError:
        return Heard(mistake, None, "cannot be read")


def _digest(utterance: Utterance, path: Path) -> str:
    """Return the digest of a recording, or of its part, as the manifest has it."""
    if utterance.segment is None:
        return lineage.sha256_file(path)
    return audio.inspect(path, WIDEST, utterance.segment).sha256


def _as_address(utterance: Utterance, recordings: Path) -> str:
    """Return a recording as FLAC of one channel and 16 bit at its own rate, for a player.

    Samples of 16 bit are kept number by number. FLAC is what current browsers play
    without loss. Nothing but samples is copied: no tags, no pictures.
    """
    waveform = audio.read_utterance(recordings, utterance, sampling_rate=utterance.sampling_rate)
    samples = np.rint(waveform * _MAX_INT16).clip(-_MAX_INT16, _MAX_INT16 - 1).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, utterance.sampling_rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode()
