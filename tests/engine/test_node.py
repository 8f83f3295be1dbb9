import logging
from pathlib import Path

import pytest

from ser.engine import node
from ser.engine.delivery import Ended, Piece
from ser.errors import NodeError, TrainingError

FOLDER = Path("work/folds/key")
MARK = Path("work/.asks")


@pytest.fixture
def own(tmp_path, project, monkeypatch):
    """A node's project, whose code is what runs here; another folder is the working directory."""
    root = tmp_path / "own"
    root.mkdir()
    (root / "params.yaml").touch()
    (root / "ser").symlink_to(project / "ser")
    monkeypatch.setenv(node.PROJECT_VARIABLE, str(root))
    monkeypatch.chdir(tmp_path)
    return root


def leave(unit):
    """Leave a folder where a unit leaves it."""
    logging.getLogger("ser.anything").info("begins %s", unit)
    FOLDER.mkdir(parents=True)
    (FOLDER / "facts").write_text(unit)


def fail(unit):
    raise TrainingError(f"{unit}: the loss is not finite")


def refuse(unit):
    raise NodeError("data.manifest is 1 here and 2 there")


def err(unit):
    raise ValueError("a slip")


def test_a_unit_is_done_in_the_nodes_own_project(own):
    piece, ended = node.perform(leave, "lstm", FOLDER)
    assert piece == Piece("facts", b"lstm")
    assert (ended.error, ended.is_refused, list(ended.digests)) == (None, False, ["facts"])
    assert "begins lstm" in ended.log
    assert (own / FOLDER / "facts").read_text() == "lstm"


@pytest.mark.parametrize(
    ("work", "error", "is_refused", "logged"),
    [
        (fail, "lstm: the loss is not finite", False, ""),
        (refuse, "data.manifest is 1 here and 2 there", True, ""),
        (err, "ValueError: a slip; its log has the traceback", False, "Traceback"),
    ],
)
def test_what_fails_leaves_nothing_and_says_why(own, work, error, is_refused, logged):
    (ended,) = node.perform(work, "lstm", FOLDER)
    assert isinstance(ended, Ended)
    assert (ended.error, ended.is_refused, ended.digests) == (error, is_refused, {})
    assert logged in ended.log


def test_what_was_delivered_is_forgotten_and_what_was_not_there_is_no_error(own):
    for _ in node.perform(leave, "lstm", FOLDER):
        pass
    node.forget(FOLDER)
    assert list((own / FOLDER).parent.iterdir()) == []
    node.forget(FOLDER)


def test_what_a_unit_that_died_has_left_is_removed_and_nothing_else(own):
    remains = [Path("work/checkpoints") / name for name in ("key.st", "key-refit.st", "other.st")]
    (own / "work" / "checkpoints").mkdir(parents=True)
    for path in (remains[0], remains[2]):
        (own / path).touch()
    node.forget_remains(remains[:2])
    assert [path.name for path in (own / "work" / "checkpoints").iterdir()] == ["other.st"]


def test_a_node_knows_the_project_of_whoever_asks_by_its_mark(own):
    assert not node.introduce(MARK).is_askers
    (own / MARK).parent.mkdir()
    (own / MARK).touch()
    assert node.introduce(MARK).is_askers


def test_a_node_without_a_project_of_its_own_code_says_so(own, tmp_path, monkeypatch):
    assert node.introduce(MARK).fault is None
    (own / "ser").unlink()
    (own / "ser").mkdir()
    assert "the package that runs is" in node.introduce(MARK).fault
    (own / "params.yaml").unlink()
    assert "no params.yaml" in node.introduce(MARK).fault
    monkeypatch.setenv(node.PROJECT_VARIABLE, "own")
    assert "say the whole path" in node.introduce(MARK).fault
    (ended,) = node.perform(leave, "lstm", FOLDER)
    assert ended.is_refused
