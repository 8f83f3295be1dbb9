"""A zip archive of recordings, distrusted: checked whole before a byte is written."""

import shutil
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ser import files
from ser.data.downloads import disk_space
from ser.errors import DownloadError, translating

#: A member that grows more than this is no recording: speech shrinks to a third at best,
#: silence and text further.
MAX_RATIO = 200
#: Smaller members may grow as they like, in bytes.
HARMLESS_BYTES = 1 << 20

_ENCRYPTED = 0x1
_NUM_NAMED = 5
_NO_ARCHIVE = "it is no whole zip archive"


def fault(archive: Path) -> str | None:
    """Return why a file is no archive to be trusted, or None; every member is read."""
    try:
        with _opened(archive) as opened:
            wrong = _wrong(opened, archive)
            with translating(lambda error: DownloadError(f"{_NO_ARCHIVE} ({error})")):
                damaged = None if wrong else opened.testzip()
    except DownloadError as error:
        return str(error).removeprefix(f"{archive}: ")
    return wrong or (f"its member {damaged} is damaged" if damaged else None)


def is_unpacked(archive: Path, folder: Path) -> bool:
    """Return whether every file of an archive lies in a folder, with its size.

    Raises:
        DownloadError: The archive is damaged, or has members that must not be unpacked.
    """
    with _opened(archive) as opened:
        wanted = _sizes(_checked(opened, archive))
    return wanted.items() <= _present(folder).items()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive as a folder, which is there whole or not at all.

    Args:
        archive: A verified archive.
        folder: Where its content shall be; what an earlier call left there is replaced.

    Raises:
        DownloadError: The archive is damaged or has members that must not be unpacked; the
            folder holds files of others; the disk is too small.
    """
    with _opened(archive) as opened:
        members = _checked(opened, archive)
        sizes = _sizes(members)
        _refuse_strangers(folder, sizes)
        disk_space.require(folder.parent, sum(sizes.values()), f"to unpack {archive.name}")
        with files.replacing_folder(folder) as part:
            for member in members:
                _extract(opened, member, part)


def _opened(archive: Path) -> zipfile.ZipFile:
    with translating(lambda error: DownloadError(f"{archive}: {_NO_ARCHIVE} ({error})")):
        return zipfile.ZipFile(archive)


def _checked(opened: zipfile.ZipFile, archive: Path) -> Sequence[zipfile.ZipInfo]:
    """Return the members, or refuse them all."""
    if wrong := _wrong(opened, archive):
        raise DownloadError(f"{archive}: {wrong}")
    return opened.infolist()


def _wrong(opened: zipfile.ZipFile, archive: Path) -> str | None:
    """Return which members must not be unpacked and why, or None."""
    members = opened.infolist()
    wrong = [*_bad_members(members)] or [*_bad_layout(members, archive.stat().st_size)]
    if not wrong:
        return None
    listed = "\n".join(f"  {line}" for line in wrong[:_NUM_NAMED])
    more = f"\n  and {len(wrong) - _NUM_NAMED} more" if len(wrong) > _NUM_NAMED else ""
    return f"it is not unpacked, because of\n{listed}{more}"


def _bad_members(members: Sequence[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield name and fault of each member that is refused by itself."""
    for member in members:
        reasons = {
            "its path leaves the folder": _leaves(member.orig_filename),
            "it is a link or a device": stat.S_IFMT(member.external_attr >> 16)
            not in (0, stat.S_IFREG, stat.S_IFDIR),
            "it is encrypted": bool(member.flag_bits & _ENCRYPTED),
            f"it is compressed by method {member.compress_type}": member.compress_type
            not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            f"it grows from {member.compress_size} to {member.file_size} bytes": (
                member.file_size > max(HARMLESS_BYTES, MAX_RATIO * member.compress_size)
            ),
        }
        yield from (
            f"{member.orig_filename!r}: {reason}" for reason, holds in reasons.items() if holds
        )


def _bad_layout(members: Sequence[zipfile.ZipInfo], num_bytes: int) -> Iterator[str]:
    """Yield what is wrong with members taken together: shared names, shared bytes."""
    names = Counter(PurePosixPath(member.filename) for member in members)
    yield from (
        f"'{name}': it is there {count} times" for name, count in names.items() if count > 1
    )
    file_names = {PurePosixPath(member.filename) for member in members if not member.is_dir()}
    parents = {parent for name in names for parent in name.parents}
    yield from (f"'{name}': it is a file and a folder" for name in sorted(file_names & parents))
    ordered = sorted(members, key=lambda member: member.header_offset)
    ends = [*(member.header_offset for member in ordered[1:]), num_bytes]
    yield from (
        f"{member.orig_filename!r}: its bytes are not its own"
        for member, end in zip(ordered, ends, strict=False)
        if member.header_offset < 0 or member.header_offset + member.compress_size > end
    )


def _leaves(name: str) -> bool:
    """Return whether a member's path is not plainly below the folder, on any system."""
    path = PurePosixPath(name)
    return (
        path.is_absolute()
        or not path.parts
        or ".." in path.parts
        or "\\" in name
        or ":" in path.parts[0]
        or not name.isprintable()
    )


def _extract(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one member; its mode is not taken over."""
    target = folder / PurePosixPath(member.filename)
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    where = f"{opened.filename}: member {member.filename}"
    with (
        translating(lambda error: DownloadError(f"{where}: {error}")),
        opened.open(member) as source,
        target.open("xb") as written,
    ):
        shutil.copyfileobj(source, written, 1 << 20)
    if target.stat().st_size != member.file_size:
        raise DownloadError(f"{where}: {target.stat().st_size} bytes, expected {member.file_size}")


def _sizes(members: Sequence[zipfile.ZipInfo]) -> Mapping[str, int]:
    """Return path -> size in bytes of all files among the members."""
    return {
        PurePosixPath(member.filename).as_posix(): member.file_size
        for member in members
        if not member.is_dir()
    }


def _present(folder: Path) -> Mapping[str, int]:
    """Return path -> size in bytes of all files and links below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.lstat().st_size
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def _refuse_strangers(folder: Path, sizes: Mapping[str, int]) -> None:
    """Refuse to replace a folder with something in it that the archive did not bring."""
    strangers = sorted(_present(folder).keys() - sizes.keys())
    if folder.is_symlink() or folder.is_file() or strangers:
        held = (
            f"holds {len(strangers)} other files, e.g. {strangers[0]}" if strangers else "is none"
        )
        raise DownloadError(
            f"{folder}: the folder of the unpacked archive {held}; move it away, or say another "
            "place with --to PATH"
        )
