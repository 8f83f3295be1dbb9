import hashlib
import struct

import numpy as np
import pytest
import soundfile

from ser.corpus_folders import ShippedCorpus
from ser.data import shipping
from ser.data.corpora import emodb
from ser.errors import AudioError, CorpusError, FileError
from ser.project import Project
from tests.data.corpora.support import touch

PARTIAL = emodb.Params(allow_partial=True)
RATE = 16000


@pytest.fixture(scope="module")
def shipped(project):
    return Project(project).shipped("emodb")


def samples(seed):
    """Half a second of noise that reaches both ends of 16 bits."""
    noise = np.random.default_rng(seed).integers(-3000, 3000, RATE // 2)
    return np.concatenate([noise, [-32768, 32767]]).astype(np.int16)


@pytest.fixture
def published(tmp_path):
    """Three WAV files named as EmoDB names them; the last one has a header of 4096 bytes."""
    folder = tmp_path / "published" / "wav"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("03a01Fa", "08a01Wb", "14a07Na")):
        soundfile.write(folder / f"{name}.wav", samples(seed), RATE, subtype="PCM_16")
    path = folder / "14a07Na.wav"
    content = path.read_bytes()
    padding = b"PAD " + struct.pack("<I", 4096 - 52) + bytes(4096 - 52)
    path.write_bytes(content[:36] + padding + content[36:])
    return folder.parent


@pytest.fixture
def copy(tmp_path):
    return ShippedCorpus(tmp_path / "copy")


def test_the_copy_holds_the_samples_of_the_originals(published, copy):
    assert shipping.make(published, copy, params=PARTIAL) == 3
    expected = {name: samples(seed) for seed, name in enumerate(("03a01Fa", "08a01Wb", "14a07Na"))}
    for name, wanted in expected.items():
        found, rate = soundfile.read(copy.recordings / f"{name}.flac", dtype="int16")
        assert rate == RATE
        np.testing.assert_array_equal(found, wanted)
    lines = copy.digests.read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256(expected[name].tobytes()).hexdigest()}  {name}" for name in expected
    ]
    assert copy.readme.read_text() == shipping.README


def test_the_copy_has_the_same_bytes_every_time_and_takes_the_place_of_an_old_one(published, copy):
    def content():
        return {path.name: path.read_bytes() for path in copy.folder.rglob("*") if path.is_file()}

    shipping.make(published, copy, params=PARTIAL)
    first = content()
    touch(copy.recordings, "08b01Wb.flac")
    shipping.make(published, copy, params=PARTIAL)
    assert content() == first


def test_an_encoding_that_loses_something_is_refused_and_the_old_copy_stays(
    published, copy, monkeypatch
):
    shipping.make(published, copy, params=PARTIAL)
    write = soundfile.write
    monkeypatch.setattr(
        soundfile, "write", lambda path, data, *a, **k: write(path, data & ~1, *a, **k)
    )
    with pytest.raises(CorpusError, match=r"3 recordings .*03a01Fa, 08a01Wb, 14a07Na"):
        shipping.make(published, copy, params=PARTIAL)
    shipping.check(copy)
    assert [path.name for path in copy.folder.parent.glob(".*")] == []


def test_other_than_all_published_recordings_are_refused(published, copy):
    with pytest.raises(CorpusError, match="3 utterances, expected 535"):
        shipping.make(published, copy, params=emodb.Params())
    touch(published, "wav/notes.wav")
    with pytest.raises(CorpusError, match=r"notes\.wav"):
        shipping.make(published, copy, params=PARTIAL)
    assert not copy.folder.exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"samplerate": 8000, "subtype": "PCM_16"}, "8000 Hz, 1 channels, PCM_16"),
        ({"samplerate": RATE, "subtype": "PCM_24"}, "16000 Hz, 1 channels, PCM_24"),
    ],
)
def test_a_recording_that_flac_of_16_bit_cannot_hold_whole_is_refused(
    published, copy, options, told
):
    soundfile.write(published / "wav" / "03a01Fa.wav", samples(0), **options)
    with pytest.raises(AudioError, match=rf"03a01Fa\.wav: {told}; expected 16000 Hz, 1 channel"):
        shipping.make(published, copy, params=PARTIAL)
    assert not copy.folder.exists()


