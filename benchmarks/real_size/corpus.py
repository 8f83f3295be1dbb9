"""A tree in IEMOCAP's format: its counts and durations, noise in place of speech."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.durations import iemocap_seconds
from ser import runtime
from ser.data.corpora.iemocap import PUBLISHED
from ser.data.demo import plan, release
from ser.data.demo.plan import PlannedTurn

SAMPLING_RATE = 16_000
NUM_UTTERANCES = sum(PUBLISHED.per_session.values())

#: Of the four classes, read from a script; see docs/corpora/iemocap.md.
SCRIPTED: Mapping[str, int] = {
    "Ses01": 564,
    "Ses02": 493,
    "Ses03": 524,
    "Ses04": 497,
    "Ses05": 510,
}

#: Noise that all recordings are cut from: longer than the longest, and each starts elsewhere.
_NOISE_S = 60.0
_SYLLABLES_HZ = 4.0
_LEVEL = 0.05
#: Keep the draws apart from one another.
_TURNS, _DURATIONS, _NOISE = range(3)


def turns(num_utterances: int = NUM_UTTERANCES, seed: int = 0) -> list[PlannedTurn]:
    """Return who says what with which label.

    Args:
        num_utterances: About so many, in the same shares; all of them have exactly the counts
            that the release has per session, per label, and per session of the four classes, and
            of these the improvised and the scripted ones.
        seed: The same seed gives the same turns.
    """
    rng = np.random.default_rng((seed, _TURNS))
    found: list[PlannedTurn] = []
    for number, (session, labels) in enumerate(_labels(rng).items(), start=1):
        four = {label for of, label in PUBLISHED.per_cell if of == session}
        order = sorted(labels, key=lambda label: label not in four)
        num_four = sum(label in four for label in order)
        is_scripted = np.concatenate(
            [
                rng.permutation(num_four) < SCRIPTED[session],
                rng.random(len(order) - num_four) < 0.5,
            ]
        )
        letters = rng.choice(["F", "M"], len(order))
        cast = list(zip(order, letters.tolist(), is_scripted.tolist(), strict=True))
        found += plan.stage(number, _cut(cast, num_utterances / NUM_UTTERANCES), rng)
    return found


def _labels(rng: np.random.Generator) -> dict[str, list[str]]:
    """Return session -> its labels; those that are not known per session are dealt."""
    known = Counter(PUBLISHED.per_cell)
    rest = {
        label: count - sum(known[session, label] for session in PUBLISHED.per_session)
        for label, count in PUBLISHED.per_label.items()
    }
    dealt = iter(rng.permutation([label for label, count in rest.items() for _ in range(count)]))
    found = {}
    for session, total in PUBLISHED.per_session.items():
        own = [label for (of, label), count in known.items() if of == session for _ in range(count)]
        found[session] = own + [str(next(dealt)) for _ in range(total - len(own))]
    return found


def _cut(cast: list[tuple[str, str, bool]], share: float) -> list[tuple[str, str, bool]]:
    """Return the first of each kind, in their share, at least one of each."""
    counts = Counter(cast)
    kept = {kind: ceil(count * share) for kind, count in counts.items()}
    seen: Counter[tuple[str, str, bool]] = Counter()
    found = []
    for kind in cast:
        seen[kind] += 1
        if seen[kind] <= kept[kind]:
            found.append(kind)
    return found


def write(root: Path, planned: list[PlannedTurn], *, seed: int = 0, tempo: float = 1.0) -> None:
    """Write the release, a process for each of its sessions.

    Args:
        root: Its folder.
        planned: What is in it.
        seed: The same seed gives the same recordings.
        tempo: Recordings are shorter by this factor, for a quick look.
    """
    seconds = iemocap_seconds(len(planned), np.random.default_rng((seed, _DURATIONS))) / tempo
    duration_of = dict(zip((turn.id for turn in planned), seconds.tolist(), strict=True))
    sessions = [list(own) for _, own in groupby(planned, key=lambda turn: turn.session)]
    with ProcessPoolExecutor(min(len(sessions), runtime.num_processors())) as pool:
        list(pool.map(partial(_write_session, root, duration_of, seed), sessions))
    note = "SYNTHETIC: noise in IEMOCAP's format, in its counts and durations. Nobody spoke.\n"
    (root / "README.txt").write_text(note, encoding="utf-8")


def _write_session(
    root: Path, duration_of: Mapping[str, float], seed: int, planned: list[PlannedTurn]
) -> None:
    rng = np.random.default_rng((seed, _NOISE, planned[0].session))
    noise = _noise(rng)

    def speak(turn: PlannedTurn) -> tuple[NDArray[np.int16], float]:
        num_samples = round(duration_of[turn.id] * SAMPLING_RATE)
        start = int(rng.integers(len(noise) - num_samples))
        return noise[start : start + num_samples], 0.5

    release.write_sessions(root, planned, speak, sampling_rate=SAMPLING_RATE)


def _noise(rng: np.random.Generator) -> NDArray[np.int16]:
    """Return noise that rises and falls as syllables do."""
    num_samples = round(_NOISE_S * SAMPLING_RATE)
    time_s = np.arange(num_samples) / SAMPLING_RATE
    rising = 0.6 + 0.4 * np.sin(2 * np.pi * _SYLLABLES_HZ * time_s)
    samples = _LEVEL * rising * rng.standard_normal(num_samples)
    return (samples.clip(-1, 1) * np.iinfo(np.int16).max).astype(np.int16)
