import json
import os
import socket

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

from ser.errors import FileError, WeightsError
from ser.pretrained import checkpoints
from tests.pretrained.support import outputs_of, waveforms, whole_model, write_as_published

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Whoever speaks to the network here fails."""

    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Hugging Face cache."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


def put_into(cache, checkpoint, source, without=()):
    """Copy a checkpoint to where the Hugging Face client keeps downloads."""
    place = cache / f"models--{checkpoint.replace('/', '--')}" / "snapshots" / COMMIT
    place.mkdir(parents=True)
    for path in source.iterdir():
        if path.name not in without:
            (place / path.name).write_bytes(path.read_bytes())
    return place


def edit_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_folder_is_taken_as_it_is(hubert, monkeypatch):
    assert checkpoints.locate(str(hubert), None) == hubert
    monkeypatch.chdir(hubert.parent)
    assert checkpoints.locate(hubert.name, None).samefile(hubert)
    monkeypatch.setenv("HOME", str(hubert.parent))
    assert checkpoints.locate(f"~/{hubert.name}", None) == hubert


def test_an_id_is_looked_up_in_the_local_cache(hubert, cache):
    place = put_into(cache, "facebook/hubert-tiny", hubert)
    assert checkpoints.locate("facebook/hubert-tiny", COMMIT) == place


def test_an_id_is_never_taken_for_a_folder_that_lies_around(hubert, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facebook").mkdir()
    (tmp_path / "facebook" / "hubert-tiny").symlink_to(hubert)
    with pytest.raises(WeightsError, match="in the local Hugging Face cache"):
        checkpoints.locate("facebook/hubert-tiny", COMMIT)


def test_a_missing_id_says_which_files_and_how_to_get_them(cache):
    with pytest.raises(WeightsError) as caught:
        checkpoints.locate("facebook/hubert-tiny", COMMIT)
    message = str(caught.value)
    for part in (
        "facebook/hubert-tiny@0123456789ab: missing config.json and model.safetensors (or "
        "pytorch_model.bin)",
        f"`ser download-weights facebook/hubert-tiny --revision {COMMIT}`",
        "preprocessor_config.json",
        "set checkpoint: <folder> and revision: null",
    ):
        assert part in message


def test_a_half_downloaded_id_says_what_is_missing(hubert, cache):
    put_into(cache, "a/b", hubert, without=["model.safetensors"])
    with pytest.raises(WeightsError, match=r"missing model\.safetensors \(or pytorch_model\.bin\)"):
        checkpoints.locate("a/b", COMMIT)


def test_a_missing_folder_says_so_and_never_asks_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        WeightsError, match=r"data/weights/hubert: missing config\.json and"
    ) as caught:
        checkpoints.locate("data/weights/hubert", None)
    assert "into the folder data/weights/hubert" in str(caught.value)
    assert "revision" not in str(caught.value)
    with pytest.raises(WeightsError, match="if it is a Hugging Face id, give its revision, too"):
        checkpoints.locate("facebook/hubert-base-ls960", None)


@pytest.mark.parametrize(
    ("checkpoint", "revision", "message"),
    [
        ("a/b", "main", "must be a commit of 40 hex digits"),
        ("a/b", COMMIT.upper(), "must be a commit of 40 hex digits"),
        ("data/weights/hubert", COMMIT, "for a folder say revision: null"),
        ("hubert", COMMIT, "must be a Hugging Face id"),
        ("./hubert", COMMIT, "must be a Hugging Face id"),
        ("/a/b", COMMIT, "must be a Hugging Face id"),
    ],
)
def test_a_name_that_can_be_nothing_is_refused(checkpoint, revision, message):
    assert message in checkpoints.problem_of(checkpoint, revision)
    for find in (checkpoints.locate, checkpoints.download):
        with pytest.raises(WeightsError, match=message):
            find(checkpoint, revision)


class FakeHub:
    """Takes the place of `snapshot_download`; holds files, remembers what was asked for."""

    def __init__(self, cache, source, names):
        self.cache, self.source, self.names = cache, source, names
        self.asked = []

    def __call__(self, checkpoint, *, revision, allow_patterns):
        assert not huggingface_hub.is_offline_mode()
        self.asked.append((checkpoint, revision, *allow_patterns))
        place = self.cache / f"models--{checkpoint.replace('/', '--')}" / "snapshots" / revision
        place.mkdir(parents=True, exist_ok=True)
        for name in set(self.names) & set(allow_patterns):
            (place / name).write_bytes((self.source / name).read_bytes())
        return str(place)


@pytest.fixture
def hub(cache, copied, monkeypatch):
    (copied / "pytorch_model.bin").write_bytes(b"")

    def function(*names):
        fake = FakeHub(cache, copied, names)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", fake)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        return fake

    return function


def test_downloading_asks_the_hub_even_offline_and_only_for_what_is_needed(hub):
    fake = hub("config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5")
    folder = checkpoints.download("a/b", COMMIT)
    names = ("config.json", "preprocessor_config.json", "model.safetensors")
    assert fake.asked == [("a/b", COMMIT, *names)]
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert huggingface_hub.is_offline_mode()


def test_downloading_falls_back_to_the_older_format(hub):
    fake = hub("config.json", "preprocessor_config.json", "pytorch_model.bin")
    folder = checkpoints.download("a/b", COMMIT)
    assert fake.asked[1] == ("a/b", COMMIT, "pytorch_model.bin")
    assert checkpoints.locate("a/b", COMMIT) == folder


def test_a_hub_that_is_out_of_reach_or_has_no_weights_is_one_message(hub, monkeypatch):
    hub("config.json")
    with pytest.raises(WeightsError, match=r"missing model\.safetensors"):
        checkpoints.download("a/b", COMMIT)

    def fail(*_, **__):
        raise LocalEntryNotFoundError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(WeightsError, match="cannot be downloaded: no route to host"):
        checkpoints.download("a/b", COMMIT)
    assert huggingface_hub.is_offline_mode()


def test_the_digest_covers_what_decides_the_output_and_nothing_else(copied):
    digests = [checkpoints.digest(copied)]
    (copied / "README.md").write_text("words")
    assert checkpoints.digest(copied) == digests[0]
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (copied / name).write_bytes((copied / name).read_bytes() + b" ")
        digests.append(checkpoints.digest(copied))
    (copied / "preprocessor_config.json").unlink()
    digests.append(checkpoints.digest(copied))
    assert len(set(digests)) == len(digests) == 5
    assert all(len(digest) == 64 for digest in digests)


def test_the_origin_names_what_the_weights_are(copied, hubert, monkeypatch):
    assert checkpoints.origin(str(hubert), None) == "random weights (seed 0)"
    assert checkpoints.origin("facebook/hubert-tiny", COMMIT) == "facebook/hubert-tiny@0123456789ab"
    edit_config(copied, random_weights_seed=None)
    assert checkpoints.origin(str(copied), None) == "copy"
    monkeypatch.chdir(copied)
    assert checkpoints.origin(".", None) == "copy"


def test_preprocessing_is_read_from_the_checkpoint(copied):
    path = copied / "preprocessor_config.json"
    path.write_text('{"do_normalize": false, "sampling_rate": 8000}')
    assert checkpoints.read_preprocessing(copied, "hubert") == checkpoints.Preprocessing(
        8000, False
    )
    path.unlink()
    assert checkpoints.read_preprocessing(copied, "hubert") == checkpoints.Preprocessing(
        16000, True
    )


def test_a_pickle_as_the_base_checkpoints_are_published_loads_to_the_same_model(variant, tmp_path):
    architecture, folder = variant
    if architecture == "whisper":
        return  # it is published with a decoder: tests/pretrained/test_whisper.py
    published = write_as_published(tmp_path / "published", folder, architecture)
    (samples,) = waveforms(4000)
    loaded = checkpoints.load(published, architecture)
    assert loaded.dtype is torch.float32
    assert not loaded.training
    expected = outputs_of(whole_model(folder), samples).last_hidden_state
    assert torch.equal(outputs_of(loaded, samples).last_hidden_state, expected)


def test_safetensors_are_preferred(copied):
    (copied / "pytorch_model.bin").write_bytes(b"no pickle at all")
    assert checkpoints.load(copied, "hubert") is not None


def test_a_pickle_with_code_in_it_is_refused(copied, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "pwned"),)

    (copied / "model.safetensors").unlink()
    torch.save({"a": Evil()}, copied / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin: cannot be loaded"):
        checkpoints.load(copied, "hubert")
    assert not (tmp_path / "pwned").exists()


def test_another_architecture_is_refused_by_name(hubert, copied):
    with pytest.raises(WeightsError, match="model_type is 'hubert', but wavlm needs 'wavlm'"):
        checkpoints.load(hubert, "wavlm")
    with pytest.raises(WeightsError, match="data2vec_audio needs 'data2vec-audio'"):
        checkpoints.read_config(hubert, "data2vec_audio")
    edit_config(copied, add_adapter=True)
    with pytest.raises(WeightsError, match="checkpoints with an adapter"):
        checkpoints.load(copied, "hubert")


def test_damaged_files_are_refused_by_name(copied):
    weights = copied / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"rubbish" * 100):
        weights.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"model\.safetensors: cannot be loaded"):
            checkpoints.load(copied, "hubert")
    weights.unlink()
    (copied / "pytorch_model.bin").write_bytes(b"rubbish" * 100)
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin: cannot be loaded"):
        checkpoints.load(copied, "hubert")
    for text, rule in (("{", "Expecting property name"), ("[]", "got list")):
        (copied / "config.json").write_text(text)
        with pytest.raises(FileError, match=rf"config\.json: it is not a JSON object \({rule}"):
            checkpoints.load(copied, "hubert")


def test_missing_tensors_are_refused_by_name(copied):
    name = "encoder.layers.1.attention.k_proj.weight"
    edit_weights(copied, lambda tensors: tensors.pop(name))
    with pytest.raises(WeightsError, match=rf"1 tensors are missing, .* random: {name}$"):
        checkpoints.load(copied, "hubert")


def test_tensors_of_another_shape_are_refused(copied):
    name = "feature_projection.projection.weight"
    edit_weights(copied, lambda tensors: tensors.update({name: torch.zeros(3, 3)}))
    with pytest.raises(WeightsError, match=r"model\.safetensors: cannot be loaded"):
        checkpoints.load(copied, "hubert")


def test_masking_inside_the_model_is_off_whatever_the_checkpoint_says(copied):
    """The published ones have it on, and a vector for what is masked, which is not needed."""
    edit_config(copied, mask_time_prob=0.05, mask_feature_prob=0.05)
    loaded = checkpoints.load(copied, "hubert")
    assert loaded.config.mask_time_prob == loaded.config.mask_feature_prob == 0.0
    edit_weights(copied, lambda tensors: tensors.update(masked_spec_embed=torch.zeros(32)))
    assert not hasattr(checkpoints.load(copied, "hubert"), "masked_spec_embed")


def test_dropouts_can_be_set(variant):
    architecture, folder = variant
    own, changed = (
        checkpoints.load(folder, architecture),
        checkpoints.load(folder, architecture, dropout=0.25),
    )
    rates = [
        [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
        for model in (own, changed)
    ]
    assert set(rates[1]) == {0.25}
    assert set(rates[0]) != {0.25}
    layer = changed.encoder.layers[0]
    assert (layer.self_attn if architecture == "whisper" else layer.attention).dropout == 0.25
    if architecture == "whisper":
        assert (layer.dropout, layer.activation_dropout) == (0.25, 0.25)


def test_loading_shows_no_progress_and_leaves_the_setting_alone(hubert, capsys):
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    checkpoints.load(hubert, "hubert")
    assert capsys.readouterr().err == ""
    assert logging.is_progress_bar_enabled() == was_enabled
