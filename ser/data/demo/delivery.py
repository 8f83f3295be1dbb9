"""How speakers differ, and how an emotion changes the way a sentence is delivered."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Delivery:
    """The way one utterance is spoken; all values are additive, so that they can be mixed.

    Args:
        pitch_st: Level of the fundamental frequency above the speaker's own, in semitones.
        range_st: Depth of its rises and falls, in semitones.
        tempo: Natural logarithm of the syllable rate over the neutral one.
        energy_db: Level over the neutral one.
        tilt_db: Level at 3 kHz over the neutral one; negative is duller.
        breath_db: Level of aspiration noise over the neutral one.
        jitter: Random change of each glottal period, as a share of it.
        shimmer: Random change of each glottal pulse's height, as a share of it.
        final_st: Where the pitch goes at the end, in semitones.
    """

    pitch_st: float = 0.0
    range_st: float = 2.0
    tempo: float = 0.0
    energy_db: float = 0.0
    tilt_db: float = 0.0
    breath_db: float = 0.0
    jitter: float = 0.008
    shimmer: float = 0.05
    final_st: float = -2.0


@dataclass(frozen=True, slots=True)
class Speaker:
    """One synthetic person.

    Args:
        name: E.g. `Ses01F`.
        pitch_hz: Own mean fundamental frequency.
        tract: Formant frequencies over an adult man's; shorter vocal tracts have more.
        habit: What this person always does, added to every delivery.
        expressiveness: How much of an emotion this person shows; 1 is usual.
        room_db: Level at 3 kHz that the session's microphone adds.
    """

    name: str
    pitch_hz: float
    tract: float
    habit: Delivery
    expressiveness: float
    room_db: float


_NEUTRAL = Delivery()

_EMOTIONAL: dict[str, Delivery] = {
    "neu": _NEUTRAL,
    "ang": Delivery(4.5, 4.0, 0.15, 8.0, 7.0, -4.0, 0.016, 0.11, -4.0),
    "hap": Delivery(4.5, 4.2, 0.10, 3.5, 2.0, 1.0, 0.010, 0.06, 1.0),
    "exc": Delivery(6.5, 5.5, 0.22, 6.0, 4.0, 0.0, 0.012, 0.07, 2.0),
    "sad": Delivery(-1.5, 1.0, -0.28, -6.0, -5.0, 7.0, 0.014, 0.08, -1.0),
    "fru": Delivery(2.0, 2.8, -0.05, 3.0, 3.0, 0.0, 0.012, 0.08, -3.0),
    "sur": Delivery(6.0, 5.5, 0.05, 3.0, 2.0, 2.0, 0.009, 0.06, 5.0),
    "fea": Delivery(5.5, 2.5, 0.25, -1.0, -1.0, 6.0, 0.020, 0.12, 1.0),
    "dis": Delivery(-0.5, 2.4, -0.15, 1.0, 1.0, 1.0, 0.018, 0.10, -3.0),
    "oth": Delivery(1.0, 2.5, 0.0, 0.0, 0.0, 1.0, 0.010, 0.06, -1.0),
    "xxx": Delivery(1.5, 2.5, 0.0, 1.0, 1.0, 1.0, 0.011, 0.07, -1.0),
}

#: How far one person's habits differ from another's (standard deviations).
_BETWEEN_SPEAKERS = Delivery(0.0, 0.5, 0.10, 2.0, 3.0, 2.5, 0.003, 0.02, 0.7)

#: How far one utterance differs from the next of the same person and emotion.
_BETWEEN_UTTERANCES = Delivery(1.4, 0.8, 0.09, 2.0, 1.8, 1.8, 0.003, 0.02, 1.5)

_LOWEST = Delivery(-6.0, 0.3, -0.6, -14.0, -14.0, -10.0, 0.001, 0.0, -8.0)
_HIGHEST = Delivery(12.0, 9.0, 0.6, 12.0, 14.0, 14.0, 0.04, 0.25, 8.0)


def cast_speaker(name: str, *, seed: int) -> Speaker:
    """Return a person by name.

    Args:
        name: IEMOCAP's way of naming, e.g. `Ses01F`; the last letter is the gender.
        seed: Another seed gives other people.

    Returns:
        The same person for the same name and seed.
    """
    session, is_female = int(name[3:5]), name.endswith("F")
    rng = np.random.default_rng((seed, session, 1 + is_female))
    room = np.random.default_rng((seed, session, 0))
    return Speaker(
        name=name,
        pitch_hz=float((200.0 if is_female else 115.0) * np.exp(rng.normal(0.0, 0.10))),
        tract=float((1.17 if is_female else 1.0) * np.exp(rng.normal(0.0, 0.035))),
        habit=_from_array(rng.standard_normal(_SIZE) * _to_array(_BETWEEN_SPEAKERS)),
        expressiveness=float(rng.uniform(0.75, 1.15)),
        room_db=float(room.normal(0.0, 2.0)),
    )


def deliver(
    label: str,
    speaker: Speaker,
    *,
    strength: float,
    distinctness: float,
    rng: np.random.Generator,
) -> Delivery:
    """Return how a person speaks one utterance.

    Args:
        label: The release's label, e.g. `exc`.
        speaker: Who.
        strength: How plainly the emotion shows in this utterance, in [0, 1].
        distinctness: How far emotions lie apart in the whole corpus, at least 0, usually 1;
            with 0 all sound alike.
        rng: Decides how this utterance differs from the next.

    Returns:
        Neutral speech, moved towards the emotion, with the speaker's habits and chance.
    """
    neutral = _to_array(_NEUTRAL)
    amount = distinctness * speaker.expressiveness * (0.5 + strength)
    emotional = neutral + amount * (_to_array(_EMOTIONAL[label]) - neutral)
    chance = rng.standard_normal(_SIZE) * _to_array(_BETWEEN_UTTERANCES)
    mixed = emotional + _to_array(speaker.habit) + chance
    return _from_array(np.clip(mixed, _to_array(_LOWEST), _to_array(_HIGHEST)))


_SIZE = len(fields(Delivery))


def _to_array(delivery: Delivery) -> npt.NDArray[np.float64]:
    return np.array([getattr(delivery, field.name) for field in fields(Delivery)])


def _from_array(values: npt.NDArray[np.float64]) -> Delivery:
    return Delivery(*values.tolist())
