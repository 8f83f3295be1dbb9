import json
import os
import socket

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from ser.errors import FileError, MissingWeightsError, WeightsError
from ser.pretrained import checkpoints, downloads
from tests.pretrained.support import (
    VARIANTS,
    outputs_of,
    waveforms,
    whole_model,
    write_as_published,
    write_sharded,
)

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
    for find in (checkpoints.locate, downloads.download):
        with pytest.raises(WeightsError, match=message):
            find(checkpoint, revision)


@pytest.fixture
def sharded(hubert, tmp_path):
    return write_sharded(tmp_path / "sharded", hubert)


def test_shards_are_located_and_load_to_the_same_model(sharded, hubert):
    assert len(list(sharded.glob("model-*.safetensors"))) > 2
    assert checkpoints.locate(str(sharded), None) == sharded
    (samples,) = waveforms(4000)
    expected = outputs_of(whole_model(hubert), samples).last_hidden_state
    loaded = checkpoints.load(sharded, "hubert")
    assert torch.equal(outputs_of(loaded, samples).last_hidden_state, expected)


def test_pickled_shards_load_to_the_same_model(sharded, hubert):
    index = json.loads((sharded / "model.safetensors.index.json").read_text())
    for path in sorted(sharded.glob("model-*.safetensors")):
        torch.save(load_file(path), path.with_suffix(".bin"))
        path.unlink()
    names = {name: file.replace("safetensors", "bin") for name, file in index["weight_map"].items()}
    (sharded / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": names})
    )
    (sharded / "model.safetensors.index.json").unlink()
    assert checkpoints.locate(str(sharded), None) == sharded
    (samples,) = waveforms(4000)
    expected = outputs_of(whole_model(hubert), samples).last_hidden_state
    loaded = checkpoints.load(sharded, "hubert")
    assert torch.equal(outputs_of(loaded, samples).last_hidden_state, expected)


def test_a_missing_shard_and_a_missing_index_are_named(sharded):
    lost = sorted(sharded.glob("model-*.safetensors"))[1]
    kept = lost.rename(lost.with_suffix(".kept"))
    with pytest.raises(WeightsError, match=f"sharded: missing {lost.name}; put them"):
        checkpoints.locate(str(sharded), None)
    kept.rename(lost)
    (sharded / "model.safetensors.index.json").unlink()
    with pytest.raises(WeightsError, match=r"missing model\.safetensors\.index\.json; put them"):
        checkpoints.locate(str(sharded), None)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
def test_a_file_that_stands_in_for_the_published_one_is_refused(copied, name):
    (copied / name).write_text("version https://git-lfs.github.com/spec/v1\noid x\nsize 42\n")
    with pytest.raises(WeightsError, match=r"a Git LFS pointer, .* of 42 bytes; `git lfs pull`"):
        checkpoints.locate(str(copied), None)


def test_what_is_not_here_is_told_from_what_is_incomplete(copied, cache):
    with pytest.raises(MissingWeightsError):
        checkpoints.locate(str(copied / "gone"), None)
    with pytest.raises(MissingWeightsError):
        checkpoints.locate("a/b", COMMIT)
    (copied / "config.json").unlink()
    place = put_into(cache, "a/b", copied)
    for name in ((str(copied), None), ("a/b", COMMIT)):
        with pytest.raises(WeightsError, match=r"missing config\.json") as caught:
            checkpoints.locate(*name)
        assert not isinstance(caught.value, MissingWeightsError)
    assert place.is_dir()


@pytest.mark.parametrize(
    ("preprocessing", "weights", "expected"),
    [
        (
            "preprocessor_config.json",
            "model.safetensors",
            "5b87ba67b7473a16f2ae5f9d267a7e0a56695de01ba789907c14595fc7b7c0ae",
        ),
        (
            None,
            "model.safetensors",
            "86457829bc176a62781079475e4a02ce4030df4b5dc664cfe8f9aafaeadd119a",
        ),
        (
            None,
            "pytorch_model.bin",
            "1e92a8ecc5eaf6e987e117c26e2741b94d68c99d8119805b83502f7282058a75",
        ),
    ],
)
def test_the_digest_of_one_file_of_weights_is_what_it_always_was(
    tmp_path, preprocessing, weights, expected
):
    """Features that were extracted before there were shards stay valid."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / weights).write_text("weights")
    if preprocessing:
        (tmp_path / preprocessing).write_text('{"do_normalize": true}')
    assert checkpoints.digest(tmp_path) == expected


def test_the_digest_covers_every_shard_and_the_index(sharded):
    digests = [checkpoints.digest(sharded)]
    for path in sorted(sharded.glob("model*")):
        path.write_bytes(path.read_bytes() + b" ")
        digests.append(checkpoints.digest(sharded))
    assert len(set(digests)) == len(digests) > 4


def test_the_digest_covers_the_preprocessing_that_is_read(copied):
    (copied / "processor_config.json").write_text('{"processor_class": "Wav2Vec2Processor"}')
    assert checkpoints.deciding_files(copied) == (
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    )
    nested = {"feature_extractor": {"do_normalize": False, "sampling_rate": 16000}}
    (copied / "processor_config.json").write_text(json.dumps(nested))
    assert checkpoints.deciding_files(copied)[1] == "processor_config.json"
    before = checkpoints.digest(copied)
    nested["feature_extractor"]["do_normalize"] = True
    (copied / "processor_config.json").write_text(json.dumps(nested))
    assert checkpoints.digest(copied) != before


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


# Whisper is published with a decoder: tests/pretrained/test_whisper.py.
@pytest.mark.parametrize(
    "variant", [pair for pair in VARIANTS if pair[0] != "whisper"], ids="-".join, indirect=True
)
def test_a_pickle_as_the_base_checkpoints_are_published_loads_to_the_same_model(variant, tmp_path):
    architecture, folder = variant
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


@pytest.mark.parametrize("change", [{"hidden_size": "wide"}, {"conv_dim": [16, 16]}])
def test_a_configuration_of_no_network_is_refused_by_name(copied, change):
    edit_config(copied, **change)
    with pytest.raises(WeightsError, match=r"config\.json: it describes no network"):
        checkpoints.load(copied, "hubert")


def test_a_configuration_that_leads_to_another_file_is_refused(copied):
    edit_config(copied, transformers_weights="other.safetensors")
    with pytest.raises(WeightsError, match=r"transformers_weights is 'other\.safetensors'"):
        checkpoints.load(copied, "hubert")


def test_a_folder_without_weights_cannot_be_loaded(copied):
    (copied / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"missing model\.safetensors"):
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
