import math

import pytest

from ser.registry import gates
from ser.registry.gates import Evidence, GateParams, Served
from tests.registry.support import AUDIT, FAILING, GOOD, SERVED


def failed(params=None, **changes):
    evidence = GOOD.model_copy(update=changes)
    verdicts = gates.judge(evidence, params or GateParams())
    return [verdict.gate for verdict in verdicts if not verdict.passed]


def test_good_evidence_passes_every_gate():
    assert failed() == []
    assert [v.gate for v in gates.judge(GOOD, GateParams())] == list(FAILING)


@pytest.mark.parametrize("gate", FAILING)
def test_each_gate_fails_alone(gate):
    assert failed(**FAILING[gate]) == [gate]


@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        ("uar_floor", {"uar_low": math.nan}),
        ("non_inferiority", {"difference_low": math.nan}),
        ("worst_class", {"class_recall": {"angry": math.nan, "happy": 0.9}}),
        ("worst_class", {"class_recall": {}}),
        ("worst_speaker", {"speaker_wa": {}}),
        ("worst_speaker", {"speaker_wa": {"s1": 0.9, "s2": math.nan}}),
        ("gender_gap", {"gender_uar": {"female": math.nan, "male": 0.6}}),
        ("gender_gap", {"gender_uar": {"female": 0.6, "male": math.nan}}),
        ("gender_gap", {"gender_uar": {"female": math.nan}}),
        ("calibration", {"ece": math.nan}),
        ("size", {"size_mib": math.nan}),
        (
            "served_equals_tracked",
            {"served": SERVED.model_copy(update={"difference": math.nan})},
        ),
        ("latency", {"served": SERVED.model_copy(update={"real_time_factor": math.nan})}),
        ("stability", {"served": SERVED.model_copy(update={"stability": {"a": math.nan}})}),
    ],
)
def test_what_is_no_number_never_passes(gate, changes):
    assert failed(**changes) == [gate]


def test_exactly_at_the_limit_passes():
    params = GateParams()
    assert (
        failed(
            uar_low=params.min_uar_low,
            difference_low=-params.non_inferiority_margin,
            class_recall={"angry": params.min_class_recall},
            speaker_wa={"s1": params.min_speaker_wa},
            gender_uar={"female": 0.5, "male": 0.5 + params.max_gender_gap},
            ece=params.max_ece,
            served=Served(
                num_utterances=60,
                difference=params.max_served_difference,
                stability={"quieter": params.min_stability},
                real_time_factor=params.max_real_time_factor,
            ),
            size_mib=params.max_size_mib,
        )
        == []
    )


def test_without_a_champion_there_is_nothing_to_be_worse_than():
    assert failed(champion=None, difference_low=None, same_test_utterances=None) == []


def test_a_champion_tested_on_other_utterances_makes_no_pair():
    for low in (None, 0.01):
        assert failed(same_test_utterances=False, difference_low=low) == ["non_inferiority"]
    assert failed(difference_low=None) == ["non_inferiority"]


def test_a_model_that_cannot_be_served_fails_all_that_needs_it():
    verdicts = gates.judge(
        GOOD.model_copy(update={"served": None, "served_error": "it crashed"}), GateParams()
    )
    refused = {v.gate: v.reason for v in verdicts if not v.passed}
    assert set(refused) == {"stability", "served_equals_tracked", "latency"}
    assert set(refused.values()) == {"it crashed"}


@pytest.mark.parametrize("scores", [{}, {"female": 0.2}])
def test_one_gender_or_none_has_no_gap(scores):
    assert failed(gender_uar=scores) == []


@pytest.mark.parametrize(
    "audit",
    [
        None,
        AUDIT.model_copy(update={"manifest_matches": False}),
        AUDIT.model_copy(update={"num_shared_speakers": 3}),
        AUDIT.model_copy(update={"speaker_independent": False}),
    ],
)
def test_the_audit_must_be_there_match_and_find_nothing(audit):
    assert failed(audit=audit) == ["leakage_audit"]


def test_a_speaker_dependent_protocol_can_be_allowed():
    audit = AUDIT.model_copy(update={"speaker_independent": False, "num_shared_speakers": 9})
    assert failed(GateParams(allow_speaker_dependent=True), audit=audit) == []
    other = audit.model_copy(update={"split_matches": False})
    assert failed(GateParams(allow_speaker_dependent=True), audit=other) == ["leakage_audit"]


def test_shared_speakers_are_not_called_a_dependent_protocol():
    for independent, said in ((True, "promises new speakers"), (False, "is speaker-dependent")):
        changes = {"speaker_independent": independent, "num_shared_speakers": 2}
        evidence = GOOD.model_copy(update={"audit": AUDIT.model_copy(update=changes)})
        (verdict,) = (v for v in gates.judge(evidence, GateParams()) if not v.passed)
        assert said in verdict.reason


def test_synthetic_results_pass_only_where_that_is_said():
    assert failed(synthetic=True, allow_synthetic=True) == []


def test_the_table_says_what_was_measured_against_what():
    text = gates.as_table(gates.judge(GOOD.model_copy(update={"ece": 0.3}), GateParams()))
    (line,) = (line for line in text.splitlines() if line.startswith("calibration"))
    assert line.split()[1:5] == ["0.3", "<=", "0.15", "FAIL"]
    assert text.count("pass") == len(FAILING) - 1


def test_what_just_misses_its_limit_is_not_shown_as_the_limit():
    evidence = GOOD.model_copy(update={"ece": GateParams().max_ece + 0.0004})
    (verdict,) = (v for v in gates.judge(evidence, GateParams()) if not v.passed)
    assert (verdict.measured, verdict.limit) == ("0.1504", "<= 0.15")


@pytest.mark.parametrize("changes", [{}, {"champion": None, "audit": None, "served": None}])
def test_evidence_survives_json(changes):
    evidence = GOOD.model_copy(update=changes)
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_evidence_with_what_is_no_number_survives_json():
    served = SERVED.model_copy(update={"difference": math.nan, "stability": {"a": math.nan}})
    evidence = GOOD.model_copy(update={"difference_low": math.nan, "served": served})
    found = Evidence.model_validate_json(evidence.model_dump_json())
    assert math.isnan(found.difference_low)
    assert math.isnan(found.served.difference)
    assert math.isnan(found.served.stability["a"])
    assert gates.judge(found, GateParams()) == gates.judge(evidence, GateParams())
