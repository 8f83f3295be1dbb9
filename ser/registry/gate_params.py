"""The section `gates` of params.yaml: the limits of the gates before promotion."""

from pydantic import Field, field_validator

from ser.features import copies
from ser.features.store import CLEAN
from ser.params import Section


class GateParams(Section):
    """Limits of the gates.

    Args:
        min_uar_low: Lower end of the 95 % interval over speakers of the test UAR; well above
            the 0.25 that guessing among four emotions gets.
        non_inferiority_margin: The challenger may be worse than the champion by this much
            UAR at most, at the lower end of the paired interval; two points are less than
            the noise between seeds.
        min_shared: Share of the test utterances that challenger and champion must have in
            common to be compared, of those of the one with more, in (0, 1]: with fewer, the
            comparison says little of the corpus as it is.
        min_class_recall: Of the worst emotion: none may be given up for the mean.
        min_speaker_wa: Accuracy for the worst speaker, who must be served better than by
            guessing. Accuracy, since a speaker may lack an emotion.
        max_gender_gap: UAR of the better gender minus that of the worse one.
        max_ece: Expected calibration error after the temperature: what it says of its own
            certainty is believed by those who use it.
        num_utterances: How many test utterances a challenger is asked about at most, as they
            are and under each change below; drawn evenly over speakers and classes, always
            the same ones.
        stability_changes: Changes of a recording, named like copies of a feature, that must
            leave the emotion as it is: a listener would change their mind about few.
        min_stability: Share of utterances whose emotion stays the same, under each of them,
            at the lower end of its 95 % interval over speakers.
        uar_changes: Changes that must not cost much UAR.
        max_uar_loss: UAR of the same utterances clean minus that under each of them, at the
            upper end of its 95 % interval over speakers.
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
    min_shared: float = Field(0.5, gt=0.0, le=1.0)
    min_class_recall: float = Field(0.35, ge=0.0, le=1.0)
    min_speaker_wa: float = Field(0.30, ge=0.0, le=1.0)
    max_gender_gap: float = Field(0.20, ge=0.0, le=1.0)
    max_ece: float = Field(0.15, ge=0.0, le=1.0)
    num_utterances: int = Field(200, ge=1)
    stability_changes: tuple[str, ...] = Field(
        ("gain_-6db", "noise_20db", "telephone", "trimmed"), min_length=1
    )
    min_stability: float = Field(0.80, ge=0.0, le=1.0)
    uar_changes: tuple[str, ...] = Field(("noise_20db", "telephone"), min_length=1)
    max_uar_loss: float = Field(0.10, ge=0.0, le=1.0)
    max_served_difference: float = Field(1e-4, ge=0.0)
    max_real_time_factor: float = Field(0.5, gt=0.0)
    max_size_mib: float = Field(2000.0, gt=0.0)
    allow_speaker_dependent: bool = False

    @property
    def changes(self) -> tuple[str, ...]:
        """All changes of a recording that are asked for, each once."""
        return tuple(dict.fromkeys((*self.stability_changes, *self.uar_changes)))

    @field_validator("stability_changes", "uar_changes")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            copies.change_of(name)
            if copies.heard_in(name)[0] is not None:
                raise ValueError(
                    f"{name} mixes other recordings in, which the gates have none of; ask about "
                    f"one that changes the recording alone, such as noise_20db"
                )
        if CLEAN in names:
            raise ValueError(f"{CLEAN} changes nothing; what is changed is compared with it")
        return names
