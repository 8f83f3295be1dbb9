"""Recordings and tables that are wrong in a way drawn at random, reproducible by a number."""

import io
from functools import cache

import numpy as np
import soundfile

RATE = 8000
TABLE = b"""path,label,speaker,gender,session,text,valence
a.wav,angry,s1,female,1,"Well, no.",1.5
b.wav,sad,s2,male,1,,
c.wav,happy,s3,f,2,Hm.,5
d.wav,neutral,s4,m,2,,3
"""
_ODD_CELLS = (
    "", "a" * 300, "a" * 200_000, "../a.wav", "/dev/zero", "/", ".", "\0", "\n", '"', "\udcff",
    "nan", "inf", "1e999", "-1", "9" * 5000, "True", "\N{RIGHT-TO-LEFT OVERRIDE}a", "start",
    "split", "=1+1", "\N{COMBINING ACUTE ACCENT}" * 50, "\u2028", "b.wav",
)  # fmt: skip
#: What fields of headers are overwritten with: the ends of their ranges.
_EXTREMES = (
    b"\0" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\1\0\0\0",
    b"\0\0\0\1",
)
_HEAD_BYTES = 128


@cache
def originals() -> dict[str, bytes]:
    """Return a whole recording in each container and codec that libsndfile writes here."""
    time = np.arange(RATE // 3) / RATE
    speech = 0.3 * np.sin(2 * np.pi * 200 * time) * np.sin(2 * np.pi * 3 * time)
    found = {}
    # SD2 is half in a file `._` beside it, which libsndfile writes to the current folder.
    for container in sorted({*soundfile.available_formats()} - {"SD2", "RAW"}):
        for codec in soundfile.available_subtypes(container):
            file = io.BytesIO()
            try:
                soundfile.write(file, speech, RATE, format=container, subtype=codec)
            except (soundfile.SoundFileError, ValueError, TypeError):
                continue  # a codec that is read only, or not at this rate
            found[f"{container}-{codec}"] = file.getvalue()
    return found


def recording(rng: np.random.Generator) -> tuple[str, bytes]:
    """Return a damaged recording and the name of what it was."""
    names = list(originals())
    name, donor = (names[int(rng.integers(len(names)))] for _ in range(2))
    data = bytearray(originals()[name])
    for _ in range(int(rng.integers(1, 4))):
        damage(data, originals()[donor], rng)
    return name, bytes(data)


def table(rng: np.random.Generator) -> bytes:
    """Return a damaged table."""
    if rng.random() < 0.5:
        data = bytearray(TABLE)
        for _ in range(int(rng.integers(1, 4))):
            damage(data, TABLE, rng)
        return bytes(data)
    rows = [line.split(",") for line in TABLE.decode().splitlines()]
    for _ in range(int(rng.integers(1, 4))):
        row = rows[int(rng.integers(len(rows)))]
        row[int(rng.integers(len(row)))] = _ODD_CELLS[int(rng.integers(len(_ODD_CELLS)))]
    text = "\n".join(",".join(row) for row in rows)
    return text.encode("utf-8", "surrogateescape")


def damage(data: bytearray, donor: bytes, rng: np.random.Generator) -> None:
    """Flip, cut, insert, splice or overwrite bytes in place, the header most of all."""
    kind, at = int(rng.integers(6)), int(rng.integers(len(data) + 1))
    if kind == 0 and data:
        for place in rng.integers(len(data), size=int(rng.integers(1, 20))):
            data[int(place)] ^= int(rng.integers(1, 256))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:at] = rng.bytes(int(rng.integers(1, 200)))
    elif kind == 3:
        data[at:] = donor[int(rng.integers(len(donor))) :]
    else:
        at = int(rng.integers(_HEAD_BYTES))
        extreme = _EXTREMES[int(rng.integers(len(_EXTREMES)))]
        data[at : at + 4] = extreme if kind == 4 else rng.bytes(4)
