"""What lies where in the folders of a corpus that ships, or that was fetched."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShippedCorpus:
    """A copy of a corpus that is part of the repository.

    Args:
        folder: Its folder.
    """

    folder: Path

    @property
    def recordings(self) -> Path:
        """Folder of the recordings, FLAC, each named by its utterance."""
        return self.folder / "flac"

    @property
    def digests(self) -> Path:
        """SHA-256 of the samples of every recording, as text."""
        return self.folder / "samples.sha256"

    @property
    def readme(self) -> Path:
        """Where it comes from and under which terms, for people."""
        return self.folder / "README.md"


@dataclass(frozen=True, slots=True)
class DownloadFolder:
    """Where a corpus is fetched to and unpacked.

    Args:
        folder: Its folder.
        archive_name: The archive's file name.
    """

    folder: Path
    archive_name: str

    @property
    def archive(self) -> Path:
        """The whole archive; nothing unverified has this name."""
        return self.folder / self.archive_name

    @property
    def part(self) -> Path:
        """The bytes that have come so far."""
        return self.folder / f"{self.archive_name}.part"

    @property
    def part_record(self) -> Path:
        """What they are the beginning of, JSON."""
        return self.folder / f"{self.archive_name}.part.json"

    @property
    def sha256(self) -> Path:
        """SHA-256 of the archive, as `sha256sum` writes it."""
        return self.folder / f"{self.archive_name}.sha256"

    @property
    def unpacked(self) -> Path:
        """Folder of the unpacked recordings."""
        return self.folder / "unpacked"

    @property
    def lock(self) -> Path:
        """Held by the one process that may write here."""
        return self.folder / ".download.lock"
