import math

import pytest

from ser.registry import gates
from ser.registry.evidence import Estimate, Served
from ser.registry.gate_params import GateParams
from tests.registry.support import AUDIT, FAILING, GOOD, ROBUSTNESS, SERVED, SHARED, under


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
        ("stability", under("stability", trimmed=Estimate(value=1.0))),
        ("stability", {"robustness": ROBUSTNESS.model_copy(update={"stability": {}})}),
        ("robust_uar", under("uar_loss", noise_20db=Estimate(value=0.0))),
        ("robust_uar", {"robustness": ROBUSTNESS.model_copy(update={"uar_loss": {}})}),
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
                real_time_factor=params.max_real_time_factor,
            ),
            robustness=ROBUSTNESS.model_copy(
                update={
                    "stability": dict.fromkeys(
                        params.stability_changes,
                        Estimate(value=0.9, low=params.min_stability, high=1.0),
                    ),
                    "uar_loss": dict.fromkeys(
                        params.uar_changes,
                        Estimate(value=0.0, low=-0.1, high=params.max_uar_loss),
                    ),
                }
            ),
            size_mib=params.max_size_mib,
        )
        == []
    )


def test_without_a_champion_there_is_nothing_to_be_worse_than():
    assert failed(champion=None, difference_low=None, shared=None) == []


def non_inferiority(**changes):
    verdicts = gates.judge(GOOD.model_copy(update=changes), GateParams())
    (found,) = (verdict for verdict in verdicts if verdict.gate == "non_inferiority")
    return found


def shared(num_utterances, num_challenger=60, num_champion=60):
    counts = {"num_challenger": num_challenger, "num_champion": num_champion}
    return SHARED.model_copy(update={"num_utterances": num_utterances, **counts})


def test_without_a_pair_the_reason_and_the_way_on_are_said():
    for changes in ({"difference_low": None}, {"shared": None}):
        assert failed(**changes) == ["non_inferiority"]
        verdict = non_inferiority(**changes, no_pair="it tells other classes apart")
        assert "it tells other classes apart" in verdict.reason
        assert "`ser promote --new-line" in verdict.reason
        assert "corpus.name" in verdict.reason


@pytest.mark.parametrize(
    ("counts", "passes"),
    [
        ((59, 60, 59), True),  # the corpus grew by one
        ((59, 59, 60), True),
        ((30, 60, 30), True),  # exactly the least share
        ((29, 60, 29), False),
        ((29, 29, 60), False),
    ],
)
def test_the_comparison_needs_a_share_of_utterances_that_both_tested(counts, passes):
    verdict = non_inferiority(shared=shared(*counts))
    assert verdict.passed is passes
    assert f"{counts[0]} utterances that both tested" in verdict.reason
    assert ("`ser promote --new-line" in verdict.reason) is not passes
    assert failed(GateParams(min_shared=0.4), shared=shared(*counts)) == []


def test_a_worse_challenger_on_fewer_utterances_is_still_refused():
    assert failed(shared=shared(59), difference_low=-0.05) == ["non_inferiority"]


def test_a_new_line_is_compared_with_nobody_and_passes_no_other_gate_for_it():
    changes = {"difference_low": None, "shared": None, "new_line": "recorded anew"}
    verdict = non_inferiority(**changes)
    assert verdict.passed
    assert verdict.measured == "a new line"
    assert "recorded anew" in verdict.reason
    for gate, found in FAILING.items():
        expected = [] if gate == "non_inferiority" else [gate]
        assert failed(**changes, **{k: v for k, v in found.items() if k not in changes}) == expected


def test_a_model_that_cannot_be_served_fails_all_that_needs_it():
    verdicts = gates.judge(
        GOOD.model_copy(update={"served": None, "served_error": "it crashed"}), GateParams()
    )
    refused = {v.gate: v.reason for v in verdicts if not v.passed}
    assert set(refused) == {"served_equals_tracked", "latency"}
    assert set(refused.values()) == {"it crashed"}


