import json
import math

import pytest

from ser.registry import gates
from ser.registry.evidence import Estimate, Evidence
from ser.registry.gate_params import GateParams
from tests.registry.support import GOOD, ROBUSTNESS, SERVED

#: A record as it was before the intervals: the shares of some changes stood in `served`.
ONCE = {
    "uar_low": 0.6,
    "champion": None,
    "difference_low": None,
    "same_test_utterances": None,
    "class_recall": {"angry": 0.7},
    "speaker_wa": {"s1": 0.6},
    "gender_uar": {},
    "ece": 0.05,
    "audit": None,
    "lineage_differences": [],
    "served": {
        "num_utterances": 200,
        "difference": 1e-7,
        "stability": {"quieter by 6 dB": 0.7, "telephone band": "NaN"},
        "real_time_factor": 0.01,
    },
    "served_error": "",
    "size_mib": 100.0,
    "synthetic": False,
    "allow_synthetic": False,
}


@pytest.mark.parametrize(
    "changes", [{}, {"champion": None, "audit": None, "served": None, "robustness": None}]
)
def test_evidence_survives_json(changes):
    evidence = GOOD.model_copy(update=changes)
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_evidence_with_what_is_no_number_survives_json():
    served = SERVED.model_copy(update={"difference": math.nan})
    unknown = ROBUSTNESS.model_copy(
        update={"stability": {"gain_-6db": Estimate(value=0.9)}, "uar": math.nan}
    )
    evidence = GOOD.model_copy(
        update={"difference_low": math.nan, "served": served, "robustness": unknown}
    )
    found = Evidence.model_validate_json(evidence.model_dump_json())
    assert math.isnan(found.difference_low)
    assert math.isnan(found.served.difference)
    assert math.isnan(found.robustness.stability["gain_-6db"].low)
    assert gates.judge(found, GateParams()) == gates.judge(evidence, GateParams())


def test_a_record_without_intervals_is_read():
    found = Evidence.model_validate_json(json.dumps(ONCE))
    assert found.served.difference == 1e-7
    measured = found.robustness
    assert measured.stability["quieter by 6 dB"].value == 0.7
    assert math.isnan(measured.stability["quieter by 6 dB"].low)
    assert math.isnan(measured.stability["telephone band"].value)
    assert (measured.num_utterances, measured.num_speakers) == (40, None)
    assert Evidence.model_validate_json(found.model_dump_json()).model == ""


def test_a_record_that_only_says_that_the_utterances_were_the_same_is_read():
    found = Evidence.model_validate_json(json.dumps({**ONCE, "same_test_utterances": True}))
    assert (found.shared, found.new_line) == (None, None)


def test_a_record_without_intervals_passes_no_gate_that_asks_for_them():
    verdicts = gates.judge(Evidence.model_validate_json(json.dumps(ONCE)), GateParams())
    failed = {verdict.gate for verdict in verdicts if not verdict.passed}
    assert failed == {"stability", "robust_uar", "leakage_audit"}


def test_a_record_of_a_model_that_was_not_served_is_read():
    found = Evidence.model_validate_json(json.dumps({**ONCE, "served": None}))
    assert found.served is None
    assert found.robustness is None


def test_what_was_measured_is_tracked_with_its_intervals():
    stability = {"gain_-6db": Estimate(value=0.9, low=0.8, high=1.0)}
    loss = {"telephone": Estimate(value=0.02)}
    measured = ROBUSTNESS.model_copy(update={"uar": 0.7, "stability": stability, "uar_loss": loss})
    assert measured.as_metrics() == {
        "robustness/uar": 0.7,
        "robustness/stability_gain_-6db": 0.9,
        "robustness/stability_gain_-6db_low": 0.8,
        "robustness/stability_gain_-6db_high": 1.0,
        "robustness/uar_loss_telephone": 0.02,
    }
