"""Make the copy of EmoDB that ships with the project: every sample of the published WAV files.

For maintainers, and only when the copy changes: `python -m ser.data.shipping PATH`, where
PATH holds the published `wav/`. The module lies beside the parser and the intake that it
uses; no stage and no command imports it.
"""

import argparse
import hashlib
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser import files, runtime
from ser.corpus_folders import ShippedCorpus
from ser.data import audio, intake
from ser.data.corpora import emodb
from ser.errors import AudioError, CorpusError, FileError
from ser.project import Project

logger = logging.getLogger("shipping")

#: What a recording of EmoDB is: rate in Hz, channels, and samples that int16 and FLAC hold whole.
_SAMPLING_RATE = 16000
_FORM = (_SAMPLING_RATE, 1, "PCM_16")

#: FLAC's level 8, the smallest files; libsndfile counts from 0 to 1.
_COMPRESSION = 1.0

_NUM_NAMED = 5

README = """\
# EmoDB, the Berlin Database of Emotional Speech

535 recordings of acted German speech: ten actors, ten sentences, seven emotions. 16 kHz, mono,
16 bit.

- `flac/<id>.flac` are the published WAV files as FLAC. Nothing was cut, filtered, resampled or
  changed in level: the decoded samples are the published ones, number by number.
- `samples.sha256` has the SHA-256 of the samples of each published WAV file, as 16-bit integers,
  little-endian, without any header.

## Where it comes from

The recordings were made in 1997 and 1999 at the Technical University of Berlin, in a project of the
German Research Foundation (DFG SE 462/3-1), and published at <http://emodb.bilderbar.info>. The WAV
files were taken from <https://github.com/saketh42/Emotion-Classifier-using-EmoDB>, folder `EmoDB`
of commit `0640293c9bf7cb20cb1e2ab56ac260d898d4a9a6`; that repository states no licence of its own.
The rates of recognition by listeners (`erkennung.txt`) and the label files are not part of this
copy.

## Licence

- audEERING packages the corpus under
  [CC0-1.0](https://creativecommons.org/publicdomain/zero/1.0/): see
  <https://github.com/audeering/emodb>.
- The index of nkululeko says [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/): see
  `data/emodb/descr.yml` in <https://github.com/felixbur/nkululeko>.

Both allow copies and changes. The second asks for the authors' names and for a note of what was
changed, and both stand on this page. The licence of this project's code does not cover the
recordings.

## Cite

Felix Burkhardt, Astrid Paeschke, Miriam Rolfes, Walter F. Sendlmeier, Benjamin Weiss: *A Database
of German Emotional Speech*, Interspeech 2005, Lisbon, pages 1517-1520.
"""


def make(source: Path, copy: ShippedCorpus, *, params: emodb.Params) -> int:
    """Write the copy: recordings as FLAC, digests of their samples, and the page about them.

    The same originals and the pinned versions give the same bytes. The copy takes the place
    of an old one only after its files were read again and decoded to the original samples.

    Args:
        source: The folder that holds the published `wav/`.
        copy: What is to be written.
        params: Of the parser; `allow_partial` takes fewer recordings than were published.

    Returns:
        The number of recordings.

    Raises:
        AudioError: A recording is not 16 kHz, mono and 16 bit.
        CorpusError: The source is not EmoDB, is not complete, or holds a recording that
            cannot be used; or a written file does not hold the samples of its original.
    """
    originals = _originals(source, params)
    with files.replacing_folder(copy.folder) as part:
        written = ShippedCorpus(part)
        write_digests(written.digests, digests_of(originals))
        written.recordings.mkdir()
        with ThreadPoolExecutor() as pool:
            jobs = [
                pool.submit(_encode, original, written.recordings / f"{id_}.flac")
                for id_, original in originals.items()
            ]
            for job in jobs:
                job.result()
        files.write_text(written.readme, README)
        check(written)
    return len(originals)