def test_weights_that_could_not_be_asked_about_changes_say_why():
    changes = {"robustness": None, "robustness_error": "no weights are kept"}
    verdicts = gates.judge(GOOD.model_copy(update=changes), GateParams())
    refused = {v.gate: v.reason for v in verdicts if not v.passed}
    assert refused == dict.fromkeys(("stability", "robust_uar"), "no weights are kept")


def said(gate, **changes):
    verdicts = gates.judge(GOOD.model_copy(update=changes), GateParams())
    (verdict,) = (verdict for verdict in verdicts if verdict.gate == gate)
    return verdict


def test_each_change_is_said_with_its_interval():
    reason = said("stability").reason
    assert "60 utterances, 6 speakers" in reason
    for name in GateParams().stability_changes:
        assert f"{name} 0.950 [0.900, 0.980]" in reason
    assert "telephone 0.010 [-0.010, 0.020]" in said("robust_uar").reason
    assert "UAR lost of 0.700 clean" in said("robust_uar").reason


def test_the_changes_that_fail_are_named_with_the_cure():
    low = Estimate(value=0.7, low=0.6, high=0.8)
    lower = Estimate(value=0.6, low=0.5, high=0.7)
    verdict = said("stability", **under("stability", telephone=lower, noise_20db=low))
    assert verdict.measured == "0.600 [0.500, 0.700], telephone"
    assert verdict.limit == "low >= 0.8"
    cure = "fails under noise_20db, telephone: train with copies of that kind: "
    assert verdict.reason.endswith(f"{cure}recipes.lstm.copies")
    assert "fails" not in said("stability").reason


def test_it_is_the_end_of_the_interval_that_counts_and_not_the_share():
    (good,) = {GOOD.robustness.stability["telephone"].value}
    wide = Estimate(value=good, low=0.7, high=1.0)
    assert failed(**under("stability", telephone=wide)) == ["stability"]
    assert failed(GateParams(min_stability=0.7), **under("stability", telephone=wide)) == []
    wide = Estimate(value=0.0, low=-0.2, high=0.2)
    assert failed(**under("uar_loss", telephone=wide)) == ["robust_uar"]
    assert failed(GateParams(max_uar_loss=0.2), **under("uar_loss", telephone=wide)) == []


def test_where_there_is_no_interval_more_weights_are_the_cure():
    verdict = said("stability", **under("stability", telephone=Estimate(value=0.5)))
    assert "training.keep_weights: all" in verdict.reason


@pytest.mark.parametrize("field", ["stability_changes", "uar_changes"])
def test_changes_are_named_like_copies(field):
    chosen = GateParams.model_validate({field: ["speed_0.9"]})
    assert "speed_0.9" in chosen.changes
    with pytest.raises(ValueError, match="no copy is named 'louder'"):
        GateParams.model_validate({field: ["louder"]})
    with pytest.raises(ValueError, match="babble_10db mixes other recordings in"):
        GateParams.model_validate({field: ["babble_10db"]})
    with pytest.raises(ValueError, match="clean changes nothing"):
        GateParams.model_validate({field: ["clean"]})
    with pytest.raises(ValueError, match="at least 1 item"):
        GateParams.model_validate({field: []})


def test_the_changes_of_the_defaults_are_known():
    defaults = GateParams().model_dump()
    assert GateParams.model_validate(defaults).changes == (
        *("gain_-6db", "noise_20db", "telephone", "trimmed"),
    )


def test_the_changes_that_are_judged_are_those_of_the_params():
    other = {"speed_0.9": Estimate(value=0.5, low=0.4, high=0.6)}
    changes = under("stability", **other)
    assert failed(**changes) == []
    assert failed(GateParams(stability_changes=("speed_0.9",)), **changes) == ["stability"]


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


def test_what_just_misses_its_limit_is_not_shown_as_the_limit():
    evidence = GOOD.model_copy(update={"ece": GateParams().max_ece + 0.0004})
    (verdict,) = (v for v in gates.judge(evidence, GateParams()) if not v.passed)
    assert (verdict.measured, verdict.limit) == ("0.1504", "<= 0.15")
