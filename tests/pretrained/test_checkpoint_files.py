import json
import struct

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from ser.errors import FileError, WeightsError
from ser.pretrained import checkpoint_files
from ser.pretrained.checkpoint_files import Weights

INDEX = "model.safetensors.index.json"


def write_index(folder, *names, index=INDEX):
    mapping = {f"tensor{number}": name for number, name in enumerate(names)}
    (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": mapping}))


def test_one_format_is_chosen_as_transformers_chooses(tmp_path):
    """`_get_resolved_checkpoint_files` of transformers: the first of these that is there."""
    expected = {
        "pytorch_model.bin.index.json": Weights("pytorch_model.bin.index.json", ("a.bin",)),
        "pytorch_model.bin": Weights(None, ("pytorch_model.bin",)),
        INDEX: Weights(INDEX, ("a", "b")),
        "model.safetensors": Weights(None, ("model.safetensors",)),
    }
    assert checkpoint_files.weights_of(tmp_path) is None
    for name, weights in expected.items():
        if name == INDEX:
            write_index(tmp_path, "b", "a", "b")
        elif name.endswith("json"):
            write_index(tmp_path, "a.bin", index=name)
        else:
            (tmp_path / name).touch()
        assert checkpoint_files.weights_of(tmp_path) == weights
        assert weights.is_safetensors == name.startswith("model")


def test_the_index_counts_among_the_files():
    assert Weights(INDEX, ("a", "b")).names == (INDEX, "a", "b")
    assert Weights(None, ("a",)).names == ("a",)


def test_what_is_missing_is_named(tmp_path):
    assert checkpoint_files.missing(tmp_path) == [
        "config.json",
        "model.safetensors (or pytorch_model.bin)",
    ]
    (tmp_path / "model-00001-of-00002.safetensors").touch()
    assert checkpoint_files.missing(tmp_path) == ["config.json", INDEX]
    write_index(tmp_path, *(f"model-0000{n}-of-00002.safetensors" for n in (1, 2)))
    (tmp_path / "config.json").touch()
    assert checkpoint_files.missing(tmp_path) == ["model-00002-of-00002.safetensors"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"weight_map": {}}', "it names no file"),
        ('{"weight_map": ["a"]}', "it names no file"),
        ("{}", "it names no file"),
        ('{"weight_map": {"tensor": "a"}}', "it has no key metadata"),
    ],
)
def test_an_index_of_another_form_is_refused(tmp_path, content, said):
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(WeightsError, match=said):
        checkpoint_files.weights_of(tmp_path)


@pytest.mark.parametrize("name", ["../a.safetensors", "/a.safetensors", "sub/a.safetensors", ""])
def test_an_index_must_name_files_beside_it(tmp_path, name):
    write_index(tmp_path, name)
    with pytest.raises(WeightsError, match="which is not beside it"):
        checkpoint_files.weights_of(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 377607901\n",
            "Git LFS pointer, which only names the file of 377607901 bytes; `git lfs pull`",
        ),
        (b"version https://git-lfs.github.com/spec/v1\n", "names the file; `git lfs pull`"),
        (b"\n<!DOCTYPE html>\n<html>", "it is a web page"),
        (b"<html lang='en'>", "it is a web page"),
    ],
)
def test_what_stands_in_place_of_a_file_is_named(tmp_path, content, said):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    for refuse in (checkpoint_files.require_content, checkpoint_files.require_whole_file):
        with pytest.raises(WeightsError) as caught:
            refuse(path, cure="do this")
        assert str(caught.value).startswith(f"{path}: it is ")
        assert said in str(caught.value)
        assert str(caught.value).endswith("do this")
    with pytest.raises(WeightsError, match="it is "):
        checkpoint_files.read_object(path)


def test_a_safetensors_file_must_be_as_long_as_its_header_says(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros((3, 4), np.float32), "b": np.zeros(2, np.float16)}, path)
    assert checkpoint_files.shapes_in(path) == {"a": (3, 4), "b": (2,)}
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole + b"x", whole[:20], b"rubbish" * 99, struct.pack("<Q", 9)):
        path.write_bytes(damaged)
        with pytest.raises(WeightsError, match=f"cut off or damaged, at a size of {len(damaged)}"):
            checkpoint_files.require_whole_file(path)


def test_a_pickle_must_have_its_end(tmp_path):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(100)}, path)
    checkpoint_files.require_whole_file(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="it is cut off, at a size of"):
        checkpoint_files.require_whole_file(path)
    torch.save({"a": torch.zeros(100)}, path, _use_new_zipfile_serialization=False)
    checkpoint_files.require_whole_file(path)


def test_a_json_file_must_be_an_object(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(FileError, match="not a JSON object"):
        checkpoint_files.require_whole_file(tmp_path / "config.json")
    with pytest.raises(FileError, match="no such file"):
        checkpoint_files.read_object(tmp_path / "gone.json")


@pytest.mark.parametrize("name", ["config.json", "processor_config.json", "model.safetensors"])
def test_every_file_that_counts_is_looked_at(tmp_path, name):
    (tmp_path / "config.json").write_text("{}")
    save_file({"a": np.zeros(3)}, tmp_path / "model.safetensors")
    (tmp_path / "README.md").touch()
    checkpoint_files.require_whole(tmp_path)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsError, match=f"{name}: it is empty"):
        checkpoint_files.require_whole(tmp_path)