@pytest.mark.parametrize("change", ["other", "missing", "additional", "unlisted"])
def test_a_copy_that_differs_from_its_table_is_refused_by_name(published, copy, change):
    shipping.make(published, copy, params=PARTIAL)
    path = copy.recordings / "08a01Wb.flac"
    if change == "other":
        heard = samples(1)
        heard[7] += 1
        soundfile.write(path, heard, RATE, subtype="PCM_16")
    elif change == "missing":
        path.unlink()
    elif change == "additional":
        path.replace(copy.recordings / "08a01Wc.flac")
    else:
        digests = shipping.read_digests(copy.digests)
        del digests["08a01Wb"]
        shipping.write_digests(copy.digests, digests)
    with pytest.raises(CorpusError, match=r"flac: [12] recordings .*: 08a01Wb[;,].*git checkout"):
        shipping.check(copy)


def test_a_damaged_recording_or_table_is_said_with_its_file(published, copy):
    shipping.make(published, copy, params=PARTIAL)
    (copy.recordings / "08a01Wb.flac").write_bytes(b"fLaC and no more")
    with pytest.raises(AudioError, match=r"08a01Wb\.flac: not audio, or damaged"):
        shipping.check(copy)
    copy.digests.write_text("0123  03a01Fa\n0123\n")
    with pytest.raises(FileError, match=r"samples\.sha256:2: expected `<digest>  <id>`, got"):
        shipping.check(copy)
    copy.digests.unlink()
    with pytest.raises(FileError, match="no such file"):
        shipping.check(copy)


def test_the_program_refuses_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert shipping.main([str(tmp_path / "gone")]) == 1
    assert "gone: is not a folder" in capsys.readouterr().err


# ---- what is committed


@pytest.mark.emodb
def test_all_shipped_recordings_decode_to_the_samples_of_the_table(shipped):
    shipping.check(shipped)
    digests = shipping.read_digests(shipped.digests)
    assert len(digests) == 535
    assert len(set(digests.values())) == 535


@pytest.mark.emodb
def test_the_table_is_that_of_the_recordings_at_hand(shipped, emodb_recordings):
    """The published WAV files where this machine has them; their samples are cut out by hand."""
    found = {path.stem: hashlib.sha256(raw(path)).hexdigest() for path in emodb_recordings}
    assert found == shipping.read_digests(shipped.digests)


def raw(path):
    """The bytes of the samples of a recording, of a WAV without any library."""
    if path.suffix == ".flac":
        return soundfile.read(path, dtype="int16")[0].tobytes()
    content, position = path.read_bytes(), 12
    while True:
        name, num_bytes = struct.unpack_from("<4sI", content, position)
        position += 8
        if name == b"data":
            return content[position : position + num_bytes]
        position += num_bytes + num_bytes % 2


@pytest.mark.emodb
def test_the_program_makes_the_committed_bytes(shipped, emodb_recordings, copy, tmp_path):
    """From a handful of recordings, those with the long header among them."""
    wanted = {"03a01Fa", "09b03Ed", "14a07Aa", "14a07Wc", "16b10Wb"}
    (tmp_path / "wav").mkdir()
    for path in emodb_recordings:
        if path.stem in wanted:
            (tmp_path / "wav" / path.name).symlink_to(path)
    assert shipping.make(tmp_path, copy, params=PARTIAL) == len(wanted)
    for name in sorted(wanted):
        made, committed = (folder.recordings / f"{name}.flac" for folder in (copy, shipped))
        assert made.read_bytes() == committed.read_bytes(), name
    assert copy.readme.read_bytes() == shipped.readme.read_bytes()


def test_the_page_beside_the_recordings_names_both_licences_and_the_paper():
    for licence in ("CC0-1.0", "CC BY 4.0"):
        assert licence in shipping.README
        assert licence in emodb.EmoDB.licence
    for author in ("Burkhardt", "Paeschke", "Rolfes", "Sendlmeier", "Weiss"):
        assert author in shipping.README
    assert "Interspeech 2005" in shipping.README


@pytest.mark.emodb
def test_the_corpus_of_a_fresh_checkout_is_the_copy(project, shipped):
    link = Project(project).raw("emodb")
    assert link.readlink().as_posix() == "../shipped/emodb"
    parsed = emodb.build(emodb.Params()).parse(link)
    assert {item.audio for item in parsed.annotations} == {
        path.relative_to(shipped.folder).as_posix() for path in shipped.recordings.iterdir()
    }
