"""The gates before promotion: pure judgements over measured evidence.

A gate never measures and never guesses: what was not measured, or is NaN, fails it.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from ser.registry.evidence import Estimate, Evidence
from ser.registry.gate_params import GateParams
from ser.registry.verdicts import Verdict

#: The way on where challenger and champion cannot be compared.
_NEW_LINE = (
    '`ser promote --new-line "why"` begins a new line of champions; a table of other recordings '
    "gets a corpus.name of its own"
)

#: Of a change that nobody asked about.
_UNKNOWN = Estimate(value=math.nan)


Gate = Callable[[Evidence, GateParams], Verdict]


def _at_least(gate: str, value: float, limit: float, reason: str, *, what: str = "") -> Verdict:
    measured = f"{value:.4f}{f' ({what})' if what else ''}"
    # Not `value < limit`: a NaN must fail.
    return Verdict(
        gate=gate, measured=measured, limit=f">= {limit:g}", passed=value >= limit, reason=reason
    )


def _at_most(gate: str, value: float, limit: float, reason: str, *, what: str = "") -> Verdict:
    measured = f"{value:.4g}{f' ({what})' if what else ''}"
    return Verdict(
        gate=gate, measured=measured, limit=f"<= {limit:g}", passed=value <= limit, reason=reason
    )


def _refused(gate: str, measured: str, limit: str, reason: str) -> Verdict:
    return Verdict(gate=gate, measured=measured, limit=limit, passed=False, reason=reason)


def _passed(gate: str, measured: str, limit: str, reason: str) -> Verdict:
    return Verdict(gate=gate, measured=measured, limit=limit, passed=True, reason=reason)


def _uar_floor(evidence: Evidence, params: GateParams) -> Verdict:
    reason = "the lower end of the UAR's interval over speakers, above the limit"
    return _at_least("uar_floor", evidence.uar_low, params.min_uar_low, reason)


def _non_inferiority(evidence: Evidence, params: GateParams) -> Verdict:
    gate, limit = "non_inferiority", -params.non_inferiority_margin
    if evidence.champion is None:
        return _passed(gate, "no champion", f">= {limit:g}", "there is nothing to be worse than")
    if evidence.new_line is not None:
        reason = f"not compared with {evidence.champion}: {evidence.new_line}"
        return _passed(gate, "a new line", f">= {limit:g}", reason)
    shared, low = evidence.shared, evidence.difference_low
    if shared is None or low is None:
        reason = f"no pair with the champion, {evidence.champion}: {evidence.no_pair}; {_NEW_LINE}"
        return _refused(gate, "no pair", f">= {limit:g}", reason)
    if shared.share < params.min_shared:
        return _refused(
            *(gate, f"{shared.share:.2f} in common", f">= {params.min_shared:g} in common"),
            f"too few for a pair with the champion, {evidence.champion}: {shared.described}, "
            f"matched by {shared.matched_by}; {_NEW_LINE}, gates.min_shared is the least share",
        )
    reason = (
        f"lower end of the paired difference from the champion, {evidence.champion}, on the "
        f"{shared.described}, matched by {shared.matched_by}"
    )
    return _at_least(gate, low, limit, reason)


def _worst_class(evidence: Evidence, params: GateParams) -> Verdict:
    emotion, recall = _lowest(evidence.class_recall)
    reason = "recall of the worst emotion"
    return _at_least("worst_class", recall, params.min_class_recall, reason, what=emotion)


def _worst_speaker(evidence: Evidence, params: GateParams) -> Verdict:
    speaker, accuracy = _lowest(evidence.speaker_wa)
    reason = "accuracy for the worst speaker"
    return _at_least("worst_speaker", accuracy, params.min_speaker_wa, reason, what=speaker)


def _gender_gap(evidence: Evidence, params: GateParams) -> Verdict:
    scores = evidence.gender_uar
    is_measured = not any(math.isnan(value) for value in scores.values())
    if is_measured and len(scores) < 2:
        said = "one gender" if scores else "genders unknown"
        return _passed("gender_gap", said, f"<= {params.max_gender_gap:g}", "nothing to compare")
    gap = max(scores.values()) - min(scores.values()) if is_measured else math.nan
    worse, _ = _lowest(scores)
    reason = "UAR of the better gender minus that of the worse one"
    what = f"worse: {worse}"
    return _at_most("gender_gap", gap, params.max_gender_gap, reason, what=what)


def _calibration(evidence: Evidence, params: GateParams) -> Verdict:
    reason = "expected calibration error after the temperature"
    return _at_most("calibration", evidence.ece, params.max_ece, reason)


def _stability(evidence: Evidence, params: GateParams) -> Verdict:
    measured, limit = evidence.robustness, params.min_stability
    if measured is None:
        return _refused("stability", "not measured", f">= {limit:g}", evidence.robustness_error)
    return _under_changes(
        "stability",
        {name: measured.stability.get(name, _UNKNOWN) for name in params.stability_changes},
        limit=f"low >= {limit:g}",
        margin=lambda found: found.low - limit,
        what=f"share of emotions that stay the same, {measured.asked}",
        model=evidence.model,
    )


def _robust_uar(evidence: Evidence, params: GateParams) -> Verdict:
    measured, limit = evidence.robustness, params.max_uar_loss
    if measured is None:
        return _refused("robust_uar", "not measured", f"<= {limit:g}", evidence.robustness_error)
    return _under_changes(
        "robust_uar",
        {name: measured.uar_loss.get(name, _UNKNOWN) for name in params.uar_changes},
        limit=f"high <= {limit:g}",
        margin=lambda found: limit - found.high,
        what=f"UAR lost of {measured.uar:.3f} clean, {measured.asked}",
        model=evidence.model,
    )


def _under_changes(
    gate: str,
    found: Mapping[str, Estimate],
    *,
    limit: str,
    margin: Callable[[Estimate], float],
    what: str,
    model: str,
) -> Verdict:
    """Return the verdict on what must hold under each change of a recording.

    Args:
        gate: Its name.
        found: Change -> what was measured under it.
        limit: For people.
        margin: How far inside the limit a measurement lies; below 0 or NaN, it fails.
        what: What was measured, and on how many.
        model: Whose recipe may draw from copies.
    """
    margins = {name: margin(estimate) for name, estimate in found.items()}
    worst, _ = _lowest(margins)
    failing = [name for name, value in margins.items() if not value >= 0]
    shown = ", ".join(f"{name} {_with_interval(estimate)}" for name, estimate in found.items())
    reason = f"{what}: {shown}"
    if failing:
        reason += f"; fails under {', '.join(failing)}: {_cure(failing, margins, model)}"
    return Verdict(
        gate=gate,
        measured=f"{_with_interval(found[worst])}, {worst}",
        limit=limit,
        passed=not failing,
        reason=reason,
    )


def _cure(failing: Sequence[str], margins: Mapping[str, float], model: str) -> str:
    if any(math.isnan(margins[name]) for name in failing):
        return (
            "an interval needs two speakers and every class; keep the weights of more folds "
            "(training.keep_weights: all)"
        )
    return f"train with copies of that kind: recipes.{model or '<model>'}.copies"


def _with_interval(found: Estimate) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _leakage_audit(evidence: Evidence, params: GateParams) -> Verdict:
    gate, limit, audit = "leakage_audit", "0 shared speakers", evidence.audit
    if audit is None:
        return _refused(gate, "no report", limit, "data/split_report.json is not there")
    if not (audit.split_matches and audit.manifest_matches):
        what = "split" if not audit.split_matches else "manifest"
        return _refused(gate, f"another {what}", limit, "the report is not that of this version")
    if audit.speaker_independent and audit.num_shared_speakers == 0:
        return _passed(gate, "0 shared speakers", limit, "the audit's proof matches the version")
    said = f"{audit.num_shared_speakers} shared speakers"
    if audit.speaker_independent:
        reason = f"protocol {audit.protocol} promises new speakers, and tests on known ones"
        return _refused(gate, said, limit, reason)
    if params.allow_speaker_dependent:
        return _passed(gate, said, "allowed", "gates.allow_speaker_dependent is true")
    return _refused(gate, said, limit, f"protocol {audit.protocol} is speaker-dependent")


def _lineage(evidence: Evidence, params: GateParams) -> Verdict:  # noqa: ARG001 (no limit)
    differing = evidence.lineage_differences
    if differing:
        measured = f"{len(differing)} differ"
        reason = f"no longer what it was trained from: {', '.join(differing[:4])}"
        return _refused("lineage", measured, "0 differ", reason)
    return _passed("lineage", "0 differ", "0 differ", "data, features, code and lock agree")


def _served_equals_tracked(evidence: Evidence, params: GateParams) -> Verdict:
    gate, limit = "served_equals_tracked", params.max_served_difference
    if evidence.served is None:
        return _refused(gate, "not measured", f"<= {limit:g}", evidence.served_error)
    reason = "largest difference of a served log-probability from the tracked one"
    what = f"{evidence.served.num_utterances} utterances"
    return _at_most(gate, evidence.served.difference, limit, reason, what=what)


def _latency(evidence: Evidence, params: GateParams) -> Verdict:
    limit = params.max_real_time_factor
    if evidence.served is None:
        return _refused("latency", "not measured", f"<= {limit:g}", evidence.served_error)
    reason = "seconds of computing per second of speech, median"
    return _at_most("latency", evidence.served.real_time_factor, limit, reason)


def _size(evidence: Evidence, params: GateParams) -> Verdict:
    return _at_most("size", evidence.size_mib, params.max_size_mib, "MiB of the bundle")


def _synthetic(evidence: Evidence, params: GateParams) -> Verdict:  # noqa: ARG001 (no limit)
    if not evidence.synthetic:
        return _passed("synthetic", "real speech", "real speech", "trained on recordings of people")
    if evidence.allow_synthetic:
        return _passed("synthetic", "synthetic", "allowed", "--allow-synthetic was said")
    reason = (
        "synthetic speech proves the machinery only; --allow-synthetic promotes it all the same"
    )
    return _refused("synthetic", "synthetic", "real speech", reason)


GATES: tuple[Gate, ...] = (
    *(_uar_floor, _non_inferiority, _worst_class, _worst_speaker, _gender_gap, _calibration),
    *(_stability, _robust_uar, _leakage_audit, _lineage, _served_equals_tracked, _latency),
    *(_size, _synthetic),
)


def judge(evidence: Evidence, params: GateParams) -> list[Verdict]:
    """Return what every gate says, in their order.

    Args:
        evidence: What was measured.
        params: The limits.
    """
    return [gate(evidence, params) for gate in GATES]


def _lowest(values: Mapping[str, float]) -> tuple[str, float]:
    """Return the name and value of the lowest; NaN is the lowest there is."""
    if not values:
        return "none", math.nan
    name = min(values, key=lambda key: -math.inf if math.isnan(values[key]) else values[key])
    return name, values[name]
