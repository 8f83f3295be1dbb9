"""The gates before promotion: pure judgements over measured evidence.

A gate never measures and never guesses: what was not measured, or is NaN, fails it.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from pydantic import ConfigDict, Field

from ser.params import Section

#: A measurement may come to NaN; JSON has no number for it, so it is written as a string.
_MEASURED = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")


class GateParams(Section):
    """Limits of the gates.

    Args:
        min_uar_low: Lower end of the 95 % interval over speakers of the test UAR; well above
            the 0.25 that guessing among four emotions gets.
        non_inferiority_margin: The challenger may be worse than the champion by this much
            UAR at most, at the lower end of the paired interval; two points are less than
            the noise between seeds.
        min_class_recall: Of the worst emotion: none may be given up for the mean.
        min_speaker_wa: Accuracy for the worst speaker, who must be served better than by
            guessing. Accuracy, since a speaker may lack an emotion.
        max_gender_gap: UAR of the better gender minus that of the worse one.
        max_ece: Expected calibration error after the temperature: what it says of its own
            certainty is believed by those who use it.
        min_stability: Share of utterances whose emotion stays the same under the worst of
            the small changes of `ser.promotion.perturbations`: a listener would change
            their mind about few.
        max_served_difference: Between served and tracked log-probabilities before the
            temperature, in nats; more than rounding means that something else is served
            than was tested. 1e-4 is 840 float32 roundings (2^-23), or 26 of a logit of 32, as
            two of AAM's cosines times 16 are apart; 1.2 were measured, and deeper networks
            have more. Weights in half precision differ by more than 1e-4.
        max_real_time_factor: Seconds of computing per second of speech, median: an answer
            must come sooner than the speech takes.
        max_size_mib: Of the bundle; must fit into the memory of a small server.
        allow_speaker_dependent: Accept scores of a protocol whose test speakers were heard
            in training. They promise more than a new speaker gets.
    """

    min_uar_low: float = Field(0.35, ge=0.0, le=1.0)
    non_inferiority_margin: float = Field(0.02, ge=0.0, le=1.0)
    min_class_recall: float = Field(0.35, ge=0.0, le=1.0)
    min_speaker_wa: float = Field(0.30, ge=0.0, le=1.0)
    max_gender_gap: float = Field(0.20, ge=0.0, le=1.0)
    max_ece: float = Field(0.15, ge=0.0, le=1.0)
    min_stability: float = Field(0.80, ge=0.0, le=1.0)
    max_served_difference: float = Field(1e-4, ge=0.0)
    max_real_time_factor: float = Field(0.5, gt=0.0)
    max_size_mib: float = Field(2000.0, gt=0.0)
    allow_speaker_dependent: bool = False


class Audit(Section):
    """What the split report says, and whether it is that of the version.

    Args:
        split_matches, manifest_matches: The digests in the report, in the files and in the
            version's tags are the same.
        num_shared_speakers: Test speakers heard in train or dev, all folds together.
        protocol: Of the split.
        speaker_independent: Whether the protocol promises it.
    """

    split_matches: bool
    manifest_matches: bool
    num_shared_speakers: int
    protocol: str
    speaker_independent: bool


class Served(Section):
    """What the served model answered, measured in a process of its own.

    Args:
        num_utterances: How many it was asked.
        difference: Largest difference of a log-probability from the tracked one, before the
            temperature, in nats.
        stability: Change of the audio -> share of utterances with the same emotion.
        real_time_factor: Median of seconds of computing per second of speech.
    """

    model_config = _MEASURED

    num_utterances: int
    difference: float
    stability: Mapping[str, float]
    real_time_factor: float


class Evidence(Section):
    """Everything measured of a challenger.

    Args:
        uar_low: Lower end of the 95 % interval of the test UAR.
        champion: The present champion, `version n (cell)`; None where there is none.
        difference_low: Lower end of the paired interval of challenger minus champion; None
            without a champion.
        same_test_utterances: Whether both were tested on the same utterances.
        class_recall: Emotion -> recall.
        speaker_wa: Speaker -> accuracy.
        gender_uar: Gender -> UAR; empty where the corpus does not tell.
        ece: After the temperature.
        audit: None where there is no split report.
        lineage_differences: What no longer agrees with the workspace.
        served: None where the process that asked it ended with an error.
        served_error: Its last line, if so.
        size_mib: Of the bundle.
        synthetic: Trained on synthetic speech.
        allow_synthetic: Whether that was allowed by whoever asked.
    """

    model_config = _MEASURED

    uar_low: float
    champion: str | None
    difference_low: float | None
    same_test_utterances: bool | None
    class_recall: Mapping[str, float]
    speaker_wa: Mapping[str, float]
    gender_uar: Mapping[str, float]
    ece: float
    audit: Audit | None
    lineage_differences: tuple[str, ...]
    served: Served | None
    served_error: str
    size_mib: float
    synthetic: bool
    allow_synthetic: bool


class Verdict(Section):
    """What a gate says.

    Args:
        gate: Its name.
        measured, limit: For people.
        passed: Whether the challenger may go through.
        reason: One sentence.
    """

    gate: str
    measured: str
    limit: str
    passed: bool
    reason: str


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
    if not evidence.same_test_utterances or evidence.difference_low is None:
        return _refused(
            *(gate, "other utterances", f">= {limit:g}"),
            f"{evidence.champion} was tested on other utterances, so the two make no pair",
        )
    reason = f"lower end of the paired difference from the champion, {evidence.champion}"
    return _at_least(gate, evidence.difference_low, limit, reason)


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
    if evidence.served is None:
        limit = f">= {params.min_stability:g}"
        return _refused("stability", "not measured", limit, evidence.served_error)
    change, share = _lowest(evidence.served.stability)
    reason = "share of emotions that stay the same under the worst small change"
    return _at_least("stability", share, params.min_stability, reason, what=change)


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
    *(_stability, _leakage_audit, _lineage, _served_equals_tracked, _latency, _size, _synthetic),
)


def judge(evidence: Evidence, params: GateParams) -> list[Verdict]:
    """Return what every gate says, in their order.

    Args:
        evidence: What was measured.
        params: The limits.
    """
    return [gate(evidence, params) for gate in GATES]


def as_table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts for a terminal: gate, measured, limit, verdict, reason."""
    rows = [("gate", "measured", "limit", "verdict", "")]
    for verdict in verdicts:
        said = "pass" if verdict.passed else "FAIL"
        rows.append((verdict.gate, verdict.measured, verdict.limit, said, verdict.reason))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _lowest(values: Mapping[str, float]) -> tuple[str, float]:
    """Return the name and value of the lowest; NaN is the lowest there is."""
    if not values:
        return "none", math.nan
    name = min(values, key=lambda key: -math.inf if math.isnan(values[key]) else values[key])
    return name, values[name]
