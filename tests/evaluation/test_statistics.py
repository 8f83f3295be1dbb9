import itertools

import numpy as np
import pytest
import scipy.stats

from benchmarks import coverage, intervals, paired_tests
from benchmarks.simulated_speakers import draw, shapes
from ser import metrics
from ser.evaluation import statistics
from tests.evaluation.support import counts, speakers_and_predictions, standard_error, uar


def all_right(num_speakers=10, each=8):
    return np.repeat(each * np.eye(4)[None], num_speakers, axis=0)


def test_confusions_by_speaker_are_those_of_each_speaker_alone():
    truth, prediction, speakers = speakers_and_predictions()
    matrices = statistics.confusion_by_speaker(
        truth=truth, prediction=prediction, speakers=speakers, num_classes=4
    )
    for index, speaker in enumerate(sorted(set(speakers))):
        mine = speakers == speaker
        expected = metrics.confusion(truth=truth[mine], prediction=prediction[mine], num_classes=4)
        np.testing.assert_array_equal(matrices[index], expected)


@pytest.mark.parametrize("num_speakers", [5, 10, 24])
def test_the_ends_solve_wilsons_equation_with_the_variance_of_leaving_each_speaker_out(
    num_speakers,
):
    matrices = counts(num_speakers=num_speakers)
    t = scipy.stats.t.ppf(0.975, num_speakers - 1)
    wa = lambda some: metrics.wa_of(*metrics.tallies(some.sum(axis=0)))  # noqa: E731
    for name, value in (("uar", uar), ("wa", wa)):
        found, mean = statistics.score_intervals(matrices)[name], value(matrices)
        totals = metrics.tallies(matrices.sum(axis=0))[1]
        num_utterances = 16 / (1 / totals).sum() if name == "uar" else totals.sum()
        effective = mean * (1 - mean) / standard_error(value, matrices) ** 2
        of_speakers, of_utterances = t / np.sqrt(effective), 1.96 / np.sqrt(num_utterances)
        for end in (found.low, found.high):
            # Each end is the share from which the mean is t of its own standard errors away.
            errors = abs(mean - end) / np.sqrt(end * (1 - end))
            assert errors == pytest.approx(max(of_speakers, of_utterances), rel=1e-4)


def test_speakers_more_alike_than_chance_makes_them_have_the_interval_of_their_utterances():
    """Each of six got 27 of 30 right: that says no more than 162 of 180 in one row."""
    found = statistics.share_interval(np.full(6, 27.0), np.full(6, 30.0))
    low, high = scipy.stats.binomtest(162, 180).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high))


def test_many_speakers_who_are_alike_have_the_interval_of_independent_utterances():
    rng = np.random.default_rng(0)
    hits = rng.binomial(20, 0.7, size=2000).astype(float)
    found = statistics.share_interval(hits, np.full(2000, 20.0))
    low, high = scipy.stats.binomtest(int(hits.sum()), 40_000).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=3e-4)


def test_speakers_that_differ_widen_the_interval_beyond_that_of_utterances():
    """Half the speakers always right, half always wrong: 400 utterances are 10 facts."""
    matrices = np.repeat(10.0 * np.eye(4)[None], 10, axis=0)
    matrices[::2] = np.roll(matrices[::2], 1, axis=2)
    by_speaker = statistics.score_intervals(matrices)["uar"]
    assert by_speaker.high - by_speaker.low > 4 * 1.96 * np.sqrt(0.25 / 400)


def test_where_all_is_right_or_wrong_the_interval_has_a_width_and_ends_at_1_or_0():
    z = scipy.stats.norm.ppf(0.975)
    for found in statistics.score_intervals(all_right()).values():
        assert found.low == pytest.approx(320 / (320 + z**2))
        assert found.high == 1.0
    for found in statistics.score_intervals(np.roll(all_right(), 1, axis=2)).values():
        assert found.low == 0.0
        assert found.high == pytest.approx(z**2 / (320 + z**2))


def test_the_ends_stay_within_0_and_1_with_the_share_between_them():
    rng = np.random.default_rng(2)
    spoken = rng.integers(1, 9, size=(3000, 3, 2)).astype(float)
    hits = np.round(spoken * rng.choice([0.0, 0.03, 0.5, 0.97, 1.0], size=(3000, 1, 1)), 1)
    low, high = statistics.share_ends(hits, spoken)
    share = (hits.sum(axis=1) / spoken.sum(axis=1)).mean(axis=1)
    assert ((low >= 0) & (low <= share) & (share <= high) & (high <= 1)).all()
    assert (high - low > 0.05).all()


def test_seeds_are_no_utterances():
    once = counts()
    three = np.stack([once, once, once])
    assert statistics.score_intervals(three) == statistics.score_intervals(once)
    assert statistics.score_intervals(three.mean(axis=0)) == statistics.score_intervals(once)


def test_one_speaker_gives_no_interval_and_two_a_wide_one():
    for found in statistics.score_intervals(np.ones((1, 2, 2))).values():
        assert np.isnan([found.low, found.high]).all()
    two = statistics.score_intervals(np.array([[[9, 1], [1, 9]], [[8, 2], [2, 8]]]))["uar"]
    # One degree of freedom: t is 12.7.
    assert 0 <= two.low < 0.3
    assert 0.95 < two.high <= 1


