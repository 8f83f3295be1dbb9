import pytest
import torch

from ser.nn.pooling import build_pooling
from tests.rounding import FORMULA

pytestmark = pytest.mark.numeric


def loops(name, frames, lengths, pooling):
    rows = []
    for row, length in zip(frames, lengths.tolist(), strict=True):
        valid = row[:length].double()
        mean = valid.mean(dim=0)
        if name == "mean":
            rows.append(mean)
        elif name == "stats":
            std = torch.sqrt(valid.var(dim=0, correction=0) + 1e-6)
            rows.append(torch.cat([mean, std]))
        else:
            scores = torch.stack([pooling.score(frame.float()) for frame in valid]).double()
            weights = torch.exp(scores) / torch.exp(scores).sum()
            rows.append((weights * valid).sum(dim=0))
    return torch.stack(rows).float()


@pytest.mark.parametrize("name", ["mean", "stats", "attention"])
def test_pooling_equals_a_loop_over_valid_frames(name):
    torch.manual_seed(0)
    frames, lengths = torch.randn(3, 10, 5), torch.tensor([10, 4, 1])
    pooling = build_pooling(name, 5)
    pooled = pooling(frames, lengths)
    assert pooled.shape == (3, pooling.output_dim)
    torch.testing.assert_close(
        pooled, loops(name, frames, lengths, pooling), atol=FORMULA, rtol=FORMULA
    )


def test_every_head_pools_its_own_share_of_a_frame():
    torch.manual_seed(0)
    frames, lengths = torch.randn(3, 10, 6), torch.tensor([10, 4, 1])
    pooling = build_pooling("attention", 6, attention_heads=2)
    pooled = pooling(frames, lengths)
    for head, share in enumerate((slice(0, 3), slice(3, 6))):
        alone = build_pooling("attention", 3)
        with torch.no_grad():
            alone.score.weight.copy_(pooling.score.weight[head : head + 1])
        expected = loops("attention", frames[..., share], lengths, alone)
        torch.testing.assert_close(pooled[:, share], expected, atol=FORMULA, rtol=FORMULA)


def test_a_single_frame_has_a_finite_gradient():
    frames = torch.randn(1, 1, 3, requires_grad=True)
    build_pooling("stats", 3)(frames, torch.tensor([1])).sum().backward()
    assert frames.grad.isfinite().all()
