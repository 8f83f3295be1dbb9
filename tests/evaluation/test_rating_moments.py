"""What each speaker adds to CCC and MAE."""

import numpy as np
import pytest

from ser import concordance
from ser.evaluation import rating_moments
from tests.evaluation.rated import rated, scores_of


def test_moments_of_one_seed_keep_digits_of_close_ratings():
    frame, speaker_of = rated(num_seeds=1)
    test = frame[frame["part"] == "test"].assign(
        valence=lambda f: 4.9 + 1e-4 * f["valence"],
        predicted_valence=lambda f: 4.9 + 1e-4 * f["predicted_valence"],
    )
    found = rating_moments.of_predictions(test, speaker_of).scores()["ccc_valence"]
    pair = {"truth": test["valence"], "prediction": test["predicted_valence"]}
    assert float(found[0]) == pytest.approx(concordance.ccc(**pair), abs=1e-6)


def test_what_is_left_without_a_speaker_is_what_the_others_score():
    frame, speaker_of = rated()
    test = frame[frame["part"] == "test"]
    moments = rating_moments.of_predictions(test, speaker_of)
    speakers = test["utterance_id"].map(speaker_of)
    left_out = moments.left_out()
    for index, name in enumerate(moments.speakers):
        others = scores_of(test[speakers != name])
        for score, value in others.items():
            assert left_out[score][:, index].mean() == pytest.approx(value)


def test_rated_utterances_are_counted_once_and_not_per_seed():
    frame, speaker_of = rated(num_seeds=3)
    moments = rating_moments.of_predictions(frame[frame["part"] == "test"], speaker_of)
    assert moments.num_rated[:, 0].sum() == 120
    assert moments.num_rated[:, 2].sum() == 90  # one in four has no dominance
    assert moments.sums.shape == (3, len(moments.speakers), 3, 7)
    assert np.isfinite(moments.sums).all()
