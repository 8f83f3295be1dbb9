"""Question a challenger, and the folds that stand in for it, and say what the answers come to."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser.errors import RegistryError, SerError
from ser.params import parse
from ser.project import Project
from ser.promotion import asking, robustness, stand_ins
from ser.promotion.asking import Question, Recordings
from ser.promotion.stand_ins import StandIn
from ser.registry import bundle as bundles
from ser.registry.bundle import Bundle
from ser.registry.evidence import Robustness, Served
from ser.registry.gate_params import GateParams
from ser.registry.version import Version
from ser.serving.audio_input import InputLimits
from ser.utterance import Utterance

_NOBODY = (
    "it was trained on every utterance, and the weights of its cell's folds, which were not, are "
    "not in this folder; train with training.keep_weights: all, or register a fold"
)


@dataclass(frozen=True, slots=True)
class Challenger:
    """Who is questioned.

    Args:
        version: In the registry.
        bundle: What it says of itself.
        tracked: What its weights predicted when it was registered; a fold's test part, or of a
            refit all that it was trained on.
        model: The folder of the served model, fetched and compared with its digest.
        uri: The store with the registry.
    """

    version: Version
    bundle: Bundle
    tracked: pd.DataFrame
    model: Path
    uri: str

    @property
    def limits(self) -> InputLimits:
        """What it takes of a recording."""
        where = f"{bundles.FILE}, answering.limits"
        return parse(self.bundle.answering.limits, InputLimits, where=where)

    @property
    def test(self) -> pd.DataFrame:
        """What it was not trained on."""
        return self.tracked[:0] if self.bundle.training.fold is None else self.tracked


@dataclass(frozen=True, slots=True)
class Questioned:
    """What questioning came to.

    Args:
        served: What the served model answered; None where it could not be asked.
        served_error: Why, if so.
        robustness: How steady it is; None where that could not be measured.
        robustness_error: Why, if so.
    """

    served: Served | None = None
    served_error: str = ""
    robustness: Robustness | None = None
    robustness_error: str = ""


def question(
    challenger: Challenger, utterances: Sequence[Utterance], params: GateParams, project: Project
) -> Questioned:
    """Return what a challenger and its stand-ins answer; each is loaded once.

    Args:
        challenger: Who.
        utterances: The manifest.
        params: How many utterances, and which changes.
        project: Where recordings and trained cells are.

    Raises:
        AudioError: A recording cannot be read; names it.
        FileError: A record of the cell is damaged.
    """
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    others = list(stand_ins.of(challenger.version, project))
    test = pd.concat([challenger.test, *(other.test for other in others)], ignore_index=True)
    answered = _answered(utterances, challenger.limits)
    changed = robustness.sample(_of(test, answered), speaker_of, params.num_utterances)
    plain = robustness.sample(_of(challenger.tracked, answered), speaker_of, params.num_utterances)
    if plain.empty:
        said = _unanswered(challenger)
        return Questioned(served_error=said, robustness_error=said)
    with tempfile.TemporaryDirectory() as name:
        asker = _Asker(challenger, {item.id: item for item in utterances}, params, project, name)
        try:
            served, decided = asker.served(_ids(plain), _ids(changed) & _ids(challenger.test))
        except RegistryError as error:
            # Where it was fetched to says nothing to anybody.
            said = str(error).replace(str(challenger.model), challenger.version.uri)
            return Questioned(served_error=said, robustness_error=said)
        if changed.empty:
            return Questioned(served, robustness_error=_NOBODY)
        shares = [(other, _ids(changed) & _ids(other.test)) for other in others]
        try:
            tables = [asker.stand_in(other, share) for other, share in shares if share]
        except SerError as error:
            return Questioned(served, robustness_error=str(error))
    weights = _described(challenger, [other for other, share in shares if share])
    measured = robustness.measure(
        pd.concat([decided, *tables]), changed, speaker_of, params, weights=weights
    )
    return Questioned(served, robustness=measured)


class _Asker:
    """Asks several weights about the utterances of one corpus, each in a process of its own."""

    def __init__(
        self,
        challenger: Challenger,
        utterance_of: Mapping[str, Utterance],
        params: GateParams,
        project: Project,
        scratch: str,
    ) -> None:
        self.challenger, self.utterance_of, self.params = challenger, utterance_of, params
        self.root = project.raw(challenger.bundle.corpus.name)
        self.emotions = challenger.bundle.emotions
        self.scratch = Path(scratch)

    def served(self, plain: set[str], changed: set[str]) -> tuple[Served, pd.DataFrame]:
        """Ask the challenger itself: what it serves, and what it decides on what is changed."""
        asked, answers = self._ask(str(self.challenger.model), plain | changed, changed)
        decided = robustness.decisions(asked, answers, self.emotions)
        served = asking.compare(asked, answers, self.challenger.tracked)
        return served, decided[decided["utterance_id"].isin(changed)]

    def stand_in(self, other: StandIn, changed: set[str]) -> pd.DataFrame:
        """Ask the weights of another fold."""
        with tempfile.TemporaryDirectory() as folder:
            model = other.save(self.challenger.bundle, Path(folder))
            asked, answers = self._ask(str(model), changed, changed)
        return robustness.decisions(asked, answers, self.emotions)

    def _ask(
        self, model: str, plain: set[str], changed: set[str]
    ) -> tuple[list[Question], list[dict[str, Any]]]:
        rate = int(self.challenger.bundle.served["feature"]["sampling_rate"])
        with tempfile.TemporaryDirectory(dir=self.scratch) as scratch:
            asked = asking.questions(
                [self.utterance_of[id_] for id_ in sorted(plain)],
                changed,
                self.params.changes,
                Recordings(self.root, Path(scratch), rate, self.challenger.limits.max_bytes),
            )
            return asked, asking.ask(model, asked, tracking_uri=self.challenger.uri)


def _answered(utterances: Sequence[Utterance], limits: InputLimits) -> set[str]:
    """Return those that are as long as a request may be: to the others no user gets an answer."""
    return {
        utterance.id
        for utterance in utterances
        if limits.min_duration_s
        <= utterance.num_samples / utterance.sampling_rate
        <= limits.max_duration_s
    }


def _of(frame: pd.DataFrame, ids: set[str]) -> pd.DataFrame:
    return frame[frame["utterance_id"].isin(ids)]


def _unanswered(challenger: Challenger) -> str:
    limits = challenger.limits
    return (
        f"none of the {len(challenger.tracked)} utterances that it was tested on lasts "
        f"{limits.min_duration_s:g} to {limits.max_duration_s:g} s, which is all that it answers "
        f"for; set input_limits for such recordings and register it anew"
    )


def _ids(frame: pd.DataFrame) -> set[str]:
    return set(frame["utterance_id"])


def _described(challenger: Challenger, asked: Sequence[StandIn]) -> str:
    """Return which weights were asked about changed recordings, for people."""
    own = challenger.bundle.training.fold
    said = [] if own is None else [f"the served ones, of fold {own}"]
    if asked:
        said.append(f"those of {', '.join(f'fold {other.fold}' for other in asked)}")
    return f"{' and '.join(said)}, each about its own test part"
