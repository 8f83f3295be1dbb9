"""What every loss promises, run over all of them by discovery."""

import math

import pytest
import torch

from ser import components
from ser.batch import ModelOutput
from ser.params import tunables
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric

NUM_CLASSES = 4
#: Name of a run -> the loss and its params; every loss once as it is by default.
VARIANTS = {name: (name, {}) for name in components.names("ser.losses")}
VARIANTS["ccc-vad"] = ("ccc", {"targets": "vad"})
LOSSES = tuple(VARIANTS)


def build(name, class_weights=None):
    component, params = VARIANTS[name]
    module = components.load("ser.losses", component)
    return module.build(
        module.Params(**params), num_classes=NUM_CLASSES, class_weights=class_weights
    )


def output(logits, requires_grad=False):
    """Logits that any head could have given: a cosine head's lie in [-1, 1].

    The ratings are those of a second head on the same embedding.
    """
    bounded = torch.tanh(logits).requires_grad_(requires_grad)
    return ModelOutput(torch.zeros(len(logits), 8), bounded, 3.0 + 2.0 * bounded[:, :3])


def ratings(labels):
    """What raters said of utterances with these labels: the more, the nearer to the class."""
    return 1.0 + 4.0 * torch.eye(NUM_CLASSES)[labels][:, :3]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.5, 1.0, 2.0, 1.5])])
def test_the_loss_is_a_finite_scalar_with_a_finite_gradient(name, class_weights):
    torch.manual_seed(0)
    given = output(torch.randn(6, NUM_CLASSES), requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    value = build(name, class_weights)(given, labels, ratings(labels))
    assert value.shape == ()
    assert value.isfinite()
    value.backward()
    assert given.logits.grad.isfinite().all()
    assert given.logits.grad.abs().sum() > 0


@pytest.mark.parametrize("name", LOSSES)
def test_the_order_of_the_batch_does_not_matter(name):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, NUM_CLASSES), torch.tensor([0, 1, 2, 3, 0, 1])
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    loss = build(name)
    torch.testing.assert_close(
        loss(output(logits), labels, ratings(labels)),
        loss(output(logits[order]), labels[order], ratings(labels)[order]),
    )


@pytest.mark.parametrize("name", LOSSES)
def test_being_right_costs_less_than_being_wrong(name):
    labels = torch.arange(NUM_CLASSES)
    right = 3.0 * torch.eye(NUM_CLASSES)
    loss, said = build(name), ratings(labels)
    wrong = right.roll(1, dims=0)
    assert loss(output(right), labels, said) < loss(output(wrong), labels, said)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_one_and_a_batch_of_one_class_are_fine(name):
    torch.manual_seed(0)
    loss = build(name)
    for labels in (torch.tensor([2]), torch.full((5,), 1)):
        given = output(torch.randn(len(labels), NUM_CLASSES), requires_grad=True)
        value = loss(given, labels, ratings(labels))
        assert value.isfinite()
        value.backward()
        assert given.logits.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_half_precision_gives_a_float32_loss_and_float64_stays(name, dtype):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, NUM_CLASSES), torch.tensor([0, 1, 2, 3, 0, 1])
    loss = build(name, torch.tensor([0.5, 1.0, 2.0, 1.5]))
    said = ratings(labels)
    value = loss(output(logits.to(dtype)), labels, said)
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    expected = loss(output(logits), labels, said)
    # Six roundings of bfloat16 (2^-7) of a logit near 1: the rounding of what was given.
    torch.testing.assert_close(value.float(), expected, atol=6 * 2**-7, rtol=6 * 2**-7)


@pytest.mark.parametrize("name", LOSSES)
def test_an_epoch_has_the_same_loss_whatever_epochs_came_before(name):
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    batch = output(torch.randn(6, NUM_CLASSES)), labels, ratings(labels)
    loss, resumed = build(name), build(name)
    for epoch in (1, 2, 3):
        loss.start_epoch(epoch)
    resumed.start_epoch(3)
    assert torch.equal(loss(*batch), resumed(*batch))


