import numpy as np
import pytest
import scipy.stats

from benchmarks import coverage, intervals, paired_tests
from benchmarks.simulated_speakers import draw, shapes
from ser.evaluation import statistics


def hits_of(parts):
    """One class, ten utterances each: a speaker adds its part of the difference."""
    parts = np.asarray(parts, dtype=float)
    return parts[None, :, None], np.full((1, len(parts), 1), 10.0)


def apart(name, *, num_trials=40, uar=0.92):
    trials = draw(
        np.random.default_rng(7), shapes()[name], num_trials, uar=uar, gaps=(0.0, 0.0),
        likeness=coverage.LIKENESSES["two losses"],
    )  # fmt: skip
    return trials.hits[0] - trials.hits[1], trials.spoken


def test_exchanges_are_those_of_scipy():
    parts = [3.0, 1.0, -2.0, 4.0, 0.0, 5.0]
    found = paired_tests.sign_flips(*hits_of(parts))
    expected = scipy.stats.permutation_test(
        (parts, [0.0] * 6), lambda a, b: abs(np.sum(a - b)),
        permutation_type="samples", alternative="greater",
    )  # fmt: skip
    assert found.p[0] == pytest.approx(expected.pvalue)


def test_mid_p_counts_an_equal_exchange_half():
    found = paired_tests.sign_flips(*hits_of([1.0] * 6))
    assert found.p[0] == pytest.approx(2 / 64)
    assert found.mid_p[0] == pytest.approx(1 / 64)


@pytest.mark.parametrize(
    ("parts", "share"),
    [
        ([1.0, 2.0, 4.0, 8.0, 16.0], 0.0),  # 2 of 32 is more than 5 %
        ([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], 2 / 64),  # 4 of 64 is more
        ([1.0] * 8, 2 / 256),  # 18 of 256, where one of eight is otherwise, is more
        ([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0),
    ],
)
def test_what_an_exact_test_can_reject_is_a_whole_number_of_exchanges(parts, share):
    assert paired_tests.sign_flips(*hits_of(parts)).attainable[0] == pytest.approx(share)


@pytest.mark.parametrize("name", ["six", "emodb", "ravdess"])
def test_no_exact_test_rejects_more_than_the_bound(name):
    found = paired_tests.sign_flips(*apart(name, num_trials=1500))
    rejected = (found.p <= 0.05).mean()
    # Three standard errors of 1500 trials.
    assert rejected <= found.attainable.mean() + 3 * np.sqrt(0.05 * 0.95 / 1500)
    assert 0 < found.attainable.max() <= 0.05


@pytest.mark.parametrize("name", ["two", "six", "emodb-7", "rare-5"])
def test_the_chosen_test_and_interval_are_those_of_the_comparison(name):
    """The benchmark's own parts, put together as the project does, give what the project gives."""
    hits, spoken = apart(name)
    expected = statistics.difference(hits, spoken).p
    assert paired_tests.student(added=0.5)(hits, spoken) == pytest.approx(expected)
    assert (paired_tests.student(added=1.0)(hits, spoken) >= expected).all()
    trials = draw(np.random.default_rng(8), shapes()[name], 40, uar=0.92)
    ends = intervals.wilson(of_utterances=lambda _: scipy.stats.norm.ppf(0.975))
    for mine, theirs in zip(
        ends(trials.hits[0], trials.spoken),
        statistics.share_ends(trials.hits[0], trials.spoken),
        strict=True,
    ):
        assert mine == pytest.approx(theirs)


def test_degrees_are_one_less_than_speakers_where_all_say_the_same_and_few_where_one_says_most():
    spoken = np.full((1, 8, 3), 5.0)
    assert paired_tests.degrees(spoken)[0] == pytest.approx(7)
    spoken[:, 0] = 500.0
    assert paired_tests.degrees(spoken)[0] < 2


def test_degrees_are_those_with_which_the_variance_is_known():
    """Satterthwaite's: twice the squared mean of the variance, over its own variance."""
    rng = np.random.default_rng(9)
    spoken = np.array([40.0, 30, 20, 10, 5, 5])
    shares = 0.5 + 0.05 * rng.normal(size=(40_000, 6))
    variance = intervals.jackknife(
        (shares * spoken)[..., None], np.broadcast_to(spoken[:, None], (40_000, 6, 1))
    )[1]
    expected = 2 * variance.mean() ** 2 / variance.var()
    assert paired_tests.degrees(spoken[None, :, None])[0] == pytest.approx(expected, rel=0.03)
