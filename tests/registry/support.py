"""Evidence that every gate lets through, and what each gate alone does not; an old bundle."""

import json

from ser.registry import bundle as bundles
from ser.registry.evidence import Audit, Estimate, Evidence, Robustness, Served, Shared

AUDIT = Audit(
    split_matches=True,
    manifest_matches=True,
    num_shared_speakers=0,
    protocol="session",
    speaker_independent=True,
)
SERVED = Served(
    num_utterances=60,
    difference=1e-7,
    real_time_factor=0.01,
)
SHARED = Shared(num_utterances=60, num_challenger=60, num_champion=60, matched_by="recording")
STEADY = Estimate(value=0.95, low=0.9, high=0.98)
ROBUSTNESS = Robustness(
    weights="the served ones",
    num_utterances=60,
    num_speakers=6,
    stability=dict.fromkeys(("gain_-6db", "noise_20db", "telephone", "trimmed"), STEADY),
    uar=0.7,
    uar_loss=dict.fromkeys(("noise_20db", "telephone"), Estimate(value=0.01, low=-0.01, high=0.02)),
)
GOOD = Evidence(
    model="lstm",
    uar_low=0.6,
    champion="version 1 (lstm-focal)",
    difference_low=0.01,
    shared=SHARED,
    class_recall={"angry": 0.7, "happy": 0.5},
    speaker_wa={"s1": 0.6, "s2": 0.7},
    gender_uar={"female": 0.6, "male": 0.65},
    ece=0.05,
    audit=AUDIT,
    lineage_differences=(),
    served=SERVED,
    served_error="",
    robustness=ROBUSTNESS,
    size_mib=100.0,
    synthetic=False,
    allow_synthetic=False,
)


def under(field, **found):
    """Evidence that differs under some changes of a recording."""
    measured = {**getattr(ROBUSTNESS, field), **found}
    return {"robustness": ROBUSTNESS.model_copy(update={field: measured})}


#: Gate -> evidence that it alone does not let through.
FAILING = {
    "uar_floor": {"uar_low": 0.3},
    "non_inferiority": {"difference_low": -0.05},
    "worst_class": {"class_recall": {"angry": 0.9, "happy": 0.2}},
    "worst_speaker": {"speaker_wa": {"s1": 0.1, "s2": 0.9}},
    "gender_gap": {"gender_uar": {"female": 0.4, "male": 0.7}},
    "calibration": {"ece": 0.3},
    "stability": under("stability", telephone=Estimate(value=0.85, low=0.79, high=0.9)),
    "robust_uar": under("uar_loss", telephone=Estimate(value=0.08, low=0.04, high=0.12)),
    "leakage_audit": {"audit": AUDIT.model_copy(update={"split_matches": False})},
    "lineage": {"lineage_differences": ("ser/losses/focal.py",)},
    "served_equals_tracked": {"served": SERVED.model_copy(update={"difference": 1e-3})},
    "latency": {"served": SERVED.model_copy(update={"real_time_factor": 0.9})},
    "size": {"size_mib": 5000.0},
    "synthetic": {"synthetic": True},
}


def as_format_1(folder):
    """Make a bundle one of the format before this one; give the content of its bundle.json."""
    path = folder / bundles.FILE
    content = json.loads(path.read_text())
    del content["hearing"], content["files"][bundles.FAMILIARITY]
    content["format"] = 1
    content["environment"] = {"python": "3.11.7", "packages": {"torch": "2.11.0"}}
    (folder / bundles.FAMILIARITY).unlink()
    path.write_text(json.dumps(content))
    return content
