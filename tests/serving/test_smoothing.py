import itertools

import numpy as np
import pytest

from ser.serving import smoothing


def test_a_frame_is_the_weighted_mean_of_the_windows_over_it():
    means = smoothing.frame_means(
        np.array([[1.0], [3.0], [8.0]]),
        [(0.0, 2.0), (1.0, 3.0), (5.0, 6.0)],
        np.array([1.0, 3.0, 1.0]),
        np.array([0.5, 1.5, 2.5, 4.0, 5.5]),
    )
    assert means[:, 0].tolist() == pytest.approx([1.0, 2.5, 3.0, np.nan, 8.0], nan_ok=True)


def cost_of(path, probabilities, weight, switch_cost):
    logs = np.log(np.maximum(probabilities, smoothing._FLOOR))
    fit = weight * sum(logs[frame, state] for frame, state in enumerate(path))
    return fit - switch_cost * sum(a != b for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("switch_cost", [0.0, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_path_is_the_best_of_all_paths(seed, switch_cost):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), size=6)
    found = smoothing.likeliest_path(probabilities, weight=0.5, switch_cost=switch_cost)
    best = max(
        cost_of(path, probabilities, 0.5, switch_cost)
        for path in itertools.product(range(3), repeat=6)
    )
    assert cost_of(found, probabilities, 0.5, switch_cost) == pytest.approx(best)


def test_short_stretches_go_to_the_likelier_neighbour():
    path = np.array([0, 0, 0, 2, 1, 1, 1])
    probabilities = np.full((7, 3), 1 / 3)
    probabilities[3] = [0.1, 0.2, 0.7]
    found = smoothing.without_short(path, probabilities, min_frames=2)
    assert found.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert smoothing.without_short(path, probabilities, min_frames=1).tolist() == path.tolist()
    assert smoothing.without_short(path[:1], probabilities[:1], min_frames=9).tolist() == [0]
