"""Scores beside the raters' votes, each against a slow computation of its own."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import balanced_accuracy_score, f1_score

from ser.data.votes import Votes
from ser.emotion import EMOTIONS
from ser.evaluation import soft, statistics
from tests.evaluation.support import cell, votes_on


@pytest.fixture
def tested():
    frame, speaker_of = cell(num_seeds=2)
    # Every utterance of a fold has a speaker in two: otherwise three speakers.
    speaker_of = {id_: f"{name}{int(id_[-1]) % 3}" for id_, name in speaker_of.items()}
    return frame[frame["part"] == "test"], votes_on(frame), speaker_of


def by_hand(rows, votes):
    """The three scores of some rows of one seed."""
    shares = np.array([np.array(votes.counts_of[i]) / sum(votes.counts_of[i]) for i in rows.index])
    said = rows.filter(like="probability_").to_numpy()
    entropies = [scipy.stats.entropy(t) + scipy.stats.entropy(t, p)
                 for t, p in zip(shares, said, strict=True)]  # fmt: skip
    distances = [jensenshannon(t, p, base=2) for t, p in zip(shares, said, strict=True)]
    f1 = f1_score(shares > 0.25, said > 0.25, average="macro", zero_division=0)
    return np.array([np.mean(entropies), np.nanmean(distances), f1])


def test_scores_are_those_of_scipy_and_scikit_learn_over_the_utterances_with_votes(tested):
    test, votes, speaker_of = tested
    found = soft.of_predictions(test, votes, speaker_of)
    assert len(found.by_seed) == 2
    for said, (_, rows) in zip(found.by_seed, test.groupby("seed"), strict=True):
        rows = rows.set_index("utterance_id").loc[list(votes.counts_of)]
        np.testing.assert_allclose(list(said.values()), by_hand(rows, votes), rtol=1e-9)


def test_the_interval_is_the_jackknife_over_speakers_of_the_mean_over_seeds(tested):
    test, votes, speaker_of = tested
    found = soft.of_predictions(test, votes, speaker_of)
    known = test[test["utterance_id"].isin(votes.counts_of)].set_index("utterance_id")
    speakers = known.index.map(speaker_of)

    def mean(rows):
        return np.mean([by_hand(of_seed, votes) for _, of_seed in rows.groupby("seed")], axis=0)

    names = sorted(set(speakers))
    without = np.array([mean(known[speakers != name]) for name in names])
    error = np.sqrt((len(names) - 1) / len(names) * ((without - without.mean(axis=0)) ** 2).sum(0))
    half = scipy.stats.t.ppf(0.975, len(names) - 1) * error
    for value, width, (name, interval) in zip(
        mean(known), half, found.intervals.items(), strict=True
    ):
        low, high = soft.RANGES[name]
        assert interval.low == pytest.approx(max(value - width, low)), name
        assert interval.high == pytest.approx(min(value + width, high)), name


def test_one_speaker_has_scores_and_no_interval(tested):
    test, votes, speaker_of = tested
    alone = soft.of_predictions(test, votes, dict.fromkeys(speaker_of, "x"))
    assert alone.by_seed == soft.of_predictions(test, votes).by_seed
    assert all(np.isnan([i.low, i.high]).all() for i in alone.intervals.values())


def test_whether_there_is_anything_to_compare_with(tested):
    test, votes, _ = tested
    assert soft.has_votes(test, votes)
    assert not soft.has_votes(test, None)
    assert not soft.has_votes(test, Votes(EMOTIONS, {"another": (1, 0, 0, 0)}, 1, 0, 0, 0.0))


def raters(votes, ids):
    """Every vote alone and the votes of the others, one after the other."""
    for id_ in ids:
        cast = [k for k, n in enumerate(votes.counts_of.get(id_, ())) for _ in range(n)]
        for held in range(len(cast)):
            others = np.bincount(cast[:held] + cast[held + 1 :], minlength=4)
            if len(cast) > 1:
                yield id_, np.eye(4)[cast[held]], others, 1 / len(cast)


def test_one_rater_is_every_vote_held_out_against_the_others(tested):
    test, votes, speaker_of = tested
    ids = sorted(set(test["utterance_id"]))
    found = soft.one_rater(ids, votes, speaker_of)
    held = list(raters(votes, ids))
    weights = [weight for *_, weight in held]
    shares = np.array([others / others.sum() for _, _, others, _ in held])
    said = np.array([own for _, own, _, _ in held])
    assert found.num_utterances == len({id_ for id_, *_ in held}) < len(votes.counts_of)
    (scores,) = found.scores.by_seed
    distances = np.nan_to_num(jensenshannon(shares, said, base=2, axis=1))
    expected = np.average(distances, weights=weights)
    assert scores["soft_js_distance"] == pytest.approx(expected)
    f1 = f1_score(shares > 0.25, said > 0.25, average="macro", sample_weight=weights)
    assert scores["soft_macro_f1"] == pytest.approx(f1)
    assert "soft_cross_entropy" not in scores

    clear = [
        (others.argmax(), own.argmax(), weight)
        for _, own, others, weight in held
        if (others == others.max()).sum() == 1
    ]
    truth, prediction, weight = zip(*clear, strict=True)
    uar = balanced_accuracy_score(truth, prediction, sample_weight=weight)
    assert found.uar == pytest.approx(uar)
    assert found.uar_interval.low < uar < found.uar_interval.high


def test_raters_who_always_agree_make_no_mistake():
    ids = [f"{emotion}{n}" for n in range(8) for emotion in range(4)]
    counts = {id_: tuple(3 * (k == int(id_[0])) for k in range(4)) for id_ in ids}
    votes = Votes(EMOTIONS, counts, 32, 0, 0, 0.0)
    found = soft.one_rater(ids, votes, {id_: id_[1] for id_ in ids})
    assert found.uar == 1.0
    assert found.scores.by_seed == ({"soft_js_distance": 0.0, "soft_macro_f1": 1.0},)


def test_without_two_votes_on_one_utterance_there_is_no_rater_to_hold_out():
    votes = Votes(EMOTIONS, {"a": (1, 0, 0, 0), "b": (0, 0, 1, 0)}, 2, 0, 0, 0.0)
    assert soft.one_rater(["a", "b", "unrated"], votes, {"a": "x", "b": "y"}) is None


def test_a_class_that_the_others_never_agree_on_leaves_the_raters_uar_unknown():
    counts = {"a": (2, 0, 0, 0), "b": (0, 0, 2, 0), "c": (0, 3, 0, 0)}
    found = soft.one_rater(
        list("abc"), Votes(EMOTIONS, counts, 3, 0, 0, 0.0), dict(zip("abc", "abc", strict=True))
    )
    assert np.isnan(found.uar)
    assert found.scores.by_seed[0]["soft_js_distance"] == 0.0


def test_the_votes_themselves_are_the_best_answer_and_equal_shares_know_nothing(tested):
    test, votes, speaker_of = tested
    ids = sorted(votes.counts_of)
    (best,) = soft.reference(ids, votes, speaker_of, own=True).by_seed
    (none,) = soft.reference(ids, votes, speaker_of, own=False).by_seed
    entropy = scipy.stats.entropy([votes.counts_of[i] for i in ids], axis=1).mean()
    assert best["soft_cross_entropy"] == pytest.approx(entropy)
    assert best["soft_js_distance"] == pytest.approx(0.0, abs=1e-7)
    assert best["soft_macro_f1"] == 1.0
    assert none["soft_cross_entropy"] == pytest.approx(np.log(4))
    assert none["soft_macro_f1"] == 0.0
    for said in soft.of_predictions(test, votes).by_seed:
        assert said["soft_cross_entropy"] > best["soft_cross_entropy"]
        assert said["soft_js_distance"] > best["soft_js_distance"]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Ten speakers of a population who differ in how well they are understood."""
    rng, num_trials = np.random.default_rng(0), 400
    ids = [f"s{n}u{m}" for n, m in itertools.product(range(400), range(20))]
    votes = Votes(
        EMOTIONS, {i: tuple(map(int, rng.multinomial(3, [0.4, 0.3, 0.2, 0.1]))) for i in ids},
        len(ids), 0, 0, 0.0,
    )  # fmt: skip
    shares = np.array([votes.shares_of(id_) for id_ in ids])
    share = np.repeat(rng.uniform(0.2, 0.9, 400), 20)[:, None]
    said = share * shares + (1 - share) * rng.dirichlet(np.ones(4), len(ids))
    frame = pd.DataFrame({"utterance_id": ids, "seed": 0})
    frame[[f"probability_{emotion}" for emotion in EMOTIONS]] = said
    (truth,) = soft.of_predictions(frame, votes).by_seed
    tallies = soft._by_speaker(
        soft._tallies(shares, said), np.repeat(np.arange(400), 20).astype(str)
    )
    held = dict.fromkeys(truth, 0)
    for _ in range(num_trials):
        found = soft._scored(tallies[rng.integers(0, 400, 10)][None]).intervals
        for name, value in truth.items():
            held[name] += found[name].low <= value <= found[name].high
    assert all(0.91 < count / num_trials < 0.98 for count in held.values()), held


def test_the_interval_ends_where_the_score_does():
    found = statistics.jackknife_interval(0.9, np.array([0.8, 0.95, 0.99]), within=(0.0, 1.0))
    assert found.high == 1.0
    assert 0.0 <= found.low < 0.9
    alone = statistics.jackknife_interval(0.9, np.array([0.9]), within=(0.0, 1.0))
    assert np.isnan([alone.low, alone.high]).all()