@pytest.mark.parametrize("name", LOSSES)
def test_a_diagnosis_is_finite_and_carries_no_part_in_its_names(name):
    torch.manual_seed(0)
    found = build(name).diagnose(output(torch.randn(6, NUM_CLASSES)), torch.tensor([0, 1] * 3))
    for key, value in found.items():
        assert "/" not in key
        assert math.isfinite(value)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_says_whether_it_wants_ratings_and_else_never_looks_at_them(name):
    loss = build(name)
    assert loss.num_ratings in (0, 3)
    labels = torch.tensor([0, 1, 2, 3])
    given = output(torch.randn(4, NUM_CLASSES))
    if loss.num_ratings:
        assert loss(given, labels, ratings(labels)) != loss(given, labels, 6.0 - ratings(labels))
    else:
        plain = ModelOutput(given.embedding, given.logits)
        assert torch.equal(loss(plain, labels), loss(given, labels, torch.full((4, 3), torch.nan)))


SHARES = torch.tensor(
    [[1.0, 0, 0, 0], [0, 0.5, 0.5, 0], [0.25] * 4, [0, 0, 0, 1], [0.7, 0, 0.3, 0], [0, 1, 0, 0]]
)
SOFT = tuple(name for name in LOSSES if build(name).learns_shares)


def test_all_losses_but_the_one_with_a_margin_learn_shares_of_votes():
    assert set(LOSSES) - set(SOFT) == {"aam"}


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.5, 1.0, 2.0, 1.5])])
def test_shares_that_are_certain_cost_what_labels_cost(name, class_weights):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, NUM_CLASSES), torch.tensor([0, 1, 2, 3, 0, 1])
    found = []
    for truth in (labels, torch.eye(NUM_CLASSES)[labels]):
        given = output(logits, requires_grad=True)
        value = build(name, class_weights)(given, truth, ratings(labels))
        value.backward()
        found.append((value.detach(), given.logits.grad))
    for of_labels, of_shares in zip(*found, strict=True):
        torch.testing.assert_close(of_shares, of_labels, rtol=FORMULA, atol=FORMULA)


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("class_weights", [None, torch.tensor([0.5, 1.0, 2.0, 1.5])])
def test_shares_give_a_finite_scalar_with_a_finite_gradient_that_differs(name, class_weights):
    torch.manual_seed(0)
    given = output(torch.randn(6, NUM_CLASSES), requires_grad=True)
    loss, said = build(name, class_weights), ratings(SHARES.argmax(dim=1))
    value = loss(given, SHARES, said)
    assert value.shape == ()
    value.backward()
    assert given.logits.grad.isfinite().all()
    assert value != loss(given, SHARES.argmax(dim=1), said)


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_shares_are_of_any_precision_too(name, dtype):
    torch.manual_seed(0)
    logits, said = torch.randn(6, NUM_CLASSES), ratings(SHARES.argmax(dim=1))
    value = build(name, torch.tensor([0.5, 1.0, 2.0, 1.5]))(
        output(logits.to(dtype)), SHARES.to(torch.float32), said
    )
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_owns_no_learnable_weights_and_names_its_head(name):
    loss = build(name)
    assert list(loss.parameters()) == []
    weighted = build(name, torch.ones(NUM_CLASSES))
    assert weighted.state_dict() == {}
    assert weighted.to(torch.float64).class_weights.dtype == torch.float64
    assert loss.head in ("linear", "cosine")
    assert loss.logit_scale > 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_states_its_source(name):
    loss = build(name)
    assert "Source:" in type(loss).__doc__


@pytest.mark.parametrize("name", components.names("ser.losses"))
def test_a_space_lies_within_the_params_bounds_and_holds_its_first_trials(name):
    params_class = components.load("ser.losses", name).Params
    for field, mark in tunables(params_class).items():
        assert mark.low < mark.high
        assert mark.low > 0 or not mark.log
        published = params_class().model_dump()[field] if mark.published is None else mark.published
        for value in (mark.low, mark.high, published, params_class().model_dump()[field]):
            assert mark.low <= value <= mark.high
            build_params = params_class(**{field: value})
            assert getattr(build_params, field) == value


@pytest.mark.parametrize(
    ("name", "searched"),
    [
        ("aam", {"margin_rad", "scale", "warmup_epochs"}),
        ("ccc", {"weight"}),
        ("cross_entropy", set()),
        ("focal", {"gamma", "alpha"}),
        ("label_smoothing", {"epsilon"}),
    ],
)
def test_the_losses_of_the_study_say_what_may_be_searched(name, searched):
    assert set(tunables(components.load("ser.losses", name).Params)) == searched


@pytest.mark.parametrize("name", components.names("ser.losses"))
def test_every_number_among_the_params_declares_where_it_may_be_searched(name):
    params_class = components.load("ser.losses", name).Params
    fields = params_class.model_fields.items()
    numbers = {field for field, info in fields if info.annotation in (int, float)}
    assert set(tunables(params_class)) == numbers
