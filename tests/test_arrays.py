import numpy as np
import pytest
from safetensors.numpy import save_file

from ser import arrays
from ser.errors import FileError


@pytest.fixture
def path(tmp_path):
    save_file({"mean": np.zeros(3, np.float32)}, tmp_path / "a.safetensors")
    return tmp_path / "a.safetensors"


def test_arrays_come_back_by_name(path):
    assert arrays.read(path, "mean")["mean"].shape == (3,)


def test_a_missing_file_and_a_missing_array_are_named_with_the_cure(path, tmp_path):
    with pytest.raises(FileError, match="gone: no such file; `dvc repro` makes it"):
        arrays.read(tmp_path / "gone")
    with pytest.raises(FileError, match=r"a\.safetensors: it has no std, var; train again"):
        arrays.read(path, "mean", "std", "var", cure="train again")


@pytest.mark.parametrize("content", [b"", b"\xff" * 9, b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_named_with_the_cure(path, content):
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"it (is no safetensors|has no mean).*`dvc repro`"):
        arrays.read(path, "mean")
