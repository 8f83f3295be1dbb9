import pytest
import torch

from ser.batch import FeatureSpec
from ser.errors import ParamsError, WeightsError
from ser.models import vggish
from ser.models.vggish import PatchTrunk
from ser.pretrained.vggish import Trunk
from ser.pretrained.vggish_frontend import cut_patches, patch_starts
from ser.training.fit import parameter_groups
from ser.training.recipe import Recipe
from tests.pretrained.weights_files import write_weights
from tests.rounding import NETWORK

pytestmark = pytest.mark.numeric

LOGMEL = FeatureSpec("logmel", 64)
FROZEN = FeatureSpec("vggish", 128, params={"width": 1.0}, weights_sha256=64 * "a")
WIDTH = 1 / 16


class FirstFrames(torch.nn.Module):
    """Stands for a trunk: an embedding says where its patch began and what it was cut from."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, patches):
        self.seen.append(patches)
        return patches[:, 0, :2]


@pytest.fixture
def trunk():
    return FirstFrames()


@pytest.fixture
def cut(trunk):
    """Cuts patches of frames whose first bin is their number, and returns where they began."""

    def function(lengths, *, training=False, patch_hop=96, train_patches=None, padded_to=None):
        inputs = torch.full((len(lengths), padded_to or max(lengths), 64), 1e6)
        for row, length in enumerate(lengths):
            inputs[row, :length, 0] = torch.arange(length, dtype=torch.float32)
            inputs[row, :length, 1] = row
        patches = PatchTrunk(
            trunk, patch_hop=patch_hop, train_patches=train_patches, is_pretrained=False
        ).train(training)
        embeddings, counts = patches(inputs, torch.tensor(lengths))
        return embeddings[..., 0], embeddings[..., 1], counts

    return function


def test_patches_are_cut_from_the_valid_frames_and_their_end_is_heard(cut):
    starts, rows, counts = cut([200, 96, 288], padded_to=500)
    assert counts.tolist() == [3, 1, 3]
    assert starts.tolist() == [[0, 96, 104], [0, 0, 0], [0, 96, 192]]
    assert rows[0].tolist() == [0, 0, 0]
    assert rows[2].tolist() == [2, 2, 2]


def test_overlapping_patches_are_a_hop_apart(cut):
    starts, _, _ = cut([200], patch_hop=48)
    assert starts.tolist() == [[0, 48, 96, 104]]


def test_the_trunk_sees_every_patch_once_and_no_padding(cut, trunk):
    cut([200, 96, 30], padded_to=400)
    (seen,) = trunk.seen
    assert seen.shape == (3 + 1 + 1, 96, 64)
    assert seen[:4, :, 0].max() == 199
    assert seen[4, 29, 0] == 29
    assert not seen[4, 30:].any()


def test_training_draws_patches_from_all_places_and_nowhere_else(cut):
    torch.manual_seed(0)
    starts, rows, counts = cut([100, 97, 50], training=True, train_patches=200, padded_to=400)
    assert counts.tolist() == [200, 200, 200]
    assert set(starts[0].tolist()) == {0, 1, 2, 3, 4}
    assert set(starts[1].tolist()) == {0, 1}
    assert set(starts[2].tolist()) == {0}
    counted = torch.bincount(starts[0].long())
    assert counted.min() > 20  # of 40 expected
    assert (rows == torch.arange(3.0).unsqueeze(1)).all()


def test_training_patches_differ_from_step_to_step_and_follow_the_seed(cut):
    torch.manual_seed(0)
    first, second = (
        cut([400], training=True, train_patches=4)[0],
        cut([400], training=True, train_patches=4)[0],
    )
    torch.manual_seed(0)
    again = cut([400], training=True, train_patches=4)[0]
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


def test_evaluation_hears_everything_and_training_without_a_number_too(cut):
    assert cut([192], train_patches=1)[0].tolist() == [[0, 96]]
    assert cut([192], training=True)[0].tolist() == [[0, 96]]


def build(params, feature=LOGMEL, head="linear"):
    torch.manual_seed(0)
    return vggish.build(params, feature=feature, num_classes=4, head=head)


@pytest.fixture
def weights(tmp_path):
    """Path and digest of a narrow trunk's weights."""
    torch.manual_seed(1)
    path, digest = write_weights(tmp_path / "vggish.pth", Trunk(width=WIDTH).state_dict())
    return {"weights": str(path), "sha256": digest, "width": WIDTH}


def test_patches_are_pooled_over_their_own_number():
    """An utterance that repeats its patch has the answer of the patch."""
    model = build(vggish.Params(width=WIDTH)).eval()
    patch = torch.randn(1, 96, 64)
    inputs = torch.zeros(2, 288, 64)
    inputs[0, :96], inputs[1] = patch, patch.repeat(1, 3, 1)
    once, thrice = model(inputs, torch.tensor([96, 288])).logits
    torch.testing.assert_close(once, thrice, atol=NETWORK, rtol=NETWORK)


def test_padding_never_changes_the_answer_of_long_utterances():
    model = build(vggish.Params(width=WIDTH, batch_norm=True, pooling="stats")).eval()
    inputs, lengths = torch.randn(2, 300, 64), torch.tensor([300, 130])
    together = model(inputs, lengths).logits
    alone = model(inputs[1:, :130], lengths[1:]).logits
    torch.testing.assert_close(together[1:], alone, atol=NETWORK, rtol=NETWORK)


