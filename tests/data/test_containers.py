"""A file that holds less than its header promises is refused, whatever its container."""

import io
import struct

import numpy as np
import pytest
import soundfile

from ser.data import containers, decoding
from ser.data.limits import RecordingLimits
from ser.errors import AudioError

RATE = 8000
LIMITS = RecordingLimits()
READ = [
    (container, codec)
    for container in containers.KNOWN
    if container in soundfile.available_formats()
    for codec in soundfile.available_subtypes(container)
]


def encoded(container, codec, *, num_channels=1):
    """A second of noise; None where libsndfile reads such a file and does not write one."""
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (RATE, num_channels))
    file = io.BytesIO()
    try:
        soundfile.write(file, samples, RATE, format=container, subtype=codec)
    except soundfile.SoundFileError:
        return None
    return file.getvalue()


WRITTEN = {f"{c}-{s}": content for c, s in READ if (content := encoded(c, s)) is not None}


def num_samples(content):
    return len(decoding.decode(content, LIMITS)[0])


def refusal(content):
    with pytest.raises(AudioError) as caught:
        decoding.decode(content, LIMITS)
    return str(caught.value)


def test_all_known_containers_are_tried():
    assert {name.partition("-")[0] for name in WRITTEN} == set(containers.KNOWN)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_whole_file_is_read_and_a_cut_one_is_not(name):
    content = WRITTEN[name]
    assert RATE <= num_samples(content) < RATE + 800  # codecs fill their last block
    for part in (0.3, 0.7, 0.95):
        message = refusal(content[: int(part * len(content))])
        assert message.startswith(("truncated", "unreadable", "empty")), message


@pytest.mark.parametrize("name", [n for n in WRITTEN if n.endswith("PCM_16") and "FLAC" not in n])
def test_two_missing_bytes_are_counted(name):
    assert "declares 2 more bytes of samples" in refusal(_end_of_samples(WRITTEN[name])[:-2])


def _end_of_samples(content):
    """A file up to its last sample: padding and further chunks may follow."""
    return content[: len(content) + containers.missing_bytes(content)]


@pytest.mark.parametrize(
    ("name", "place", "unknown"),
    [
        ("WAV-PCM_16", b"data", struct.pack("<I", 0xFFFFFFFF)),
        ("WAV-PCM_16", b"data", struct.pack("<I", 0x7FFFF000)),
        ("AU-PCM_16", b".snd\0\0\0\x18", struct.pack(">I", 0xFFFFFFFF)),
    ],
)
def test_a_stream_of_unknown_length_is_read_to_its_end(name, place, unknown):
    content = bytearray(WRITTEN[name])
    at = content.index(place) + len(place)
    content[at : at + 4] = unknown
    assert num_samples(bytes(content)) == RATE
    assert num_samples(bytes(content[:-2000])) == RATE - 1000


def test_a_wav_whose_length_was_never_filled_in_is_not_heard_as_nothing():
    content = bytearray(WRITTEN["WAV-PCM_16"])
    at = content.index(b"data") + 4
    content[at : at + 4] = bytes(4)
    assert refusal(bytes(content)) == "empty: the file holds no samples"


def test_a_caf_of_unknown_length_promises_nothing():
    content = bytearray(WRITTEN["CAF-PCM_16"])
    at = content.index(b"data") + 4
    content[at : at + 8] = b"\xff" * 8
    assert containers.missing_bytes(bytes(content)) == 0


def test_an_ogg_without_its_last_page_is_not_whole():
    content = WRITTEN["OGG-VORBIS"]
    message = refusal(content[: content.rindex(b"OggS")])
    assert "not marked as the end" in message
    assert "ffmpeg" in message


def test_tags_in_front_hide_no_missing_end():
    tagged = b"ID3\x04\0\0" + bytes([0, 0, 1, 2]) + bytes(130) + WRITTEN["WAV-PCM_16"]
    assert containers.missing_bytes(tagged) == 0
    assert containers.missing_bytes(tagged[:-100]) == 100
    # As many as a request can hold: they are passed over once, and not copied again and again.
    tags = b"ID3\x04\0\0\0\0\0\0" * 400_000
    assert containers.missing_bytes(tags + WRITTEN["WAV-PCM_16"][:-100]) == 100


def test_a_header_that_leads_to_no_samples_is_refused():
    content = WRITTEN["WAV-PCM_16"].replace(b"data", b"dato")
    with pytest.raises(AudioError, match="does not lead to its samples"):
        containers.missing_bytes(content)


@pytest.mark.parametrize("container", ["XI", "VOC", "AVR", "HTK", "SDS", "SVX", "MAT5", "PAF"])
def test_a_container_whose_end_cannot_be_checked_is_refused_by_name(container, capfd):
    content = encoded(container, soundfile.default_subtype(container))
    message = refusal(content)
    assert message.startswith("unreadable")
    assert "expected a whole file of WAV" in message or f"a {container} file" in message
    assert capfd.readouterr() == ("", "")
