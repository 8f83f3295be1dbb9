import numpy as np
import pytest
from scipy import stats

from ser.monitoring import clusters
from ser.monitoring.clusters import Groups


def groups_of(table):
    """Groups of a table `(num_speakers, num_recordings)`."""
    sizes = np.full(len(table), table.shape[1])
    return Groups(sizes, table.mean(axis=1), table.var(axis=1, ddof=1))


def test_by_hand_the_error_is_that_of_one_new_speaker_and_the_mean_of_the_old():
    # Means 1, 2, 3: variance 1 between. Two recordings each, one apart: variance 0.5 within.
    groups = groups_of(np.array([[0.5, 1.5], [1.5, 2.5], [2.5, 3.5]]))
    assert (groups.between, groups.within) == (1.0, 0.5)
    found = clusters.shift(groups, mean=5.0, num_new=2, num_speakers=1)
    # a = 1 + 1/3; b = 1/2 - 1/2 = 0.
    assert found.difference == 3.0
    assert found.standard_error == pytest.approx(np.sqrt(4 / 3))
    assert found.freedom == 2.0
    assert found.p == pytest.approx(2 * stats.t.sf(3 / np.sqrt(4 / 3), 2))


def test_few_new_recordings_bring_their_own_noise():
    groups = groups_of(np.array([[0.5, 1.5], [1.5, 2.5], [2.5, 3.5]]))
    found = clusters.shift(groups, mean=5.0, num_new=1, num_speakers=1)
    assert found.standard_error == pytest.approx(np.sqrt(4 / 3 + 0.5 * 0.5))
    parts = np.array([4 / 3, 0.25])
    assert found.freedom == pytest.approx(parts.sum() ** 2 / (parts**2 / [2, 3]).sum())


def test_with_one_recording_each_and_a_speaker_each_it_is_the_t_test_of_two_samples():
    rng = np.random.default_rng(0)
    old = rng.normal(size=(12, 1))
    groups = Groups(np.ones(12, int), old[:, 0], np.zeros(12))
    found = clusters.shift(groups, mean=0.7, num_new=4, num_speakers=4)
    error = old.std(ddof=1) * np.sqrt(1 / 4 + 1 / 12)
    assert found.standard_error == pytest.approx(error)
    assert found.freedom == pytest.approx(11)
    t = abs(0.7 - old.mean()) / error
    assert found.p == pytest.approx(2 * stats.t.sf(t, 11))


def test_a_quantity_that_never_varies_has_moved_if_it_differs():
    groups = Groups(np.array([3, 3]), np.ones(2), np.zeros(2))
    assert clusters.shift(groups, mean=1.0 + 1e-7, num_new=3, num_speakers=1).p > 0.9
    assert clusters.shift(groups, mean=1.1, num_new=3, num_speakers=1).p < 1e-3


def simulated(rng, num_speakers, between):
    means = between * rng.normal(size=num_speakers)
    return means[:, None] + rng.normal(size=(num_speakers, 20))


@pytest.mark.parametrize(("num_new", "between"), [(1, 1.0), (3, 1.0), (1, 0.0), (3, 0.3)])
def test_without_drift_it_rejects_at_its_level_however_much_speakers_differ(num_new, between):
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(800):
        groups = groups_of(simulated(rng, 8, between))
        new = simulated(rng, num_new, between)
        found = clusters.shift(
            groups, mean=float(new.mean()), num_new=new.size, num_speakers=num_new
        )
        rejected += found.p < 0.05
    assert rejected / 800 < 0.075  # 5 % and three standard errors
    assert rejected / 800 > (0.02 if between == 1.0 else 0.0)


def test_the_detectable_shift_is_found_four_times_out_of_five():
    rng = np.random.default_rng(1)
    found, total = 0, 600
    for _ in range(total):
        groups = groups_of(simulated(rng, 40, 1.0))
        new = simulated(rng, 2, 1.0)
        size = clusters.shift(groups, mean=0.0, num_new=40, num_speakers=2).detectable(0.05)
        shifted = clusters.shift(groups, mean=float(new.mean()) + size, num_new=40, num_speakers=2)
        found += shifted.p < 0.05
    assert found / total == pytest.approx(0.8, abs=0.06)


def test_shares_of_independent_recordings_are_tested_as_by_a_chi_squared_test():
    counts = np.eye(3, dtype=int)[np.random.default_rng(0).integers(3, size=3000)]
    new = np.array([130, 100, 70])
    ours = clusters.shares_p(counts, new, num_speakers=300)
    plain = stats.chi2_contingency([counts.sum(axis=0), new]).pvalue
    assert np.log10(ours) == pytest.approx(np.log10(plain), abs=0.3)


def test_shares_of_speakers_with_habits_are_not_called_drift_more_often_than_stated():
    rng = np.random.default_rng(2)
    rejected = naive = 0
    for _ in range(600):
        habits = rng.dirichlet([4.0, 4.0, 4.0, 4.0], size=12)
        counts = np.array([rng.multinomial(40, shares) for shares in habits])
        rejected += clusters.shares_p(counts[:10], counts[10:].sum(axis=0), num_speakers=2) < 0.05
        table = [counts[:10].sum(axis=0), counts[10:].sum(axis=0)]
        naive += stats.chi2_contingency(np.array(table) + 1).pvalue < 0.05
    assert rejected / 600 < 0.085
    assert naive / 600 > 0.3
