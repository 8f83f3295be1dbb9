import pytest
import torch
from torch import nn

from ser.pretrained import _linear
from ser.pretrained._linear import Linear, Product, replace_linears

pytestmark = pytest.mark.numeric


@pytest.fixture
def by_onednn(monkeypatch):
    """Let this processor have what makes oneDNN pay, and count its products."""
    calls = []
    monkeypatch.setattr(_linear, "_has_wide_vectors", lambda: True)
    apply = Product.apply
    monkeypatch.setattr(Product, "apply", lambda *given: (calls.append(given), apply(*given))[1])
    return calls


def _of(linear, values, weighting):
    values = values.detach().clone().requires_grad_()
    linear.zero_grad()
    answer = linear(values)
    (answer * weighting).sum().backward()
    return [answer.detach(), values.grad, *(weights.grad for weights in linear.parameters())]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 400, 512), (1025, 512)])
def test_values_and_gradients_are_those_of_torch_to_rounding(shape, bias, by_onednn):
    torch.manual_seed(0)
    linear = Linear(512, 640, bias=bias)
    values, weighting = torch.randn(shape), torch.randn(*shape[:-1], 640)
    found = _of(linear, values, weighting)
    assert len(by_onednn) == 1
    exact = _of(linear.double(), values.double(), weighting.double())
    assert len(by_onednn) == 1  # double precision is MKL's
    assert len(found) == len(exact) == 3 + bias
    for one, other in zip(found, exact, strict=True):
        largest = other.abs().max().item()
        torch.testing.assert_close(one.double(), other, rtol=0, atol=3e-6 * largest)


def test_what_needs_no_gradient_gets_none(by_onednn):
    linear = Linear(512, 512)
    linear.weight.requires_grad_(False)
    values = torch.randn(1024, 512)
    linear(values).sum().backward()
    assert linear.weight.grad is None
    assert linear.bias.grad.tolist() == [1024.0] * 512
    assert len(by_onednn) == 1


@pytest.mark.parametrize(
    ("rows", "width", "dtype"),
    [(1023, 512, torch.float32), (2048, 256, torch.float32), (1024, 512, torch.bfloat16)],
)
def test_small_products_and_other_precisions_are_left_to_torch(rows, width, dtype, by_onednn):
    linear, values = Linear(width, 512).to(dtype), torch.randn(rows, width, dtype=dtype)
    assert torch.equal(linear(values), nn.functional.linear(values, linear.weight, linear.bias))
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(values).dtype == torch.bfloat16
    assert not by_onednn


def test_what_learns_nothing_is_left_to_torch(by_onednn):
    linear, values = Linear(512, 512), torch.randn(1024, 512)
    with torch.inference_mode():
        linear(values)
    assert not by_onednn
    linear(values)
    assert by_onednn


def test_where_processors_have_no_wide_vectors_all_is_left_to_torch(monkeypatch):
    _linear._has_wide_vectors.cache_clear()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    try:
        assert not _linear._has_wide_vectors()
    finally:
        _linear._has_wide_vectors.cache_clear()
    monkeypatch.setattr(_linear, "_has_wide_vectors", lambda: False)
    linear, values = Linear(512, 512), torch.randn(1024, 512)
    assert torch.equal(linear(values), nn.functional.linear(values, linear.weight, linear.bias))


def test_every_linear_inside_is_replaced_and_keeps_its_weights():
    module = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Sequential(nn.Linear(2, 2)).eval())
    names, parameters = list(module.state_dict()), list(module.parameters())
    replace_linears(module)
    assert [type(module[0]), type(module[1][0])] == [Linear, Linear]
    assert list(module.state_dict()) == names
    assert all(one is other for one, other in zip(module.parameters(), parameters, strict=True))
    assert (module[0].training, module[1][0].training) == (True, False)
