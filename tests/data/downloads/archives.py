"""Zip archives in memory: one as EmoDB is published, and whatever a test wants to be refused."""

import io
import random
import zipfile

#: Name -> bytes that do not compress, so that sizes and offsets are what they seem.
FILES = {
    "erkennung.txt": b"Satz;Erkannt\n",
    "wav/03a01Fa.wav": random.Random(0).randbytes(14_000),
    "wav/08a01Wa.wav": random.Random(1).randbytes(14_000),
    "wav/08a02Na.wav": random.Random(2).randbytes(14_000),
}


def member(name, *, mode=0o100644, date_time=(2005, 10, 1, 0, 0, 0)):
    """A member's entry with a fixed date, so that the same files give the same bytes."""
    info = zipfile.ZipInfo(name, date_time)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def archive(members):
    """Return the bytes of a zip archive.

    Args:
        members: Pairs of a name or an entry, and its content.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in members:
            made.writestr(member(name) if isinstance(name, str) else name, content)
    return buffer.getvalue()


EMODB = archive([("wav/", b""), *FILES.items()])
