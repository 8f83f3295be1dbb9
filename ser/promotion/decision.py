"""Promote a challenger, or refuse it: judge, record the decision, move the alias."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ser import files, lineage
from ser.contracts import RunSpec, Tracker
from ser.promotion import measuring, model_card, records
from ser.promotion.measuring import Workplace
from ser.registry import gates
from ser.registry.evidence import Evidence
from ser.registry.gate_params import GateParams
from ser.registry.verdicts import Verdict, as_table
from ser.registry.version import CHAMPION, Version
from ser.registry.versions import ROLLED_BACK, OvertakenError, Registry, champions_before
from ser.serving import mlflow_model

_REFUSED, _PASSED = "refused", "passed"
_PROMOTED, _OVERTAKEN = "promoted", "overtaken"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a challenger.

    Args:
        challenger: The version.
        champion: The champion that it was judged against, if any.
        verdicts: What each gate said.
    """

    challenger: Version
    champion: Version | None
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the gates that it did not pass."""
        return tuple(verdict.gate for verdict in self.verdicts if not verdict.passed)


def decide(name: str, reference: str | int, *, params: GateParams, place: Workplace) -> Decision:
    """Judge a version and promote it if every gate lets it through.

    The decision is tracked as a run and tagged on the version, either way. It is `refused`, or
    first `passed` and then `promoted`, once the alias has moved, or `overtaken`, where another
    version was faster. Given again after an interruption, it is the same run. Of the champion
    itself nothing is decided; what an interruption left of its promotion is done.

    Args:
        name: Of the registered model.
        reference: `challenger`, or a number.
        params: The limits.
        place: Where evidence is found.

    Raises:
        RegistryError: There is no such version, or another one became champion meanwhile.
        TrackingError: The store cannot be used.
    """
    registry = place.registry
    challenger = registry.require(name, reference)
    champion = registry.resolve(name, CHAMPION)
    evidence = measuring.measure(challenger, champion, place, params)
    verdicts = tuple(gates.judge(evidence, params))
    decision = Decision(challenger, champion, verdicts)
    if decision.failed and champion is not None and champion.number == challenger.number:
        return decision
    registry.describe(challenger, card := _card(challenger, evidence, place))
    record = _Record(decision, evidence, params, place)
    with record.opened(card) as tracker:
        if decision.failed:
            registry.tag(challenger, record.tags(_REFUSED))
            return decision
        overtaken = _promote(decision, record, registry)
        if overtaken is None:
            record.tell(tracker, _PROMOTED)
        elif overtaken.present is None or overtaken.present.number != challenger.number:
            record.tell(tracker, _OVERTAKEN)
        # Else another process has promoted this very version, and says so in this very run.
    if overtaken is not None:
        raise overtaken
    registry.end_challenge(challenger)
    return decision


def _promote(decision: Decision, record: "_Record", registry: Registry) -> OvertakenError | None:
    """Move the alias; return what stopped it, if another version was faster."""
    try:
        registry.promote(
            decision.challenger,
            expected=decision.champion,
            won=record.tags(_PROMOTED),
            lost=record.tags(_OVERTAKEN),
        )
    except OvertakenError as error:
        return error
    return None


class _Record:
    """The run of a decision: its verdicts, what was measured, the limits, what became of it.

    Args:
        decision: What was decided.
        evidence: On what.
        params: The limits.
        place: With the store.
    """

    def __init__(
        self, decision: Decision, evidence: Evidence, params: GateParams, place: Workplace
    ) -> None:
        self.decision, self.evidence, self.params = decision, evidence, params
        challenger = decision.challenger
        self.key = _run_key(decision, params)
        self.experiment = records.open_experiment(
            challenger.tags, root=place.root, tracking_uri=place.registry.uri
        )

    @contextmanager
    def opened(self, card: str) -> Iterator[Tracker]:
        """Open the run and keep all in it that is known before an alias moves."""
        said = _REFUSED if self.decision.failed else _PASSED
        challenger = self.decision.challenger
        spec = RunSpec(
            name=self._name(said),
            run_key=self.key,
            tags={
                "ser.model_version": f"{challenger.name}/{challenger.number}",
                "ser.cell": challenger.tags.get("ser.cell", ""),
                "ser.decision": said,
                "ser.failed_gates": ",".join(self.decision.failed),
                "ser.synthetic": str(self.evidence.synthetic).lower(),
                **_new_line(self.evidence),
            },
            params={"gates": self.params.model_dump(mode="json")},
            note=self._note(said),
        )
        with self.experiment.run(spec) as tracker:
            self._keep(tracker, said)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / mlflow_model.MODEL_CARD
                files.write_text(path, card)
                tracker.log_artifact(path)
            if self.evidence.robustness is not None:
                tracker.log_metrics(self.evidence.robustness.as_metrics())
            yield tracker

    def tell(self, tracker: Tracker, said: str) -> None:
        """Say in the run what became of the decision."""
        self._keep(tracker, said)
        tracker.set_tags(
            {
                "ser.decision": said,
                "mlflow.runName": self._name(said),
                "mlflow.note.content": self._note(said),
            }
        )

    def tags(self, said: str) -> dict[str, str]:
        """Return the tags of the version; the run is open or was."""
        return {
            "ser.decision": said,
            "ser.failed_gates": ",".join(self.decision.failed) or "none",
            "ser.decision_run_id": str(self.experiment.run_id(self.key)),
            **({"ser.new_line": self.evidence.new_line or "none"} if said == _PROMOTED else {}),
        }

    def _keep(self, tracker: Tracker, said: str) -> None:
        """Write decision.json, in place of one that is there."""
        champion = self.decision.champion
        content = {
            "decision": said,
            "challenger": self.decision.challenger.title,
            "champion": None if champion is None else champion.title,
            "verdicts": [verdict.model_dump() for verdict in self.decision.verdicts],
            "evidence": json.loads(self.evidence.model_dump_json()),
            "limits": self.params.model_dump(mode="json"),
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "decision.json"
            files.write_json(path, content)
            tracker.log_artifact(path)

    def _name(self, said: str) -> str:
        return f"{said} {self.decision.challenger.title}"

    def _note(self, said: str) -> str:
        challenger, table = self.decision.challenger, as_table(self.decision.verdicts)
        return f"**{said}**: {challenger.title} of `{challenger.name}`\n\n```\n{table}\n```\n"


def _new_line(evidence: Evidence) -> dict[str, str]:
    """Return the tag of a version that begins a new line of champions: why it does."""
    return {} if evidence.new_line is None else {"ser.new_line": evidence.new_line}


def _run_key(decision: Decision, params: GateParams) -> str:
    """Return what tells a decision from others; times that were measured are not in it."""
    challenger, champion = decision.challenger, decision.champion
    if champion is None:
        before = []
    elif champion.number == challenger.number:  # an interruption came after the alias had moved
        before = champions_before(challenger)
    else:
        before = [champion.number, *champions_before(champion)]
    content = {
        "version": [challenger.name, challenger.number],
        "champions": before,
        # After a rollback the same version may be promoted once more.
        "rolled_back": challenger.tags.get(ROLLED_BACK),
        "failed": decision.failed,
        "limits": params.model_dump(mode="json"),
    }
    return lineage.sha256_text(lineage.canonical_json(content))[:32]


def _card(challenger: Version, evidence: Evidence, place: Workplace) -> str:
    """Return the version's model card, with what was measured of its robustness."""
    card = place.registry.description(challenger)
    measured = evidence.robustness
    return card if measured is None else model_card.with_robustness(card, measured)
