"""What is measured of a challenger, for the gates: records, without a limit in them."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, model_validator

from ser.params import Section

#: A field of records from before the utterances that both tested were counted.
_SAME = "same_test_utterances"

#: A measurement may come to NaN; JSON has no number for it, so it is written as a string.
_MEASURED = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")


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
        real_time_factor: Median of seconds of computing per second of speech.
    """

    model_config = _MEASURED

    num_utterances: int
    difference: float
    real_time_factor: float


class Estimate(Section):
    """A number that was measured on some speakers, and how far it holds for others.

    A bare number is read too: one whose interval nobody measured.

    Args:
        value: As measured.
        low, high: Ends of its 95 % interval over speakers; NaN where that is not known.
    """

    model_config = _MEASURED

    value: float
    low: float = math.nan
    high: float = math.nan

    @model_validator(mode="before")
    @classmethod
    def _of_number(cls, content: Any) -> Any:
        return {"value": content} if isinstance(content, int | float | str) else content


class Shared(Section):
    """The test utterances that a challenger and the champion have in common.

    Args:
        num_utterances: How many these are.
        num_challenger, num_champion: How many each was tested on.
        matched_by: `recording`: id, recording and truth are the same; `id`: id and truth are,
            of a version that does not say its recordings.
    """

    num_utterances: int
    num_challenger: int
    num_champion: int
    matched_by: Literal["recording", "id"]

    @property
    def share(self) -> float:
        """Of what the one with more utterances was tested on, in [0, 1]."""
        return self.num_utterances / max(self.num_challenger, self.num_champion)

    @property
    def described(self) -> str:
        """For people: how many, and of how many."""
        return (
            f"{self.num_utterances} utterances that both tested (challenger "
            f"{self.num_challenger}, champion {self.num_champion})"
        )


class Robustness(Section):
    """How a challenger's weights answer when a recording is changed.

    Every utterance is one that the weights asked about it were not trained on.

    Args:
        weights: Which weights were asked, for people.
        num_utterances: How many were asked about, each clean and under every change.
        num_speakers: Who spoke them; None in a record that does not say.
        stability: Change, as `ser.features.copies` names it -> share of utterances whose
            emotion stays the same, in [0, 1].
        uar: Of the same utterances, clean; NaN where that was not measured.
        uar_loss: Change -> UAR clean minus UAR under the change, on the same utterances.
    """

    model_config = _MEASURED

    weights: str
    num_utterances: int
    num_speakers: int | None
    stability: Mapping[str, Estimate]
    uar: float
    uar_loss: Mapping[str, Estimate]

    @property
    def asked(self) -> str:
        """For people: how many were asked about."""
        speakers = (
            "speakers unknown" if self.num_speakers is None else f"{self.num_speakers} speakers"
        )
        return f"{self.num_utterances} utterances, {speakers}"

    def as_metrics(self) -> dict[str, float]:
        """Return the tracking keys, e.g. `robustness/stability_telephone_low`; none is NaN."""
        named = {
            **{f"stability_{change}": found for change, found in self.stability.items()},
            **{f"uar_loss_{change}": found for change, found in self.uar_loss.items()},
        }
        keys = {"robustness/uar": self.uar}
        for name, found in named.items():
            keys |= {f"robustness/{name}": found.value}
            keys |= {f"robustness/{name}_low": found.low, f"robustness/{name}_high": found.high}
        return {key: value for key, value in keys.items() if not math.isnan(value)}


class Evidence(Section):
    """Everything measured of a challenger.

    A record from before the intervals of stability, which stood in `served`, is read too, and
    one that only says whether challenger and champion had the same test utterances.

    Args:
        model: Name of the model, as in `recipes.<model>`; empty in a record that does not say.
        uar_low: Lower end of the 95 % interval of the test UAR.
        champion: The present champion, `version n (cell)`; None where there is none.
        difference_low: Lower end of the paired interval of challenger minus champion, on the
            utterances that both tested; None without a pair.
        shared: These utterances; None without a champion of the same classes.
        no_pair: Why the two make no pair, if so.
        new_line: Why the challenger begins a new line of champions, compared with none before;
            None where it does not.
        class_recall: Emotion -> recall.
        speaker_wa: Speaker -> accuracy.
        gender_uar: Gender -> UAR; empty where the corpus does not tell.
        ece: After the temperature.
        audit: None where there is no split report.
        lineage_differences: What no longer agrees with the workspace.
        served: None where the process that asked it ended with an error.
        served_error: Its last line, if so.
        robustness: None where no weights could be asked about changed recordings.
        robustness_error: Why, if so.
        size_mib: Of the bundle.
        synthetic: Trained on synthetic speech.
        allow_synthetic: Whether that was allowed by whoever asked.
    """

    model_config = _MEASURED

    model: str = ""
    uar_low: float
    champion: str | None
    difference_low: float | None
    shared: Shared | None = None
    no_pair: str = ""
    new_line: str | None = None
    class_recall: Mapping[str, float]
    speaker_wa: Mapping[str, float]
    gender_uar: Mapping[str, float]
    ece: float
    audit: Audit | None
    lineage_differences: tuple[str, ...]
    served: Served | None
    served_error: str
    robustness: Robustness | None = None
    robustness_error: str = ""
    size_mib: float
    synthetic: bool
    allow_synthetic: bool

    @model_validator(mode="before")
    @classmethod
    def _as_once_recorded(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and _SAME in content:
            content = {key: value for key, value in content.items() if key != _SAME}
        served = content.get("served") if isinstance(content, Mapping) else None
        if not isinstance(served, Mapping) or "stability" not in served:
            return content
        rest = {key: value for key, value in served.items() if key != "stability"}
        return {**content, "served": rest, "robustness": _once_recorded(served)}


def _once_recorded(served: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `served` once held: shares under changes, of up to 40 of its utterances."""
    return {
        "weights": "the served ones",
        "num_utterances": min(40, int(served["num_utterances"])),
        "num_speakers": None,
        "stability": served["stability"],
        "uar": math.nan,
        "uar_loss": {},
    }
