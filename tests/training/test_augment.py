import numpy as np
import pytest
import torch

from ser.batch import Batch
from ser.training.augment import augment
from ser.training.recipe import Recipe


def batch(lengths=(40, 25), num_bins=10):
    torch.manual_seed(3)
    inputs = torch.zeros(len(lengths), max(lengths), num_bins)
    for row, length in enumerate(lengths):
        inputs[row, :length] = torch.randn(length, num_bins) + 5
    ids = tuple(f"u{row}" for row in range(len(lengths)))
    return Batch(ids, inputs, torch.tensor(lengths), torch.zeros(len(lengths), dtype=torch.long))


def test_nothing_asked_is_nothing_changed():
    given = batch()
    assert torch.equal(augment(given, Recipe()).inputs, given.inputs)


def test_noise_has_the_asked_deviation_and_other_fields_stay():
    given = batch((2000,))
    noisy = augment(given, Recipe(feature_noise=0.5))
    assert float((noisy.inputs - given.inputs).std()) == pytest.approx(0.5, rel=0.02)
    assert (noisy.ids, noisy.lengths is given.lengths) == (given.ids, True)


def test_a_time_mask_is_one_stretch_of_all_bins_within_the_utterance_at_its_mean():
    given = batch()
    widths = []
    for seed in range(200):
        torch.manual_seed(seed)
        masked = augment(given, Recipe(time_masks=1, time_mask_share=0.2)).inputs
        for row, length in enumerate((40, 25)):
            changed = (masked[row] != given.inputs[row]).any(dim=1).numpy()
            places = np.flatnonzero(changed)
            widths.append(len(places) / length)
            if not len(places):
                continue
            assert places[-1] < length
            assert len(places) == places[-1] - places[0] + 1
            mean = given.inputs[row, :length].mean(dim=0)
            torch.testing.assert_close(masked[row, places[0]], mean)
    assert max(widths) == 0.2
    assert min(widths) == 0.0
    assert np.mean(widths) == pytest.approx(0.1, abs=0.02)


def test_masks_reach_the_first_and_the_last_frame():
    given = batch((5,))
    touched = np.zeros(5, dtype=bool)
    for seed in range(100):
        torch.manual_seed(seed)
        masked = augment(given, Recipe(time_masks=1, time_mask_share=0.2)).inputs
        touched |= (masked[0] != given.inputs[0]).any(dim=1).numpy()
    assert touched.all()


def test_a_bin_mask_is_one_stretch_of_bins_in_all_frames_and_differs_between_rows():
    given = batch()
    torch.manual_seed(1)
    masked = augment(given, Recipe(bin_masks=1, bin_mask_share=0.5)).inputs
    rows = []
    for row, length in enumerate((40, 25)):
        changed = (masked[row, :length] != given.inputs[row, :length]).numpy()
        assert (changed == changed[:1]).all()
        rows.append(changed[0].tolist())
    assert rows[0] != rows[1]


def test_the_same_random_state_gives_the_same_batch():
    given = batch()
    recipe = Recipe(feature_noise=0.1, time_masks=2, bin_masks=2)
    torch.manual_seed(0)
    first = augment(given, recipe).inputs
    torch.manual_seed(0)
    assert torch.equal(augment(given, recipe).inputs, first)
    assert not torch.equal(augment(given, recipe).inputs, first)
