"""Which commit, machine and packages a result came from."""

import platform
import shutil

import pytest

from ser import provenance
from ser.errors import FileError
from ser.provenance import Provenance
from tests.repository import commit_all, git

LOCK = """\
schema: '2.0'
stages:
  prepare:
    cmd: python -m pipelines.prepare
    deps:
    - path: data/raw
      md5: d1.dir
    outs:
    - path: data/manifest.jsonl
      md5: m1
  train@lstm-aam:
    cmd: python -m pipelines.train lstm-aam
    outs:
    - path: data/trained/lstm-aam
      md5: {digest}
"""


def test_a_folder_outside_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state(tmp_path) == provenance.GitState("none", dirty=False)


def test_a_machine_without_git_knows_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state(tmp_path).commit == "none"


def test_git_state_names_the_commit_and_sees_changes_but_not_of_dvc_lock(tmp_path):
    (tmp_path / "a.py").write_text("a")
    (tmp_path / "dvc.lock").write_text("x")
    commit = commit_all(tmp_path)
    (tmp_path / "dvc.lock").write_text("y")
    assert provenance.git_state(tmp_path) == provenance.GitState(commit, dirty=False)
    (tmp_path / "new_loss.py").write_text("b")
    assert provenance.git_state(tmp_path).dirty
    assert provenance.has_commit(tmp_path, commit)
    assert not provenance.has_commit(tmp_path, "0" * 40)


def test_what_is_here_names_commit_machine_device_and_packages(tmp_path):
    commit = commit_all(tmp_path)
    found = provenance.here(tmp_path, device="cpu")
    assert (found.git_commit, found.git_dirty, found.device) == (commit, False, "cpu")
    assert found.packages["torch"].startswith("2.")
    assert found.num_cpus >= 1
    assert found.processor
    assert found.tags == {
        "ser.git_commit": commit,
        "ser.git_dirty": "false",
        "ser.python": platform.python_version(),
        "ser.platform": platform.platform(),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC: 7B13\nmodel name\t: other\n", "AMD EPYC: 7B13"),
        ("processor\t: 0\n", "from Python"),
        (None, "from Python"),
    ],
)
def test_the_processor_is_named_as_far_as_the_system_does(tmp_path, monkeypatch, content, said):
    path = tmp_path / "cpuinfo"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(provenance, "_CPU_INFO", path)
    monkeypatch.setattr(platform, "processor", lambda: "from Python")
    assert provenance.here(tmp_path).processor == said


def test_it_comes_back_from_its_file_and_a_damaged_one_is_told_with_its_cure(tmp_path):
    path, found = tmp_path / "provenance.json", provenance.here(tmp_path)
    found.write(path)
    assert Provenance.read(path) == found
    path.write_text("{")
    with pytest.raises(FileError, match=r"provenance\.json: .*remove its folder"):
        Provenance.read(path)


def test_a_cell_has_what_its_folds_agree_on_and_else_all_that_they_say(tmp_path):
    one = provenance.here(tmp_path).model_copy(update={"git_commit": "b", "git_dirty": False})
    assert provenance.tags_of([one, one]) == one.tags
    other = one.model_copy(update={"git_commit": "a", "git_dirty": True, "python": "3.13.1"})
    found = provenance.tags_of([one, other, one])
    assert found["ser.git_commit"] == "a, b"
    assert found["ser.git_dirty"] == "true"
    assert found["ser.python"] == ", ".join(sorted({one.python, "3.13.1"}))
    assert found["ser.platform"] == one.platform
    assert provenance.commits_of(found) == ["a", "b"]
    assert provenance.commits_of({"ser.git_commit": "a, none"}) == ["a"]
    assert provenance.commits_of(provenance.UNKNOWN) == provenance.commits_of({}) == []


@pytest.fixture
def history(tmp_path):
    """A repository in which a cell was recorded by the second of four commits."""
    lock, commits = tmp_path / "dvc.lock", []
    for text in (LOCK.format(digest="t0.dir"), LOCK.format(digest="t1.dir")):
        lock.write_text(text)
        commits.append(commit_all(tmp_path))
    lock.write_text(LOCK.format(digest="t1.dir") + "  score:\n    cmd: python -m pipelines.score\n")
    commits += [commit_all(tmp_path), commit_all(tmp_path)]
    return tmp_path, commits


@pytest.mark.parametrize("name", ["data/trained/lstm-aam", "data/trained/lstm-aam/run.json"])
def test_a_result_was_recorded_by_the_first_commit_whose_lock_has_it(history, name):
    root, commits = history
    assert provenance.recorded_by(root, root / name) == commits[1]
    assert provenance.recorded_by(root, root / "data/manifest.jsonl") == commits[0]


def test_what_no_commit_has_was_recorded_by_none(history, tmp_path_factory):
    root, _ = history
    assert provenance.recorded_by(root, root / "data/trained/lstm-aam-2") == "none"
    assert provenance.recorded_by(root, root / "data/raw") == "none"
    assert provenance.recorded_by(root, tmp_path_factory.mktemp("elsewhere")) == "none"
    (root / "dvc.lock").write_text(LOCK.format(digest="t2.dir"))
    assert provenance.recorded_by(root, root / "data/trained/lstm-aam") == "none"
    assert provenance.recorded_by(root, root / "data/manifest.jsonl") != "none"
    shutil.rmtree(root / ".git")
    assert provenance.recorded_by(root, root / "data/manifest.jsonl") == "none"


def test_a_clone_without_history_names_the_oldest_commit_that_it_has(history, tmp_path_factory):
    root, commits = history
    clone = tmp_path_factory.mktemp("clones") / "shallow"
    git(root, "clone", "--quiet", "--depth", "1", root.as_uri(), str(clone))
    assert provenance.recorded_by(clone, clone / "data/trained/lstm-aam") == commits[-1]
