import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from ser.losses.cross_entropy import CrossEntropyLoss
from tests.losses.support import WEIGHTS, given, passes_gradcheck, random_batch
from tests.reference import losses as reference
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric


@pytest.mark.parametrize(("dtype", "rel"), [(torch.float32, FORMULA), (torch.float64, 1e-12)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_equals_a_plain_loop(weights, dtype, rel):
    logits, labels = random_batch()
    loss = CrossEntropyLoss(None if weights is None else torch.tensor(weights))
    value = loss(given(logits, dtype), torch.tensor(labels))
    assert value.dtype == dtype
    assert float(value) == pytest.approx(
        reference.cross_entropy(logits, labels, weights or [1.0] * 4), rel=rel
    )


def test_logits_of_ten_thousand_do_not_overflow():
    loss = CrossEntropyLoss()
    output = given([[1e4, -1e4]], torch.float32)
    assert float(loss(output, torch.tensor([0]))) == 0.0
    assert float(loss(output, torch.tensor([1]))) == 2e4


def test_gradient_is_that_of_finite_differences():
    assert passes_gradcheck(CrossEntropyLoss(torch.tensor(WEIGHTS)), *random_batch())


SHARES = np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0.2, 0.3, 0.1, 0.4]])


def test_shares_of_votes_are_so_many_labels_each():
    logits, _ = random_batch(size=3)
    log_p, weights = log_softmax(logits, axis=1), np.array(WEIGHTS)
    loss = CrossEntropyLoss(torch.tensor(WEIGHTS))
    found = float(loss(given(logits), torch.tensor(SHARES)))
    expected = sum(
        weights[k] * SHARES[i, k] * -log_p[i, k] for i in range(3) for k in range(4)
    ) / sum(weights[k] * SHARES[i, k] for i in range(3) for k in range(4))
    assert found == pytest.approx(expected)
    assert passes_gradcheck(loss, logits, SHARES)


def test_without_weights_shares_cost_what_they_cost_in_torch():
    logits, _ = random_batch(size=3)
    found = CrossEntropyLoss()(given(logits), torch.tensor(SHARES))
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), torch.tensor(SHARES))
    torch.testing.assert_close(found, expected)
