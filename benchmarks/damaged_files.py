"""What damaged files come to: `python -m benchmarks.damaged_files [--inputs 2000] [--seed 0]`.

Files that people and stages write (params.yaml, a corpus' table, JSON, CSV, Parquet, NumPy and
safetensors artefacts) are damaged at random, and read as the project reads them. Each must be read
or refused: with one error of the project, messages and warnings of bounded length, in bounded time.
The same seed damages in the same way. The exit status is 1 where anything else came out.
"""

import argparse
import logging
import resource
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np

from benchmarks.file_kinds import Kind, kinds_of
from ser.errors import SerError

_LIMIT_S = 10
_MAX_MESSAGE = 8000

#: What a hand, another program or a bad disk puts into a text.
PIECES: tuple[bytes, ...] = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\t", b"\r", b"\n\n", b'"', b"'", b"[", b"]", b"{",
    b"}", b"[" * 3000, b"{a: " * 3000, b",", b",,", b":", b": ", b"- ", b"#", b"&a ", b"*a",
    b"<<: *a", b"!!python/object:os.system x", b"!!int x", b"!!timestamp x", b"!!set {a}",
    b"!!binary x", b"null", b"true", b"no", b"NaN", b"Infinity", b".inf", b"-1", b"0", b"1e999",
    b"9" * 5000, b"0x" + b"f" * 5000, b"1000000000", b"2024-13-45", b"2024-01-01", b"=1+1",
    b"../../x", b"/",
    b"a" * 200_000, b"\\ud800", b'"\\ud800"', "é".encode(), "e\u0301".encode(), "\u202e💥".encode(),
    b"---\n", b"%YAML 9.9\n", b"? [a]\n: b\n", b"${x}", b"a: &a [*a]\n",
    b"x: &x0 [1,1,1]\n" + b"".join(b"x%d: &x%d [%s]\n" % (i, i, b",".join([b"*x%d" % (i - 1)] * 9))
                                   for i in range(1, 12)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surprise:
    """An input that was neither read nor refused as it should be.

    Args:
        kind: Of the file.
        content: The damaged file.
        problem: What came out instead.
    """

    kind: str
    content: bytes
    problem: str


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a content with one to four places damaged.

    Args:
        content: The file.
        rng: Chooses the places and what is done there: a piece of `PIECES` put in, a stretch
            removed, repeated or replaced, a bit turned, or the end cut off.
    """
    for _ in range(int(rng.integers(1, 5))):
        start = int(rng.integers(len(content) + 1))
        stop = min(len(content), start + int(rng.geometric(0.05)))
        piece = PIECES[int(rng.integers(len(PIECES)))]
        turned = bytes([content[start] ^ (1 << int(rng.integers(8)))]) if start < stop else b""
        choices = (
            content[:start] + piece + content[start:],
            content[:start] + piece + content[stop:],
            content[:start] + content[stop:],
            content[:stop] + content[start:],
            content[:start] + turned + content[start + 1 :],
            content[:start],
        )
        content = choices[int(rng.choice(6, p=(0.3, 0.3, 0.1, 0.1, 0.15, 0.05)))]
    return content


def campaign(
    kinds: dict[str, Kind], folder: Path, *, num_inputs: int, seed: int
) -> tuple[Counter[str], list[Surprise]]:
    """Damage and read files of every kind in turn.

    Args:
        kinds: Name -> kind.
        folder: Empty; each kind gets a folder in it.
        num_inputs: How many files are read, over all kinds.
        seed: Of the damage.

    Returns:
        How many were `read` and `refused`, and what was neither.
    """
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    surprises: list[Surprise] = []
    names = list(kinds)
    for number in range(num_inputs):
        name = names[number % len(names)]
        content = damaged(kinds[name].good, rng)
        path = folder / name / kinds[name].place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for place, other in kinds[name].beside.items():
            (folder / name / place).write_bytes(other)
        outcome, problem = _outcome(kinds[name], folder / name)
        counts[outcome] += 1
        if problem is not None:
            surprises.append(Surprise(name, content, problem))
    return counts, surprises


def _outcome(kind: Kind, folder: Path) -> tuple[str, str | None]:
    outcome, said = "read", []
    try:
        with _limited(), _heard(said):
            kind.read(folder)
    except SerError as error:
        outcome = "refused"
        said.append(str(error))
    except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
        return "surprising", traceback.format_exc(limit=-3)
    longest = max(map(len, said), default=0)
    return outcome, f"a message of {longest} characters" if longest > _MAX_MESSAGE else None


@contextmanager
def _heard(said: list[str]) -> Iterator[None]:
    """Keep the warnings of the block; nothing is shown."""
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("ser")
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError in the block once it has taken too long."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done in {_LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaign and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = kinds_of(folder / "good", Path())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        counts, surprises = campaign(
            kinds, folder / "damaged", num_inputs=options.inputs, seed=options.seed
        )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(f"{options.inputs} files, seed {options.seed}: {said}; memory grew by {grown:.0f} MiB")
    for surprise in surprises[:10]:
        print(f"\n{surprise.kind}: {surprise.problem}\n{surprise.content[:300]!r}")
    return int(bool(surprises))


if __name__ == "__main__":
    raise SystemExit(main())
