"""Taking a corpus in (open, check, hash every recording) against sequential loops."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import soundfile

from benchmarks import equality, recordings, timing
from benchmarks.measurement import Measurement
from benchmarks.recordings import Recordings
from ser import runtime
from ser.data import audio
from ser.data.intake import take_in


def run(quick: bool) -> list[Measurement]:
    """Take the whole corpus in, with one thread per processor and with one in all."""
    corpus = recordings.load(quick=quick)
    annotations = sorted(corpus.parsed.annotations, key=lambda item: item.id)
    paths = [corpus.root / annotation.audio for annotation in annotations]
    taken = take_in(corpus.parsed, root=corpus.root, params=corpus.params)
    found = {u.id: (u.sha256, u.num_samples, u.sampling_rate) for u in taken.utterances}
    plain = zip(annotations, unchecked(paths), strict=True)
    equality.require_same(
        found, {item.id: record for item, record in plain if item.id in found}, what="intake"
    )
    processors = runtime.num_processors()
    parallel, single, checked, bare = timing.alternate(
        lambda: take_in(
            corpus.parsed, root=corpus.root, params=corpus.params, num_threads=processors
        ),
        lambda: take_in(corpus.parsed, root=corpus.root, params=corpus.params, num_threads=1),
        lambda: _inspected(corpus, paths),
        lambda: unchecked(paths),
        repeats=2 if quick else 7,
    )
    loop = "sequential loop with the same checks"
    plain_loop = "sequential loop: SHA-256 and decoding, nothing checked"
    rows = [(parallel, loop, checked, processors), (parallel, plain_loop, bare, processors)]
    if processors > 1:
        rows.append((single, loop, checked, 1))
    return [
        Measurement(
            name=f"taking a corpus in ({corpus.name})",
            value=len(paths) / ours,
            unit="recordings per second",
            better="higher",
            alternative=alternative if threads == 1 else f"{alternative} (1 thread)",
            alternative_value=len(paths) / seconds,
            threads=threads,
        )
        for ours, alternative, seconds, threads in rows
    ]


def unchecked(paths: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Return what the manifest needs of each recording, by the shortest loop."""
    records = []
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        records.append((hashlib.sha256(path.read_bytes()).hexdigest(), len(samples), rate))
    return records


def _inspected(corpus: Recordings, paths: Sequence[Path]) -> None:
    params = corpus.params
    for path in paths:
        audio.inspect(path, params)
