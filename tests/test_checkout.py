"""What git keeps of `data/`, what `make clean` leaves there, what DVC sees of a linked corpus."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ser.project import Project

ROOT = Path(__file__).parents[1]

#: What is committed below `data/`, and some of what the pipeline and people put there.
COMMITTED = {
    "data/crossed/none/README.md",
    "data/raw/emodb",
    "data/shipped/emodb/README.md",
    "data/shipped/emodb/flac/03a01Fa.flac",
    "data/shipped/emodb/samples.sha256",
    "data/protocol_gaps/README.md",
    "data/sounds/README.md",
    "data/untuned/none/README.md",
    "data/without_copies/none/README.md",
    "data/weights/none/README.md",
}
MADE = {
    "data/cross/demo/manifest.jsonl",
    "data/crossed/lstm-focal/emodb-to-demo/manifest.jsonl",
    "data/features/mfcc/meta.json",
    "data/manifest.jsonl",
    "data/raw/demo/a.wav",
    "data/raw/iemocap/a.wav",
    "data/shipped/.emodb.0123.part/a.flac",
    "data/shipped/mine/a.flac",
    "data/protocol_gaps/lstm-focal-session-text.json",
    "data/sounds/office/desk.wav",
    "data/trained/lstm-focal/run.json",
    "data/weights/tiny/config.json",
    "data/without_copies/lstm-focal/run.json",
    "dvc_plots/index.html",
}


@pytest.fixture
def checkout(tmp_path):
    """A folder with files of both kinds, and folders that `make clean` looks through."""
    for name in (*COMMITTED - {"data/raw/emodb"}, *MADE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "data/raw/emodb").symlink_to("../shipped/emodb")
    for name in ("ser", "pipelines", "tests"):
        (tmp_path / name).mkdir()
    for name in ("Makefile", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_git_keeps_what_ships_and_nothing_that_is_made(checkout):
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True)
    command = ["git", "ls-files", "--others", "--exclude-standard", "data", "dvc_plots"]
    seen = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    assert set(seen.stdout.splitlines()) == COMMITTED


def test_make_clean_keeps_what_ships(checkout):
    subprocess.run(["make", "clean"], cwd=checkout, check=True, capture_output=True)
    assert {name for name in COMMITTED if not (checkout / name).exists()} == set()
    assert (checkout / "data/raw/emodb").readlink().as_posix() == "../shipped/emodb"
    assert not (checkout / "data/features").exists()


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC, of its own library
def test_a_linked_corpus_is_hashed_where_it_is_and_never_copied(tmp_path, monkeypatch):
    """With the link and the .dvcignore of this checkout, and a stage that takes a moment."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    shipped = Project().shipped("emodb")
    shipped.recordings.mkdir(parents=True)
    for name in ("03a01Fa", "08a01Wb"):
        (shipped.recordings / f"{name}.flac").write_text(name)
    link = Project().raw("emodb")
    link.parent.mkdir()
    link.symlink_to((ROOT / link).readlink())
    stage = {"cmd": "echo ran >> runs.txt", "deps": [link.as_posix()]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"prepare": stage}}), encoding="utf-8")
    Repo.init(no_scm=True).close()
    shutil.copy(ROOT / ".dvcignore", ".dvcignore")

    def num_runs():
        with Repo() as repo:
            repo.reproduce()
        return len(Path("runs.txt").read_text(encoding="utf-8").splitlines())

    assert [num_runs(), num_runs()] == [1, 1]
    (dependency,) = yaml.safe_load(Path("dvc.lock").read_text())["stages"]["prepare"]["deps"]
    assert (dependency["nfiles"], dependency["size"]) == (2, 14)
    shipped.readme.write_text("another word")
    shipped.digests.write_text("")
    assert num_runs() == 1
    (shipped.recordings / "08a01Wb.flac").write_text("another sound")
    assert [num_runs(), num_runs()] == [2, 2]
    (shipped.recordings / "08a01Wb.flac").unlink()
    assert num_runs() == 3
    kept = [path for path in Path(".dvc/cache/files").rglob("*") if path.is_file()]
    assert kept == []
