"""How emotions and people change the delivery."""

from dataclasses import replace

import numpy as np
import pytest

from ser.data.demo.delivery import Delivery, Speaker, cast_speaker, deliver

SPEAKER = replace(
    cast_speaker("Ses01F", seed=0),
    habit=Delivery(range_st=0, jitter=0, shimmer=0, final_st=0),
    expressiveness=1.0,
)


def mean_delivery(
    label: str, *, distinctness: float = 1.0, strength: float = 0.5
) -> dict[str, float]:
    rng = np.random.default_rng(0)
    drawn = [
        deliver(label, SPEAKER, strength=strength, distinctness=distinctness, rng=rng)
        for _ in range(200)
    ]
    names = Delivery.__slots__
    return {name: float(np.mean([getattr(item, name) for item in drawn])) for name in names}


def test_anger_is_higher_louder_brighter_and_rougher_than_neutral_speech() -> None:
    angry, neutral = mean_delivery("ang"), mean_delivery("neu")
    for name in ("pitch_st", "range_st", "energy_db", "tilt_db", "jitter", "shimmer"):
        assert angry[name] > neutral[name]


def test_sadness_is_lower_flatter_slower_softer_duller_and_breathier() -> None:
    sad, neutral = mean_delivery("sad"), mean_delivery("neu")
    for name in ("pitch_st", "range_st", "tempo", "energy_db", "tilt_db"):
        assert sad[name] < neutral[name]
    assert sad["breath_db"] > neutral["breath_db"]


def test_without_distinctness_all_emotions_are_delivered_alike() -> None:
    assert mean_delivery("ang", distinctness=0.0) == mean_delivery("sad", distinctness=0.0)


def test_a_stronger_emotion_shows_more() -> None:
    weak, strong = mean_delivery("ang", strength=0.1), mean_delivery("ang", strength=0.9)
    assert strong["energy_db"] > weak["energy_db"] + 2


def test_women_have_higher_voices_and_shorter_vocal_tracts_on_average() -> None:
    def average(letter: str, attribute: str) -> float:
        cast = [cast_speaker(f"Ses0{number}{letter}", seed=0) for number in range(1, 6)]
        return float(np.mean([getattr(speaker, attribute) for speaker in cast]))

    assert average("F", "pitch_hz") > 1.4 * average("M", "pitch_hz")
    assert average("F", "tract") > 1.08 * average("M", "tract")


def test_people_differ_and_stay_themselves() -> None:
    names = [f"Ses0{number}{letter}" for number in range(1, 6) for letter in "FM"]
    speakers: list[Speaker] = [cast_speaker(name, seed=0) for name in names]
    assert len({speaker.pitch_hz for speaker in speakers}) == 10
    assert [cast_speaker(name, seed=0) for name in names] == speakers
    assert cast_speaker("Ses01F", seed=1).pitch_hz != speakers[0].pitch_hz


def test_the_two_speakers_of_a_session_share_its_microphone() -> None:
    woman, man = cast_speaker("Ses02F", seed=0), cast_speaker("Ses02M", seed=0)
    assert woman.room_db == man.room_db
    assert woman.room_db != cast_speaker("Ses03F", seed=0).room_db


def test_extremes_stay_within_what_the_voice_can_do() -> None:
    rng = np.random.default_rng(0)
    wild = replace(SPEAKER, expressiveness=100.0)
    delivery = deliver("exc", wild, strength=1.0, distinctness=2.0, rng=rng)
    assert delivery.pitch_st == pytest.approx(12.0)
    assert delivery.jitter <= 0.04
