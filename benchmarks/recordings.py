"""The recordings that benchmarks run on: EmoDB, or the generated demo corpus where asked for."""

import atexit
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ser.data import intake
from ser.data.corpora import demo, emodb
from ser.data.corpora._base import CorpusParams
from ser.data.demo import plan, release
from ser.errors import CorpusError
from ser.project import Project
from ser.utterance import Parsed, Utterance

_PER_CELL_QUICK = 2


@dataclass(frozen=True, slots=True)
class Recordings:
    """A corpus on disk, opened.

    Args:
        name: `emodb` (real speech) or `demo` (synthetic).
        root: Its folder.
        params: Its parser's params.
        parsed: What its labels say.
        utterances: Those of the four emotions, sorted by id.
    """

    name: str
    root: Path
    params: CorpusParams
    parsed: Parsed
    utterances: tuple[Utterance, ...]

    @property
    def description(self) -> str:
        """One line for the reader of the numbers."""
        seconds = sum(utterance.duration_s for utterance in self.utterances)
        kind = "real speech" if self.name == "emodb" else "synthetic speech"
        return f"{self.name} ({kind}): {len(self.utterances)} utterances, {seconds / 60:.1f} min"


def load(*, quick: bool) -> Recordings:
    """Return EmoDB, the copy that ships with the project unless `SER_EMODB` names another.

    Args:
        quick: A few utterances of each session and emotion instead of all. An empty
            `SER_EMODB` asks for the demo corpus.

    Raises:
        CorpusError: `SER_EMODB` names a folder that is not EmoDB.
    """
    root = emodb_root()
    params: CorpusParams
    if root is not None:
        params = emodb.Params()
        parsed = _parse_emodb(params, root)
    else:
        params = _demo_params(quick=quick)
        root = _demo_root(params.utterances_per_session)
        parsed = demo.build(params).parse(root)
    taken = intake.take_in(parsed, root=root, params=params)
    used = tuple(utterance for utterance in taken.utterances if utterance.emotion is not None)
    return Recordings(params.name, root, params, parsed, _few(used) if quick else used)


def emodb_root() -> Path | None:
    """Return EmoDB's folder, or None where the demo corpus is to be used."""
    shipped = Project(Path(__file__).resolve().parents[1]).shipped("emodb").folder
    said = os.environ.get("SER_EMODB", str(shipped))
    return Path(said) if said else None


def _parse_emodb(params: emodb.Params, root: Path) -> Parsed:
    try:
        return emodb.build(params).parse(root)
    except CorpusError as error:
        raise CorpusError(
            f"{error}. SER_EMODB names EmoDB's folder; an empty one (SER_EMODB=) asks for the "
            f"demo corpus"
        ) from error


def _few(utterances: tuple[Utterance, ...]) -> tuple[Utterance, ...]:
    seen: Counter[tuple[str, str | None]] = Counter()
    kept = []
    for utterance in utterances:
        cell = (utterance.session, utterance.emotion)
        seen[cell] += 1
        if seen[cell] <= _PER_CELL_QUICK:
            kept.append(utterance)
    return tuple(kept)


def _demo_params(*, quick: bool) -> demo.Params:
    return demo.Params(utterances_per_session=plan.MIN_PER_SESSION) if quick else demo.Params()


@cache
def _demo_root(utterances_per_session: int) -> Path:
    """Write the demo corpus once per process; it goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="ser-benchmarks-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = folder / "demo"
    release.generate(root, demo.Params(utterances_per_session=utterances_per_session))
    return root
