"""Where the publishers of the corpora keep them, and how to get those that no command can fetch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ser import components
from ser.contracts import Corpus
from ser.errors import DownloadError

Algorithm = Literal["md5", "sha256"]


@dataclass(frozen=True, slots=True)
class Digest:
    """What the bytes of a file come to.

    Args:
        algorithm: How it is computed.
        value: Hexadecimal, lower case.
    """

    algorithm: Algorithm
    value: str


@dataclass(frozen=True, slots=True)
class PublishedArchive:
    """A zip archive as its publisher offers it.

    Args:
        url: The file.
        name: Its name on the disk.
        page: The page that a person opens to get it.
        size: For people, e.g. `about 40 MB`.
        num_bytes: As published, or None where the publisher does not state it.
        digest: As published, or None where the publisher does not state one.
    """

    url: str
    name: str
    page: str
    size: str
    num_bytes: int | None = None
    digest: Digest | None = None


#: Corpus -> its archive. A digest stands here only where the publisher states it.
ARCHIVES: Mapping[str, PublishedArchive] = {
    "emodb": PublishedArchive(
        url="http://emodb.bilderbar.info/download/download.zip",
        name="download.zip",
        page="http://emodb.bilderbar.info/download/",
        size="about 40 MB",
    ),
    "ravdess": PublishedArchive(
        url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        name="Audio_Speech_Actors_01-24.zip",
        page="https://zenodo.org/records/1188976",
        size="208 MB",
        num_bytes=208_468_073,
        digest=Digest("md5", "bc696df654c87fed845eb13823edef8a"),
    ),
}

#: Corpus -> how a person gets it.
BY_HAND: Mapping[str, str] = {
    "cremad": (
        "its recordings are kept in Git LFS, and there is no archive of them with a published "
        "digest. With git and git-lfs, run `git clone --depth 1 -c 'lfs.fetchinclude=AudioWAV/*' "
        "https://github.com/CheyneyComputerScience/CREMA-D PATH`, then `ser link-corpus cremad "
        "PATH`. Where GitHub answers that the repository exceeded its LFS budget, clone its "
        "authors' mirror in the same way: https://gitlab.com/cs-cooper-lab/crema-d-mirror"
    ),
    "csv": (
        "it is your own table of recordings (docs/corpora/csv.md), to which params.yaml gives a "
        "name; `ser link-corpus NAME PATH` links the folder"
    ),
    "demo": "it is synthetic; `ser demo-corpus` writes it",
    "iemocap": (
        "the University of Southern California gives it to those who sign its release form. Ask "
        "for it at https://sail.usc.edu/iemocap/iemocap_release.htm, unpack what you are sent, "
        "then `ser link-corpus iemocap PATH`"
    ),
}


def archive_of(corpus: str) -> PublishedArchive:
    """Return where a corpus is published.

    Args:
        corpus: Name of its parser.

    Raises:
        DownloadError: No command can fetch it; the message says how to get it, or which
            corpora can be fetched.
    """
    if corpus in ARCHIVES:
        return ARCHIVES[corpus]
    if corpus in BY_HAND:
        raise DownloadError(f"{corpus}: this command cannot fetch it: {BY_HAND[corpus]}")
    if corpus in components.names(components.CORPORA):
        raise DownloadError(
            f"{corpus}: this command does not know where it is published; "
            f"`ser link-corpus {corpus} PATH` links a folder that you have"
        )
    raise DownloadError(
        f"{corpus}: no corpus of this name can be downloaded; there are: {', '.join(ARCHIVES)}. "
        f"Of {', '.join(BY_HAND)} the command says how to get them"
    )


def cure(corpus: str) -> str:
    """Return what to do where the command cannot fetch an archive, for messages."""
    return (
        f"or get it by hand from {ARCHIVES[corpus].page}, unpack it, and run "
        f"`ser link-corpus {corpus} PATH`"
    )


def terms(corpus: str) -> str:
    """Return under which terms a corpus may be used, for the person who fetches it.

    Args:
        corpus: A key of `ARCHIVES`.
    """
    component = components.load(components.CORPORA, corpus)
    parser: Corpus = component.build(component.Params())
    archive = ARCHIVES[corpus]
    return (
        f"{corpus}, published at {archive.page}\n"
        f"  licence: {parser.licence}\n"
        f"  cite:    {parser.citation}\n"
        f"  size:    {archive.size} to fetch, and again as much or more to unpack"
    )
