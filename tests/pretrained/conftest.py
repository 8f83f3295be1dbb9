import pytest

from tests.pretrained.support import VARIANTS, write_checkpoint


@pytest.fixture(scope="session", params=VARIANTS, ids="-".join)
def variant(request, tmp_path_factory):
    """An architecture, and the folder of a checkpoint of it; must not be changed."""
    architecture, norm = request.param
    folder = tmp_path_factory.mktemp(f"{architecture}-{norm}")
    return architecture, write_checkpoint(folder, architecture, norm)


@pytest.fixture(scope="session")
def hubert(tmp_path_factory):
    """The folder of a HuBERT checkpoint; must not be changed."""
    return write_checkpoint(tmp_path_factory.mktemp("hubert"), "hubert")


@pytest.fixture
def copied(hubert, tmp_path):
    """The same checkpoint, to be changed."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in hubert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
