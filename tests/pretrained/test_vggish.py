import hashlib

import pytest
import torch
from pydantic import ValidationError

from ser.errors import WeightsError
from ser.pretrained.vggish import Trunk, TrunkParams, load_published, trunk_name
from tests.pretrained.weights_files import write_weights
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

#: What torchvggish's file holds.
PUBLISHED = {
    "features.0.weight": (64, 1, 3, 3),
    "features.0.bias": (64,),
    "features.3.weight": (128, 64, 3, 3),
    "features.3.bias": (128,),
    "features.6.weight": (256, 128, 3, 3),
    "features.6.bias": (256,),
    "features.8.weight": (256, 256, 3, 3),
    "features.8.bias": (256,),
    "features.11.weight": (512, 256, 3, 3),
    "features.11.bias": (512,),
    "features.13.weight": (512, 512, 3, 3),
    "features.13.bias": (512,),
    "embeddings.0.weight": (4096, 12288),
    "embeddings.0.bias": (4096,),
    "embeddings.2.weight": (4096, 4096),
    "embeddings.2.bias": (4096,),
    "embeddings.4.weight": (128, 4096),
    "embeddings.4.bias": (128,),
}
WIDTH = 1 / 32


def published_like(width=WIDTH, seed=0):
    """Random tensors with the published names; channels and units scaled by the width."""
    generator = torch.Generator().manual_seed(seed)

    def scaled(name, axis, size):
        is_fixed = size in (1, 3) or (name.startswith("embeddings.4") and axis == 0)
        return size if is_fixed else round(size * width)

    return {
        name: 0.1
        * torch.randn(
            [scaled(name, axis, size) for axis, size in enumerate(shape)], generator=generator
        )
        for name, shape in PUBLISHED.items()
    }


def reference(state, patches, *, final_relu):
    """torchvggish's network, written out; its flattening has the channels last."""
    functional = torch.nn.functional
    maps = patches.unsqueeze(1)
    for number in (0, 3, 6, 8, 11, 13):
        weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
        maps = functional.conv2d(maps, weight, bias, padding=1).relu()
        if number in (0, 3, 8, 13):
            maps = functional.max_pool2d(maps, 2)
    hidden = torch.transpose(torch.transpose(maps, 1, 3), 1, 2).reshape(len(patches), -1)
    for number in (0, 2, 4):
        weight, bias = state[f"embeddings.{number}.weight"], state[f"embeddings.{number}.bias"]
        hidden = hidden @ weight.T + bias
        if number != 4 or final_relu:
            hidden = hidden.relu()
    return hidden


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("final_relu", [False, True])
def test_a_loaded_trunk_is_the_network_of_torchvggish(tmp_path, suffix, final_relu):
    state = published_like()
    path, digest = write_weights(tmp_path / f"weights{suffix}", state)
    trunk = load_published(path, digest, width=WIDTH, final_relu=final_relu)
    patches = torch.randn(3, 96, 64, generator=torch.Generator().manual_seed(1))
    expected = reference(state, patches, final_relu=final_relu)
    assert expected.min() == 0 if final_relu else expected.min() < 0
    assert expected.shape == (3, 128)
    torch.testing.assert_close(trunk(patches), expected, atol=NETWORK, rtol=NETWORK)
    assert all(parameter.requires_grad for parameter in trunk.parameters())


def test_a_file_with_the_published_names_and_shapes_is_read(tmp_path):
    # Rows that share their memory make a small file of tensors of the full size.
    state = {name: torch.rand(shape[-1]).expand(shape) for name, shape in PUBLISHED.items()}
    path, digest = write_weights(tmp_path / "vggish-10086976.pth", state)
    loaded = load_published(path, digest, final_relu=False).state_dict()
    assert set(loaded) == set(PUBLISHED)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_a_missing_file_says_which_where_it_is_published_and_what_to_write(tmp_path):
    with pytest.raises(WeightsError) as caught:
        load_published(tmp_path / "vggish.pth", 64 * "0", final_relu=False)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'vggish.pth'}: no such file")
    for part in (
        "vggish-10086976.pth",
        "https://github.com/harritaylor/torchvggish/releases/tag/v0.1",
        "`weights: <its path>`",
        "`sha256: <what sha256sum prints>`",
    ):
        assert part in message


def test_a_file_of_another_digest_is_refused_naming_both(tmp_path):
    path, digest = write_weights(tmp_path / "weights.pth", published_like())
    pinned = 64 * "0"
    with pytest.raises(WeightsError, match=rf"SHA-256 is {digest}, but params.yaml pins {pinned}"):
        load_published(path, pinned, width=WIDTH, final_relu=False)


def test_the_first_digits_of_the_digest_pin_a_file_too(tmp_path):
    path, digest = write_weights(tmp_path / "weights.pth", published_like())
    load_published(path, digest[:8], width=WIDTH, final_relu=False)
    with pytest.raises(WeightsError, match=f"params.yaml pins {digest[1:9]}"):
        load_published(path, digest[1:9], width=WIDTH, final_relu=False)


