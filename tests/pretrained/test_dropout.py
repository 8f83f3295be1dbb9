import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ser.pretrained._dropout import Dropout, dropped, random_bits, replace_dropouts


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_so_many_elements_are_dropped_and_the_mean_stays(rate, dtype):
    torch.manual_seed(0)
    count = 200_001  # no multiple of four
    values = dropped(torch.ones(count, dtype=dtype), rate)
    assert values.dtype == dtype
    kept = values[values != 0].double()
    deviation = (rate * (1 - rate) / count) ** 0.5
    rounding = torch.finfo(dtype).eps
    assert 1 - len(kept) / count == pytest.approx(rate, abs=5 * deviation + 2**-16)
    scale = pytest.approx([1 / (1 - rate)], rel=2**-15 / (1 - rate) + rounding)
    assert kept.unique().tolist() == scale
    mean = values.double().mean().item()
    assert mean == pytest.approx(1.0, abs=5 * deviation / (1 - rate) + rounding)


def test_elements_beside_one_another_are_dropped_independently():
    torch.manual_seed(0)
    gone = (dropped(torch.ones(400_000), 0.3) == 0).float()
    for distance in (1, 2, 3, 4, 8):
        both = (gone[distance:] * gone[:-distance]).mean().item()
        assert both == pytest.approx(0.09, abs=0.003), distance


def test_all_sixteen_bits_are_random():
    torch.manual_seed(0)
    bits = random_bits(torch.Size([100_000])).int() + 2**15
    for place in range(16):
        assert (bits >> place & 1).float().mean().item() == pytest.approx(0.5, abs=0.01), place


def test_gradients_are_those_of_what_stayed():
    torch.manual_seed(0)
    values = torch.randn(50, 20, dtype=torch.float64, requires_grad=True)
    result = dropped(values, 0.4)
    result.sum().backward()
    torch.testing.assert_close(values.grad * values.detach(), result.detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_seed_draws_the_same_on_any_number_of_threads(dtype):
    # More than two shares of a thread, and no whole number of pieces or of the cipher's blocks.
    values, drawn = torch.ones(1237, 1000, dtype=dtype), []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            torch.manual_seed(7)
            drawn.append(dropped(values, 0.1))
    finally:
        torch.set_num_threads(threads)
    assert drawn[0].dtype == dtype
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])


def test_no_two_parts_of_a_draw_and_no_two_draws_are_the_same():
    torch.manual_seed(0)
    first, second = (random_bits(torch.Size([2**20])) for _ in range(2))
    parts = torch.cat((first, second)).view(-1, 64)
    assert len(parts.unique(dim=0)) == len(parts)


def test_bits_are_the_keystream_of_the_cipher():
    torch.manual_seed(3)
    drawn = random_bits(torch.Size([2, 12]))
    torch.manual_seed(3)
    key = int(torch.randint(2**63 - 1, ())).to_bytes(16, "little")
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    counters = b"".join(count.to_bytes(16, "big") for count in range(3))
    expected = np.frombuffer(block.update(counters), np.int16).reshape(2, 12)
    assert drawn.numpy().tolist() == expected.tolist()


def test_nothing_is_drawn_for_a_batch_without_elements():
    assert dropped(torch.ones(0, 4), 0.5).shape == (0, 4)


def test_evaluation_and_a_rate_of_zero_change_and_draw_nothing():
    values, state = torch.randn(5, 4), torch.get_rng_state()
    assert dropped(values, 0.0) is values
    assert Dropout(0.5).eval()(values) is values
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(Dropout(0.5)(values), values)


def test_every_dropout_inside_is_replaced_at_its_rate_and_mode():
    inner = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.25))
    outer = torch.nn.Sequential(inner, torch.nn.Dropout(0.5).eval())
    replace_dropouts(outer)
    assert [type(outer[1]), type(inner[1])] == [Dropout, Dropout]
    assert (outer[1].p, inner[1].p) == (0.5, 0.25)
    assert (outer[1].training, inner[1].training) == (False, True)
