import pytest
from pydantic import ValidationError

from ser.features import copies
from ser.features.extractors import logmel, mfcc
from ser.features.extractors._base import copies_of
from ser.params import ComponentParams
from tests import synthetic
from tests.features.changes import voices


def test_clean_is_the_recording_as_it_is():
    waveform = voices.tone(200.0)
    assert voices.changed("clean", waveform) is waveform


@pytest.mark.parametrize(
    ("copy", "message"),
    [
        (
            "sped_0.9",
            r"no copy is named 'sped_0\.9'; there are: clean; .*speed_<factor>.*speed_0\.9",
        ),
        ("speed", r"'speed': expected a factor such as 0\.9 or 1\.1, got ''"),
        ("speed_fast", "got 'fast'"),
        ("speed_-1.1", "got '-1.1'"),
        ("speed_1e0", "got '1e0'"),
        ("speed_../x", "got '../x'"),
        ("speed_0.49", r"the factor must be in \[0\.5, 2\.0\], got 0\.49"),
        ("speed_2.1", r"the factor must be in \[0\.5, 2\.0\], got 2\.1"),
        ("speed_1.0", "a factor of 1 changes nothing; clean is that copy"),
        ("speed_0.90", "write the factor as 0.9"),
        ("speed_2", "write the factor as 2.0"),
        ("gain_6", r"the gain must be a number and db, such as 60db; got '6'"),
        ("gain_+6db", r"got '\+6db'"),
        ("gain_6.0db", "write the gain as 6db, which is its one spelling here"),
        ("gain_-6.50db", "write the gain as -6.5db"),
        ("gain_-0db", "write the gain as 0db"),
        ("gain_0db", "a gain of 0 changes nothing; clean is that copy"),
        ("gain_61db", r"the gain must be in \[-60, 60\]db, got 61db"),
        ("noise_20dB", "the signal-to-noise ratio must be a number and db.*got '20dB'"),
        ("pink_99db", r"the signal-to-noise ratio must be in \[-20, 60\]db, got 99db"),
        ("reverb_9s", r"the decay time must be in \[0\.05, 5\]s, got 9s"),
        ("telephone_8khz", "this change has no value, got '8khz'"),
        ("telephone_", "no copy is named 'telephone_'"),
        ("mp3_33k", "MP3 has the bit rates 16, 24, .*160 kbit/s, got 33k"),
        ("mp3_8k", r"the bit rate must be in \[16, 160\]k, got 8k"),
        ("opus_16.5k", r"a whole number of kbit/s, got 16\.5k"),
        ("opus_5k", r"the bit rate must be in \[6, 256\]k, got 5k"),
        ("pitch_0st", "a shift of 0 changes nothing; clean is that copy"),
        ("pitch_2", "the shift must be a number and st, such as 12st; got '2'"),
        ("clip_0db", "a limit of 0 changes nothing; clean is that copy"),
        ("trimmed_30db", "this change has no value, got '30db'"),
    ],
)
def test_a_name_that_says_no_change_is_refused_with_what_there_is(copy, message):
    with pytest.raises(ValueError, match=message):
        copies.change_of(copy)


def test_random_numbers_are_those_of_corpus_utterance_and_copy():
    def first(copy="speed_0.9", id_="u1", **changes):
        return copies.rng_of(synthetic.utterance(id_, **changes), copy).random()

    assert first() == first()
    assert len({first(), first("speed_1.1"), first(id_="u2"), first(corpus="other")}) == 4


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["speed_0.9"], "clean must be among them: dev, test and serving read it"),
        (["clean", "speed_0.9", "speed_0.9"], "a copy is named twice"),
        (["clean", "echo_3"], "no copy is named 'echo_3'; there are: clean; .*speed_<factor>"),
    ],
)
def test_params_that_ask_for_no_such_copies_are_refused(names, message):
    with pytest.raises(ValidationError, match=message):
        mfcc.Params(copies=names)


def test_copies_are_no_part_of_what_made_the_frames_of_one():
    plain, asked = logmel.Params(), logmel.Params(copies=["speed_0.9", "clean"])
    assert asked.model_dump(mode="json") == plain.model_dump(mode="json") == {}
    assert copies_of(plain) == copies_of(ComponentParams()) == ("clean",)
    assert copies_of(asked) == ("clean", "speed_0.9")
