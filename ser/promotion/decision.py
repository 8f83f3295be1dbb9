"""Promote a challenger, or refuse it: judge, record the decision, move the alias."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ser import files, lineage
from ser.contracts import RunSpec
from ser.promotion import measuring, model_card, records
from ser.promotion.measuring import Workplace
from ser.registry import gates
from ser.registry.evidence import Evidence
from ser.registry.gates import GateParams, Verdict
from ser.registry.versions import CHAMPION, PROMOTED, Version
from ser.serving import mlflow_model


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

    The decision is tracked as a run and tagged on the version, either way, before the alias
    moves. Given again after an interruption, it is the same run. Of the champion itself nothing
    is decided, so that nothing is tracked.

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
    # It is the champion where an interruption came just before the alias challenger went.
    if champion is None or champion.number != challenger.number:
        _record(decision, evidence, params, place)
    if not decision.failed:
        registry.promote(challenger, expected=champion)
    return decision


def _record(decision: Decision, evidence: Evidence, params: GateParams, place: Workplace) -> None:
    """Track a decision: its verdicts, what was measured, the limits."""
    challenger = decision.challenger
    said = "refused" if decision.failed else "promoted"
    key = _run_key(decision, params)
    tags = {
        "ser.model_version": f"{challenger.name}/{challenger.number}",
        "ser.cell": challenger.tags.get("ser.cell", ""),
        "ser.decision": said,
        "ser.failed_gates": ",".join(decision.failed),
        "ser.synthetic": str(evidence.synthetic).lower(),
        **_new_line(evidence),
    }
    experiment = records.open_experiment(
        challenger.tags, root=place.root, tracking_uri=place.registry.uri
    )
    table = gates.as_table(decision.verdicts)
    spec = RunSpec(
        name=f"{said} {challenger.title}",
        run_key=key,
        tags=tags,
        params={"gates": params.model_dump(mode="json")},
        note=f"**{said}**: {challenger.title} of `{challenger.name}`\n\n```\n{table}\n```\n",
    )
    content = {
        "decision": said,
        "challenger": challenger.title,
        "champion": None if decision.champion is None else decision.champion.title,
        "verdicts": [verdict.model_dump() for verdict in decision.verdicts],
        "evidence": json.loads(evidence.model_dump_json()),
        "limits": params.model_dump(mode="json"),
    }
    card = _card(challenger, evidence, place)
    with experiment.run(spec) as tracker, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decision.json"
        files.write_json(path, content)
        tracker.log_artifact(path)
        files.write_text(Path(folder) / mlflow_model.MODEL_CARD, card)
        tracker.log_artifact(Path(folder) / mlflow_model.MODEL_CARD)
        if evidence.robustness is not None:
            tracker.log_metrics(evidence.robustness.as_metrics())
    place.registry.describe(challenger, card)
    place.registry.tag(
        challenger,
        {
            "ser.decision": said,
            "ser.failed_gates": ",".join(decision.failed) or "none",
            "ser.decision_run_id": str(experiment.run_id(key)),
            **({} if decision.failed else _new_line(evidence)),
        },
    )


def _new_line(evidence: Evidence) -> dict[str, str]:
    """Return the tag of a version that begins a new line of champions: why it does."""
    return {} if evidence.new_line is None else {"ser.new_line": evidence.new_line}


def _run_key(decision: Decision, params: GateParams) -> str:
    """Return what tells a decision from others; times that were measured are not in it."""
    challenger, champion = decision.challenger, decision.champion
    content = {
        "version": [challenger.name, challenger.number],
        "champion": None if champion is None else champion.number,
        # After a rollback the same version may be promoted once more.
        "promoted_before": challenger.tags.get(PROMOTED),
        "failed": decision.failed,
        "limits": params.model_dump(mode="json"),
    }
    return lineage.sha256_text(lineage.canonical_json(content))[:32]


def _card(challenger: Version, evidence: Evidence, place: Workplace) -> str:
    """Return the version's model card, with what was measured of its robustness."""
    card = place.registry.description(challenger)
    measured = evidence.robustness
    return card if measured is None else model_card.with_robustness(card, measured)