def test_batch_statistics_are_those_of_real_patches():
    """Padding a batch in training changes no running statistic."""
    inputs, lengths = torch.randn(2, 200, 64), torch.tensor([200, 96])
    padded = torch.cat([inputs, torch.full((2, 300, 64), 50.0)], dim=1)
    dirty = torch.cat([padded[:1], padded[1:].clone()])
    dirty[1, 96:] = 50.0
    buffers = []
    for batch in (inputs, dirty):
        model = build(vggish.Params(width=WIDTH, batch_norm=True, dropout=0.0)).train()
        model(batch, lengths)
        buffers.append(dict(model.named_buffers()))
    assert buffers[0].keys() == buffers[1].keys() != set()
    for name, buffer in buffers[0].items():
        torch.testing.assert_close(buffer, buffers[1][name])


def test_fresh_weights_are_told_so_and_see_normalised_features():
    model = build(vggish.Params(width=WIDTH))
    assert (model.origin, model.normalises_inputs) == ("from scratch", True)
    assert {model.parameter_depth(name) for name, _ in model.named_parameters()} == {0}


def test_loaded_weights_are_told_so_and_see_features_as_they_are(weights):
    model = build(vggish.Params(**weights))
    assert model.origin == f"VGGish of width 0.0625 {weights['sha256'][:12]}"
    assert model.normalises_inputs is False
    loaded = torch.load(weights["weights"], weights_only=True)
    state = model.state_dict()
    assert all(torch.equal(state[f"patches.trunk.{name}"], loaded[name]) for name in loaded)


def test_loaded_layers_can_learn_more_slowly_the_lower_they_are(weights):
    model = build(vggish.Params(**weights))
    assert model.parameter_depth("patches.trunk.embeddings.4.weight") == 1
    assert model.parameter_depth("patches.trunk.features.0.bias") == 9
    assert model.parameter_depth("embedding.weight") == 0
    assert model.parameter_depth("head.weight") == 0
    groups = parameter_groups(model, Recipe(pretrained_rate=0.1, layer_decay=0.5))
    assert sorted({group["rate"] for group in groups})[-3:] == [0.05, 0.1, 1.0]


def test_a_missing_file_of_weights_is_refused_at_building(tmp_path):
    params = vggish.Params(weights=str(tmp_path / "absent.pth"), sha256=64 * "0")
    with pytest.raises(WeightsError, match=r"absent\.pth: no such file"):
        build(params)


def test_frozen_embeddings_are_pooled_without_a_trunk():
    model = build(vggish.Params(), FROZEN)
    assert model.origin == "AudioSet VGGish aaaaaaaaaaaa, frozen"
    assert model.normalises_inputs is True
    assert not any("trunk" in name for name, _ in model.named_parameters())
    assert {model.parameter_depth(name) for name, _ in model.named_parameters()} == {0}
    embeddings, lengths = torch.randn(2, 5, 128), torch.tensor([5, 2])
    pooled = embeddings[1, :2].mean(dim=0)
    model.eval()
    torch.testing.assert_close(
        model(embeddings, lengths).embedding[1], torch.tanh(model.embedding(pooled))
    )


def test_frozen_embeddings_of_a_narrow_trunk_are_not_called_audiosets():
    feature = FeatureSpec("vggish", 128, params={"width": 0.25}, weights_sha256=64 * "b")
    assert build(vggish.Params(), feature).origin == "VGGish of width 0.25 bbbbbbbbbbbb, frozen"


def test_frozen_embeddings_of_other_weights_than_the_models_are_refused(weights):
    with pytest.raises(ParamsError, match=r"models\.vggish\.sha256 is .*made with"):
        build(vggish.Params(**weights), FROZEN)
    same = FeatureSpec("vggish", 128, weights_sha256=weights["sha256"])
    assert build(vggish.Params(**weights), same).patches is None
    pinned_by_its_start = {**weights, "sha256": weights["sha256"][:8]}
    assert build(vggish.Params(**pinned_by_its_start), same).patches is None


def test_another_feature_is_refused_naming_those_that_are_read():
    with pytest.raises(ParamsError, match=r"logmel .* or vggish .*got 'mfcc'"):
        build(vggish.Params(), FeatureSpec("mfcc", 39))


@pytest.mark.parametrize("final_relu", [False, True])
def test_an_embedding_may_be_negative_before_a_cosine_head(final_relu):
    model = build(vggish.Params(width=WIDTH, final_relu=final_relu), head="cosine").eval()
    embedding = model(torch.randn(4, 96, 64), torch.full((4,), 96)).embedding
    assert (embedding < 0).any()
    assert (embedding > 0).any()


def test_patches_cut_beforehand_are_classified_like_those_cut_inside():
    torch.manual_seed(0)
    params = vggish.Params(width=WIDTH, pooling="stats")
    model = vggish.build(params, feature=LOGMEL, num_classes=4, head="linear").eval()
    frames = torch.randn(1, 300, 64)
    starts = patch_starts(300, params.patch_hop)
    patches, lengths = cut_patches(frames[0], starts).unsqueeze(0), torch.tensor([len(starts)])
    inside = model(frames, torch.tensor([300]))
    torch.testing.assert_close(model.classify_patches(patches, lengths).logits, inside.logits)


def test_a_model_of_frozen_embeddings_cuts_no_patches():
    model = vggish.build(vggish.Params(), feature=FROZEN, num_classes=4, head="linear")
    with pytest.raises(ValueError, match="reads embeddings of patches"):
        model.classify_patches(torch.zeros(1, 1, 96, 64), torch.tensor([1]))
