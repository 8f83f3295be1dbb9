import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.special import softmax

from ser import concordance, emotion
from ser.batch import ModelOutput
from ser.losses import ccc
from ser.losses.ccc import CccLoss, RatingsCccLoss, VadCccLoss
from tests.losses.support import (
    WEIGHTS,
    given,
    of_cross_entropy,
    passes_gradcheck,
    random_batch,
    value_and_gradient,
)
from tests.reference import losses as reference
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric


# In float64 the guard of 1e-8, which the reference lacks, is what differs.
@pytest.mark.parametrize(("dtype", "abs_"), [(torch.float32, FORMULA), (torch.float64, 1e-7)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_ccc_equals_a_plain_loop(weights, dtype, abs_, weight):
    logits, labels = random_batch(size=9)
    loss = CccLoss(weight, None if weights is None else torch.tensor(weights))
    value = loss(given(logits, dtype), torch.tensor(labels))
    assert float(value) == pytest.approx(
        reference.ccc(logits, labels, weights or [1.0] * 4, weight), abs=abs_
    )


@pytest.mark.parametrize("weights", [None, torch.tensor(WEIGHTS)])
def test_weight_zero_is_cross_entropy_exactly(weights):
    logits, labels = random_batch()
    value, gradient = value_and_gradient(CccLoss(0.0, weights), logits, labels)
    expected, expected_gradient = of_cross_entropy(logits, labels, weights)
    assert torch.equal(value, expected)
    assert torch.equal(gradient, expected_gradient)


def test_the_concordance_is_that_of_the_metric():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    second[:, 2] = first[:, 2] + 0.5
    ours = ccc.concordance(torch.tensor(first), torch.tensor(second))
    theirs = [concordance.ccc(truth=first[:, k], prediction=second[:, k]) for k in range(3)]
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-6)


def test_the_pure_loss_is_zero_for_perfect_probabilities_and_two_for_opposite_ones():
    labels = torch.tensor([0, 1, 0, 1])
    right = torch.nn.functional.one_hot(labels).double() * 1e4
    assert float(CccLoss(1.0)(given(right), labels)) == pytest.approx(0.0, abs=1e-6)
    assert float(CccLoss(1.0)(given(right.roll(1, dims=1)), labels)) == pytest.approx(2.0, abs=1e-6)


def test_an_absent_class_has_concordance_zero_and_pulls_at_nothing():
    targets = torch.zeros(5, 1)
    for probabilities in (torch.zeros(5, 1), torch.full((5, 1), 0.25), torch.rand(5, 1)):
        leaf = probabilities.clone().requires_grad_()
        value = ccc.concordance(leaf, targets)
        value.sum().backward()
        assert float(value.detach()) == 0.0
        assert torch.equal(leaf.grad, torch.zeros(5, 1))


@pytest.mark.parametrize("labels", [[2], [1, 1, 1, 1]])
def test_one_utterance_or_one_class_learns_from_the_cross_entropy_alone(labels):
    logits, labels = torch.randn(len(labels), 4), torch.tensor(labels)
    value, gradient = value_and_gradient(CccLoss(1.0), logits, labels)
    assert float(value) == 1.0
    assert torch.equal(gradient, torch.zeros(len(labels), 4))
    _, gradient = value_and_gradient(CccLoss(0.5), logits, labels)
    _, expected = of_cross_entropy(logits, labels)
    torch.testing.assert_close(gradient, 0.5 * expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_logits_of_ten_thousand_do_not_overflow(dtype):
    logits, labels = torch.tensor([[1e4, -1e4], [1e4, -1e4]]), torch.tensor([0, 1])
    value, gradient = value_and_gradient(CccLoss(0.5), logits, labels, dtype)
    assert float(value) == pytest.approx(0.5 * 1e4 + 0.5, rel=1e-2)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_gradient_is_that_of_finite_differences(weight):
    assert passes_gradcheck(CccLoss(weight, torch.tensor(WEIGHTS)), *random_batch())


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_a_weight_outside_its_range_is_refused(weight):
    with pytest.raises(ValidationError, match="weight"):
        ccc.Params(weight=weight)


def rated_batch(size=9):
    """Logits, labels, what a model says of the three dimensions, and what raters said."""
    logits, labels = random_batch(size=size)
    rng = np.random.default_rng(1)
    ratings = rng.uniform(1, 5, size=(size, 3))
    said = 0.6 * ratings + rng.normal(size=ratings.shape)
    ratings[[1, 4], [0, 2]] = np.nan
    ratings[5] = np.nan
    return logits, labels, said, ratings


def vad_loss(weight, logits, labels, said, ratings, class_weights=None, dtype=torch.float64):
    """The loss, and the leaves that it is a function of."""
    leaves = [torch.tensor(values, dtype=dtype, requires_grad=True) for values in (logits, said)]
    output = ModelOutput(torch.zeros(len(labels), 2), *leaves)
    loss = VadCccLoss(weight, class_weights)
    return loss(output, torch.as_tensor(labels), torch.as_tensor(ratings).float()), leaves


def gradients(value, leaves):
    return torch.autograd.grad(value, leaves)


def test_the_targets_of_the_params_choose_the_loss():
    def built(**params):
        return ccc.build(ccc.Params(**params), num_classes=4, class_weights=None)

    assert type(built()) is CccLoss
    assert type(built(targets="categories")) is CccLoss
    assert type(built(targets="ratings")) is RatingsCccLoss
    assert type(built(targets="vad", weight=0.3)) is VadCccLoss
    assert built(targets="vad", weight=0.3).weight == 0.3
    with pytest.raises(ValidationError, match="targets"):
        ccc.Params(targets="valence")


@pytest.mark.parametrize(("dtype", "abs_"), [(torch.float32, FORMULA), (torch.float64, 1e-7)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_vad_equals_a_plain_loop_over_what_is_rated(weights, dtype, abs_, weight):
    logits, labels, said, ratings = rated_batch()
    value, _ = vad_loss(
        weight, logits, labels, said, ratings,
        None if weights is None else torch.tensor(weights), dtype,
    )  # fmt: skip
    found = []
    for truth, prediction in zip(ratings.astype(np.float32).T, said.T, strict=True):
        there = [row for row in range(len(labels)) if not np.isnan(truth[row])]
        assert len(there) < len(labels)
        found.append(reference.concordance(truth[there].tolist(), prediction[there].tolist()))
    entropy = reference.cross_entropy(logits, labels, weights or [1.0] * 4)
    expected = (1 - weight) * entropy + weight * (1 - sum(found) / 3)
    assert value.dtype == dtype
    assert float(value.detach()) == pytest.approx(expected, abs=abs_)


def test_vad_with_weight_zero_is_cross_entropy_exactly():
    logits, labels, said, ratings = rated_batch()
    value, leaves = vad_loss(0.0, logits, labels, said, ratings, dtype=torch.float32)
    expected, expected_gradient = of_cross_entropy(logits, labels)
    of_logits, of_said = gradients(value, leaves)
    assert torch.equal(value, expected)
    assert torch.equal(of_logits, expected_gradient)
    assert torch.equal(of_said, torch.zeros(9, 3))


def test_perfect_ratings_cost_nothing_and_opposite_ones_two():
    logits, labels, _, ratings = rated_batch()
    perfect = np.nan_to_num(ratings.astype(np.float32), nan=99.0)
    assert float(vad_loss(1.0, logits, labels, perfect, ratings)[0].detach()) == pytest.approx(
        0.0, abs=1e-6
    )
    # Mirrored at the mean of what is rated, so that only the sign differs.
    mirrored = 2 * np.nanmean(ratings, axis=0) - perfect
    assert float(vad_loss(1.0, logits, labels, mirrored, ratings)[0].detach()) == pytest.approx(
        2.0, abs=1e-6
    )


def test_what_is_said_of_an_utterance_without_a_rating_counts_for_nothing():
    logits, labels, said, ratings = rated_batch()
    value, leaves = vad_loss(0.5, logits, labels, said, ratings)
    gradient = gradients(value, leaves)[1]
    assert gradient.isfinite().all()
    np.testing.assert_array_equal(gradient.numpy() == 0.0, np.isnan(ratings))
    other = np.where(np.isnan(ratings), 1e6, said)
    assert torch.equal(vad_loss(0.5, logits, labels, other, ratings)[0], value)


@pytest.mark.parametrize("column", [[np.nan] * 9, [3.3] * 9, [np.nan] * 8 + [2.7]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_dimension_that_tells_nothing_is_worth_zero_and_pulls_at_nothing(column, dtype):
    logits, labels, said, ratings = rated_batch()
    ratings[:, 1] = column
    value, leaves = vad_loss(1.0, logits, labels, said, ratings, dtype=dtype)
    found = ccc.rated_concordance(torch.tensor(ratings).to(dtype), torch.tensor(said).to(dtype))
    assert float(found[1]) == 0.0
    assert float(value.detach()) == pytest.approx(1.0 - float(found[0] + found[2]) / 3)
    of_said = gradients(value, leaves)[1]
    assert torch.equal(of_said[:, 1], torch.zeros(9, dtype=dtype))
    assert (of_said[:5, 0] != 0.0).sum() == 4


def test_a_batch_without_any_rating_still_reaches_every_weight():
    """Processes that train together wait for the gradient of every weight."""
    logits, labels, said, _ = rated_batch()
    value, leaves = vad_loss(0.5, logits, labels, said, np.full((9, 3), np.nan))
    of_logits, of_said = gradients(value, leaves)
    assert of_logits.abs().sum() > 0
    assert torch.equal(of_said, torch.zeros(9, 3, dtype=torch.float64))


@pytest.mark.parametrize("constant", [3.0, 1e4])
def test_a_model_that_says_the_same_of_everybody_has_a_finite_gradient(constant):
    logits, labels, said, ratings = rated_batch()
    value, leaves = vad_loss(1.0, logits, labels, np.full_like(said, constant), ratings)
    assert float(value.detach()) == pytest.approx(1.0)
    assert gradients(value, leaves)[1].isfinite().all()


def test_the_concordance_of_ratings_is_that_of_the_metric():
    _, _, said, ratings = rated_batch(size=50)
    ours = ccc.rated_concordance(torch.tensor(ratings), torch.tensor(said))
    theirs = concordance.rating_scores(truth=ratings, prediction=said)
    expected = [theirs[f"ccc_{dimension}"] for dimension in emotion.DIMENSIONS]
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-6)


def test_the_unit_of_the_ratings_does_not_matter():
    _, _, said, ratings = (torch.as_tensor(values) for values in rated_batch())
    torch.testing.assert_close(
        ccc.rated_concordance((ratings - 3) / 2, (said - 3) / 2),
        ccc.rated_concordance(ratings, said),
        rtol=1e-6,
        atol=1e-6,
    )


def test_the_gradient_of_vad_is_that_of_finite_differences():
    logits, labels, said, ratings = rated_batch()
    leaves = [torch.tensor(values, requires_grad=True) for values in (logits, said)]
    loss = VadCccLoss(0.5, torch.tensor(WEIGHTS))
    assert torch.autograd.gradcheck(
        lambda logits, said: loss(
            ModelOutput(torch.zeros(9, 2), logits, said),
            torch.as_tensor(labels),
            torch.tensor(ratings),
        ),
        leaves,
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_ratings_are_compared_in_float32(dtype):
    logits, labels, said, ratings = rated_batch()
    value, leaves = vad_loss(0.5, logits, labels, said, ratings, dtype=dtype)
    assert value.dtype == torch.float32
    # Rounded as the model's output is, and not once more.
    logits, said = (leaf.detach().double().numpy() for leaf in leaves)
    expected, _ = vad_loss(0.5, logits, labels, said, ratings, dtype=torch.float32)
    assert torch.equal(value, expected)
    assert all(gradient.isfinite().all() for gradient in gradients(value, leaves))


def test_vad_without_ratings_is_refused():
    logits, labels, said, ratings = rated_batch()
    rated = ModelOutput(torch.zeros(9, 2), torch.tensor(logits), torch.tensor(said))
    plain = ModelOutput(torch.zeros(9, 2), torch.tensor(logits))
    for output, said_by_raters in ((rated, None), (plain, torch.tensor(ratings))):
        with pytest.raises(ValueError, match="a model that rates, and ratings"):
            VadCccLoss(0.5)(output, torch.as_tensor(labels), said_by_raters)


def test_without_classes_the_loss_is_that_of_the_ratings_alone():
    generator = torch.Generator().manual_seed(0)
    said = (3 + torch.randn(7, 3, generator=generator)).requires_grad_()
    ratings = (3 + torch.randn(7, 3, generator=generator)).clone()
    ratings[2, 1] = torch.nan
    embedding, labels = torch.zeros(7, 2), torch.zeros(7, dtype=torch.int64)
    alone = RatingsCccLoss()(ModelOutput(embedding, torch.zeros(7, 0), said), labels, ratings)
    beside = VadCccLoss(1.0)(ModelOutput(embedding, torch.zeros(7, 4), said), labels, ratings)
    assert alone.item() == pytest.approx(beside.item())
    alone.backward()
    assert said.grad is not None
    assert said.grad.isfinite().all()
    with pytest.raises(ValueError, match="a model that rates"):
        RatingsCccLoss()(ModelOutput(embedding, torch.zeros(7, 0)), labels, ratings)


def test_shares_of_votes_are_the_other_column_and_the_entropys_target():
    logits, _ = random_batch(size=6)
    votes = np.random.default_rng(1).multinomial(3, [0.4, 0.3, 0.2, 0.1], 6)
    shares = votes / 3
    p = softmax(logits, axis=1)
    columns = [concordance.ccc(truth=t, prediction=q) for t, q in zip(shares.T, p.T, strict=True)]
    entropy = -(shares * np.log(p)).sum() / 6
    expected = 0.7 * entropy + 0.3 * (1 - np.mean(columns))
    found = float(CccLoss(0.3)(given(logits), torch.tensor(shares)))
    assert found == pytest.approx(expected, abs=1e-7)
