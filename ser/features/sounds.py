"""What can be heard beside the utterances of a corpus: its own voices, and sounds of the user.

The user's noises and impulse responses lie in folders of `data/sounds`, which DVC watches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path

from ser import lineage
from ser.data import audio
from ser.data.voices import Voices
from ser.errors import AudioError, FileError, ParamsError
from ser.features import copies
from ser.features.changes._base import Samples, Sound
from ser.utterance import Segment, Utterance

_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3"})
_KEPT_VOICES, _KEPT_FILES = 1024, 8
"""How many are kept in memory: a session's voices, which all of it hears; files may be long."""


class CorpusSounds:
    """The sounds of one corpus and of the user, read at one rate.

    Args:
        utterances: The whole manifest.
        root: The corpus root that the manifest's paths are relative to.
        folder: `data/sounds`.
        noise_folder: The folder in it that noises are taken from, or None.
        sampling_rate: In Hz.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        *,
        root: Path,
        folder: Path,
        noise_folder: str | None,
        sampling_rate: int,
    ) -> None:
        self.root, self.folder, self.noise_folder = root, folder, noise_folder
        self.sampling_rate, self.utterances = sampling_rate, utterances
        self._voice = lru_cache(_KEPT_VOICES)(self._read_voice)
        self._file = lru_cache(_KEPT_FILES)(self._read)
        self._files_in = lru_cache(None)(self._list_files)
        self._sha256_of = lru_cache(None)(self._digest)

    @cached_property
    def _voices(self) -> Voices:
        return Voices(self.utterances)

    def beside(self, utterance: Utterance) -> "SoundsBeside":
        """Return what can be heard beside an utterance."""
        return SoundsBeside(utterance, self)

    def voices(self, utterance: Utterance) -> list[Sound]:
        """Return the recordings that may be mixed into an utterance; see `ser.data.voices`.

        Raises:
            CorpusError: There are none.
        """
        behind = self._voices.behind(utterance)
        # Few of many are drawn: their paths are made when they are read.
        return [partial(self._voice, other.audio, other.segment) for other in behind]

    def noises(self) -> list[Sound]:
        """Return the noises in `noise_folder`.

        Raises:
            ParamsError: No folder is named.
            FileError: The folder is not there, or holds none.
        """
        return self.files(self._noises)

    def files(self, name: str) -> list[Sound]:
        """Return the sounds of a folder, in order of their paths.

        Raises:
            FileError: The folder is not there, or holds none.
        """
        return [partial(self._file, path) for path in self._files_in(name)]

    def heard_in(self, copy: str) -> dict[str, str] | None:
        """Return the `kind` and one `sha256` of all that a copy may hear, or None.

        Raises:
            ParamsError: A copy with noises is asked for, and no folder is named.
            FileError: A folder is not there, or holds no sounds.
        """
        kind, value = copies.heard_in(copy)
        if kind is None:
            return None
        if kind == "voices":
            return {"kind": kind, "sha256": self._sha256_of(None)}
        name = value if kind == "impulses" else self._noises
        return {"kind": kind, "sha256": self._sha256_of(name)}

    def _digest(self, name: str | None) -> str:
        """Return the digest of a folder's sounds, or of all voices for None."""
        if name is None:
            told: object = sorted([u.id, u.speaker, u.session, u.sha256] for u in self.utterances)
        else:
            paths = [path.relative_to(self.folder) for path in self._files_in(name)]
            told = lineage.file_digests(self.folder, paths)
        return lineage.sha256_text(lineage.canonical_json(told))

    @property
    def _noises(self) -> str:
        if self.noise_folder is None:
            raise ParamsError(
                f"audio.noise_folder is null, and a copy noisefile_<SNR>db needs noises; put them "
                f"into a folder of {self.folder} and name it there"
            )
        return self.noise_folder

    def _list_files(self, name: str) -> tuple[Path, ...]:
        place = self.folder / name
        found = sorted(path for path in place.rglob("*") if path.suffix.lower() in _SUFFIXES)
        if not found:
            suffixes = ", ".join(sorted(_SUFFIXES))
            raise FileError(
                f"{place}: no such folder, or none of its files is a sound ({suffixes}); "
                f"copy some there"
            )
        return tuple(found)

    def _read_voice(self, name: str, segment: Segment | None) -> Samples:
        return self._read(self.root / name, segment)

    def _read(self, path: Path, segment: Segment | None = None) -> Samples:
        sound = audio.read(path, sampling_rate=self.sampling_rate, segment=segment)
        if not sound.any():
            raise AudioError(f"{path}: digital silence, which nothing can be mixed with; remove it")
        sound.setflags(write=False)
        return sound


@dataclass(frozen=True, slots=True)
class SoundsBeside:
    """What can be heard beside one utterance: `ser.features.changes._base.Sounds`.

    Args:
        utterance: The utterance.
        corpus: Where the sounds are.
    """

    utterance: Utterance
    corpus: CorpusSounds

    def voices(self) -> Sequence[Sound]:
        """Return the recordings that may be mixed into the utterance."""
        return self.corpus.voices(self.utterance)

    def noises(self) -> Sequence[Sound]:
        """Return the noises of the user."""
        return self.corpus.noises()

    def impulses(self, folder: str) -> Sequence[Sound]:
        """Return the impulse responses of a folder of the user."""
        return self.corpus.files(folder)