def check(copy: ShippedCorpus) -> None:
    """Decode every recording of a copy and compare its samples with the table of digests.

    Raises:
        AudioError: A recording cannot be read.
        CorpusError: Recordings are missing or too many, or hold other samples.
        FileError: The table is missing or damaged.
    """
    expected = read_digests(copy.digests)
    found = digests_of({path.stem: path for path in copy.recordings.iterdir()})
    wrong = sorted(
        id_ for id_ in expected.keys() | found.keys() if expected.get(id_) != found.get(id_)
    )
    if wrong:
        named = ", ".join(wrong[:_NUM_NAMED]) + (", ..." if len(wrong) > _NUM_NAMED else "")
        raise CorpusError(
            f"{copy.recordings}: {len(wrong)} recordings are missing, too many or hold other "
            f"samples than {copy.digests.name} says: {named}; `git checkout {copy.folder}` "
            f"brings the committed copy back"
        )


def digests_of(recordings: Mapping[str, Path]) -> dict[str, str]:
    """Return id -> SHA-256 of the decoded samples, int16 little-endian, hexadecimal.

    Args:
        recordings: Id -> file, WAV or FLAC.

    Raises:
        AudioError: A recording cannot be read, or is not 16 kHz, mono and 16 bit.
    """
    with ThreadPoolExecutor() as pool:
        digests = pool.map(_samples_sha256, recordings.values())
        return dict(zip(recordings, digests, strict=True))


def write_digests(path: Path, digests: Mapping[str, str]) -> None:
    """Write a table of digests: `<digest>  <id>` a line, sorted by id."""
    files.write_text(path, "".join(f"{digests[id_]}  {id_}\n" for id_ in sorted(digests)))


def read_digests(path: Path) -> dict[str, str]:
    """Return a table of digests: id -> digest.

    Raises:
        FileError: It is missing, or a line is not a digest and an id.
    """
    cure = "`git checkout` brings it back"
    rows = [line.split() for line in files.read_text(path, cure=cure).splitlines()]
    for number, row in enumerate(rows, start=1):
        if len(row) != 2:
            raise FileError(f"{path}:{number}: expected `<digest>  <id>`, got {row!r}; {cure}")
    return {id_: digest for digest, id_ in rows}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the copy of this checkout from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="the folder that holds the published wav/")
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: _run(options.source, Project().shipped("emodb")))


def _run(source: Path, copy: ShippedCorpus) -> None:
    count = make(source, copy, params=emodb.Params())
    logger.info("%s: %d recordings, each with the samples of its original", copy.folder, count)


def _originals(source: Path, params: emodb.Params) -> dict[str, Path]:
    """Return id -> recording of a whole corpus without a fault."""
    corpus = emodb.build(params)
    taken = intake.take_in(corpus.parse(source), root=source, params=params)
    intake.enforce(taken, max_rejected=0)
    corpus.check(taken.utterances)
    return {utterance.id: source / utterance.audio for utterance in taken.utterances}


def _encode(original: Path, path: Path) -> None:
    audio.write(
        path,
        _samples(original),
        _SAMPLING_RATE,
        subtype="PCM_16",
        format="FLAC",
        compression_level=_COMPRESSION,
    )


def _samples_sha256(path: Path) -> str:
    return hashlib.sha256(_samples(path).astype("<i2", copy=False).data).hexdigest()


def _samples(path: Path) -> NDArray[np.int16]:
    """Return the samples `(num_samples,)` as they are stored; refuse what int16 cannot hold."""
    try:
        with soundfile.SoundFile(path) as file:
            form = (file.samplerate, file.channels, file.subtype)
            samples: NDArray[np.int16] = file.read(dtype="int16")
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: not audio, or damaged ({error.error_string})") from error
    if form != _FORM:
        raise AudioError(
            f"{path}: {form[0]} Hz, {form[1]} channels, {form[2]}; "
            f"expected {_FORM[0]} Hz, {_FORM[1]} channel, {_FORM[2]}, as EmoDB was published"
        )
    return samples


if __name__ == "__main__":
    raise SystemExit(main())