def test_a_class_of_one_speaker_may_have_any_recall_for_others():
    """The first two classes are known as well as without it; of the third, nothing is."""
    known = np.array([[[9, 1, 0], [2, 8, 0], [0, 0, 0]], [[7, 3, 0], [1, 9, 0], [0, 0, 0]]])
    of_two = statistics.score_intervals(known[:, :2, :2])["uar"]
    known[0, 2] = (1, 1, 6)
    found = statistics.score_intervals(known)["uar"]
    assert found.low == pytest.approx(2 * of_two.low / 3)
    assert found.high == pytest.approx((2 * of_two.high + 1) / 3)


def test_where_every_class_has_one_speaker_nothing_is_known():
    matrices = np.array([[[5, 0], [0, 0]], [[0, 0], [1, 4]]])
    found = statistics.score_intervals(matrices)["uar"]
    assert (found.low, found.high) == (0.0, 1.0)
    hits, spoken = metrics.tallies(matrices)
    apart = statistics.difference(hits, spoken)
    assert (apart.low, apart.high) == (-1.0, 1.0)
    assert apart.p > 0.5


def test_a_class_that_nobody_speaks_is_refused():
    silent = all_right()
    silent[:, 2] = 0
    with pytest.raises(ValueError, match=r"no utterance has class index \[2\]"):
        statistics.score_intervals(silent)


def test_the_error_of_a_difference_is_that_of_leaving_each_speaker_out_and_part_of_an_utterance():
    a, b = counts(seed=1), counts(seed=2)
    b = b * (a.sum(axis=2) / b.sum(axis=2))[:, :, None]  # the same utterances
    (hits_a, spoken), (hits_b, _) = metrics.tallies(a), metrics.tallies(b)
    found = statistics.difference(hits_a - hits_b, spoken)
    numbers = np.arange(len(a))
    gap = lambda rows: uar(a[rows]) - uar(b[rows])  # noqa: E731
    added = (1 / spoken.sum(axis=0)).sum() / 16 / np.sqrt(2)
    assert found.standard_error == pytest.approx(np.hypot(standard_error(gap, numbers), added))
    t = gap(numbers) / found.standard_error
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(abs(t), 9))
    assert (found.low + found.high) / 2 == pytest.approx(gap(numbers))


def test_p_is_below_5_percent_exactly_where_the_interval_leaves_out_zero():
    rng = np.random.default_rng(3)
    spoken = np.full((2000, 6, 2), 20.0)
    found = statistics.difference(rng.normal(1.0, 3.0, size=spoken.shape), spoken)
    is_apart = (found.low > 0) | (found.high < 0)
    assert 0.1 < is_apart.mean() < 0.9
    np.testing.assert_array_equal(found.p < 0.05, is_apart)


def test_cells_that_decide_alike_may_differ_by_an_utterance_or_two():
    spoken = np.full((10, 4), 8.0)
    found = statistics.difference(np.zeros_like(spoken), spoken)
    assert found.p == 1.0
    assert found.high == pytest.approx(scipy.stats.t.ppf(0.975, 9) / 320 / np.sqrt(2))
    assert found.low == -found.high


@pytest.mark.parametrize("name", ["six", "emodb", "iemocap"])
def test_intervals_hold_the_truth_as_often_as_they_say_and_percentiles_do_not(name):
    ours, percentiles = [], []
    for uar_ in coverage.UARS[:3]:
        rows = coverage.of_scores(shapes()[name], uar_, num_trials=600, resample=60)
        held = {row["method"]: row["coverage"] for row in rows}
        ours.append(held[next(iter(intervals.CLOSED))])
        percentiles.append(held[intervals.RESAMPLED[0]])
    # 600 trials each: four standard errors are 3.6 points.
    assert all(0.915 <= share <= 0.985 for share in ours)
    assert np.mean(percentiles) < 0.915


@pytest.mark.parametrize("name", ["six", "emodb"])
def test_near_100_percent_intervals_hold_the_truth_no_more_often_than_they_say(name):
    trials = draw(np.random.default_rng(4), shapes()[name], 3000, uar=0.985)
    chosen, before = list(intervals.CLOSED.values())[:2]
    held, held_before = (
        coverage.covers(ends(trials.hits[0], trials.spoken), trials.uars[0]).mean()
        for ends in (chosen, before)
    )
    assert 0.95 < held < 0.975 < held_before


def test_without_a_difference_the_paired_test_rejects_at_its_level():
    for name, uar_ in itertools.product(("six", "emodb"), (0.55, 0.75)):
        rows = coverage.of_differences(
            shapes()[name], uar_, num_trials=1500, tests={"chosen": paired_tests.chosen}
        )
        shares = {row["question"]: row["share"] for row in rows}
        assert 0.93 <= shares.pop("holds the gap") <= 0.97
        assert all(0.03 <= share <= 0.07 for share in shares.values()), (name, uar_, shares)


def test_the_bca_interval_that_was_compared_is_scipys():
    trials = draw(np.random.default_rng(5), shapes()["six"], 1, uar=0.75)
    hits, spoken = trials.hits[0], trials.spoken
    ends = [ends[0] for ends in intervals.resampled(hits, spoken)["bootstrap, BCa"]]

    def value(rows):
        return (hits[0, rows].sum(axis=-2) / spoken[0, rows].sum(axis=-2)).mean(axis=-1)

    theirs = scipy.stats.bootstrap(
        (np.arange(6),), lambda rows, axis: value(np.moveaxis(rows.astype(int), axis, -1)),
        vectorized=True, n_resamples=4000, rng=np.random.default_rng(6),
    ).confidence_interval  # fmt: skip
    assert ends == pytest.approx(list(theirs), abs=0.02)