def test_wrong_tensors_are_refused_by_name_with_both_shapes(tmp_path):
    state = published_like()
    state["embeddings.9.weight"] = state.pop("embeddings.4.weight")
    state["features.3.bias"] = torch.zeros(7)
    path, digest = write_weights(tmp_path / "weights.pth", state)
    with pytest.raises(WeightsError) as caught:
        load_published(path, digest, width=WIDTH, final_relu=False)
    message = str(caught.value)
    assert "missing: embeddings.4.weight;" in message
    assert "unexpected: embeddings.9.weight;" in message
    assert "of another shape: features.3.bias (7,) instead of (4,)." in message


def test_many_wrong_tensors_are_counted_after_the_first(tmp_path):
    path, digest = write_weights(tmp_path / "weights.pth", published_like(width=1 / 16))
    with pytest.raises(WeightsError, match=r"features\.0\.weight \(4, 1, 3, 3\)") as caught:
        load_published(path, digest, width=WIDTH, final_relu=False)
    assert "instead of (2, 1, 3, 3)" in str(caught.value)
    assert str(caught.value).count("instead of") == 6
    assert "and 11 more" in str(caught.value)


def test_published_weights_do_not_fit_a_trunk_with_batch_norm(tmp_path):
    path, digest = write_weights(tmp_path / "weights.pth", published_like())
    with pytest.raises(WeightsError, match=r"missing: features\.1\.weight"):
        load_published(path, digest, width=WIDTH, batch_norm=True, final_relu=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("weights.pth", b"not a file of tensors", "not a file of tensors"),
        ("weights.pth", b"", "it is empty. AudioSet's"),
        ("weights.pth", b"version https://git-lfs.github.com/spec/v1\nsize 7\n", "git lfs pull"),
        ("weights.safetensors", b"not a file of tensors", "not a file of tensors"),
        ("weights.h5", b"", "end in .pth or .safetensors"),
    ],
)
def test_a_file_that_holds_no_tensors_is_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        load_published(path, hashlib.sha256(content).hexdigest(), final_relu=False)


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"state_dict": {"a": torch.zeros(1)}}])
def test_anything_but_a_mapping_of_tensors_is_refused(tmp_path, content):
    path, digest = write_weights(tmp_path / "weights.pth", content)
    with pytest.raises(WeightsError, match="expected a mapping of names to tensors"):
        load_published(path, digest, final_relu=False)


class Code:
    """Would run when unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the file's code was run",))


def test_a_file_with_code_in_it_is_refused_and_the_code_not_run(tmp_path):
    path, digest = write_weights(tmp_path / "weights.pth", {"features.0.weight": Code()})
    with pytest.raises(WeightsError, match="not a file of tensors"):
        load_published(path, digest, final_relu=False)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_fresh_weights_keep_the_size_of_the_signal(batch_norm):
    torch.manual_seed(0)
    trunk = Trunk(width=0.25, batch_norm=batch_norm)
    embeddings = trunk(torch.randn(8, 96, 64))
    assert 0.3 < embeddings.std() < 5
    assert (embeddings < 0).any()


def test_a_trunk_keeps_its_embeddings_at_any_width():
    for width in (1 / 64, 0.3):
        assert Trunk(width=width)(torch.randn(2, 96, 64)).shape == (2, 128)


def test_batch_norm_follows_every_convolution():
    layers = Trunk(width=WIDTH, batch_norm=True).features
    convolutions = [i for i, layer in enumerate(layers) if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == 6
    assert all(isinstance(layers[i + 1], torch.nn.BatchNorm2d) for i in convolutions)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_depth_counts_layers_from_the_top(batch_norm):
    trunk = Trunk(width=1 / 64, batch_norm=batch_norm)
    depths = {name: trunk.parameter_depth(name) for name, _ in trunk.named_parameters()}
    weights = [d for name, d in depths.items() if trunk.get_parameter(name).ndim > 1]
    assert weights == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert depths["embeddings.4.bias"] == 1
    assert depths["features.0.weight"] == 9
    if batch_norm:
        assert depths["features.1.weight"] == depths["features.1.bias"] == 9


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"weights": "vggish.pth"}, "must be pinned; write `sha256:`"),
        ({"sha256": 64 * "a"}, "weights is none"),
        ({"weights": "vggish.pth", "sha256": "abcdef0"}, "match pattern"),
        ({"weights": "vggish.pth", "sha256": 65 * "a"}, "match pattern"),
        ({"width": 0.001}, "greater than or equal"),
        ({"width": 2.0}, "less than or equal"),
        ({"patch_hop": 97}, "less than or equal to 96"),
    ],
)
def test_params_that_make_no_sense_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        TrunkParams(**bad)


def test_only_the_published_size_is_called_by_the_published_name():
    assert trunk_name(64 * "a", width=1.0) == "AudioSet VGGish aaaaaaaaaaaa"
    assert trunk_name(64 * "a", width=0.25) == "VGGish of width 0.25 aaaaaaaaaaaa"
