"""Digests of data, code and lock file."""

import hashlib

import pytest

from ser import lineage
from ser.errors import LineageError, ParamsError

LOCK = """\
schema: '2.0'
stages:
  prepare:
    cmd: python -m pipelines.prepare
    outs:
    - path: data/manifest.jsonl
      md5: {md5}
  split:
    cmd: python -m pipelines.split
  train@lstm-focal:
    cmd: {train}
"""


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(b"ab" * 3_000_000)
    assert lineage.sha256_file(path) == hashlib.sha256(b"ab" * 3_000_000).hexdigest()


def test_sha256_of_a_missing_file_names_it(tmp_path):
    with pytest.raises(LineageError, match=r"gone\.bin: cannot be read"):
        lineage.sha256_file(tmp_path / "gone.bin")


def test_canonical_json_ignores_the_order_of_keys_and_refuses_nan():
    assert lineage.canonical_json({"b": 1, "a": 2}) == lineage.canonical_json({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        lineage.canonical_json({"a": float("nan")})


def test_folder_digest_sees_contents_and_names_but_not_the_place(tmp_path):
    digests = []
    for parent, name, text in [
        ("one", "x/a.npy", "1"),
        ("two", "x/a.npy", "1"),
        ("three", "x/a.npy", "2"),
        ("four", "x/b.npy", "1"),
    ]:
        file = tmp_path / parent / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
        digests.append(lineage.digest_folder(tmp_path / parent))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_folder_digest_of_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(LineageError, match="no such folder"):
        lineage.digest_folder(tmp_path / "gone")


def test_file_digests_walk_folders_and_pass_over_compiled_code(tmp_path):
    (tmp_path / "ser" / "__pycache__").mkdir(parents=True)
    (tmp_path / "ser" / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / "ser" / "a.py").write_text("a")
    (tmp_path / "b.py").write_text("b")
    found = lineage.file_digests(tmp_path, ["ser", "b.py"])
    assert found == {
        "b.py": hashlib.sha256(b"b").hexdigest(),
        "ser/a.py": hashlib.sha256(b"a").hexdigest(),
    }


def test_source_digest_changes_with_one_source(tmp_path):
    (tmp_path / "a.py").write_text("a")
    before = lineage.source_sha256(tmp_path, ["a.py"])
    (tmp_path / "a.py").write_text("b")
    assert lineage.source_sha256(tmp_path, ["a.py"]) != before


def test_lock_digest_follows_upstream_stages_and_no_sibling(tmp_path):
    stages = ["split", "prepare"]
    lock = tmp_path / "dvc.lock"
    lock.write_text(LOCK.format(md5="1", train="old"))
    before = lineage.upstream_lock_sha256(tmp_path, stages)
    assert before == lineage.upstream_lock_sha256(tmp_path, ["prepare", "split"])
    lock.write_text(LOCK.format(md5="1", train="new"))
    assert lineage.upstream_lock_sha256(tmp_path, stages) == before
    lock.write_text(LOCK.format(md5="2", train="new"))
    assert lineage.upstream_lock_sha256(tmp_path, stages) != before


def test_lock_that_is_being_rewritten_is_read_again(tmp_path, monkeypatch):
    lock = tmp_path / "dvc.lock"
    content = LOCK.format(md5="1", train="old")
    lock.write_text(content)
    expected = lineage.upstream_lock_sha256(tmp_path, ["split"])
    waits = []

    def rewrite(seconds):
        waits.append(seconds)
        lock.write_text(content if len(waits) > 1 else content[: len(content) // 2] + "\n  - [")

    lock.write_text("")
    monkeypatch.setattr(lineage.time, "sleep", rewrite)
    assert lineage.upstream_lock_sha256(tmp_path, ["split"]) == expected
    assert len(waits) == 2


def test_damaged_lock_is_told(tmp_path, monkeypatch):
    (tmp_path / "dvc.lock").write_text("stages: [")
    monkeypatch.setattr(lineage.time, "sleep", lambda _seconds: None)
    with pytest.raises(ParamsError, match=r"dvc\.lock: not valid YAML"):
        lineage.upstream_lock_sha256(tmp_path, ["split"])


def test_lock_digest_is_none_without_a_lock_or_without_the_stage(tmp_path):
    assert lineage.upstream_lock_sha256(tmp_path, ["split"]) == "none"
    (tmp_path / "dvc.lock").write_text(LOCK.format(md5="1", train="x"))
    assert lineage.upstream_lock_sha256(tmp_path, ["split", "extract@mfcc"]) == "none"


def test_imported_sources_follow_imports_wherever_they_stand(tmp_path):
    (tmp_path / "a.py").write_text("import b\n\ndef late():\n    from pack import c\n")
    (tmp_path / "b.py").write_text("import json\nimport a\n")
    (tmp_path / "d.py").write_text("")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "c.py").write_text("import d\n")
    found = lineage.imported_sources(tmp_path, ["a.py"])
    assert found == ["a.py", "b.py", "d.py", "pack/c.py"]
    assert lineage.imported_sources(tmp_path, ["a.py"], skip=["pack/*"]) == ["a.py", "b.py"]
    assert lineage.imported_sources(tmp_path, ["gone.py"]) == ["gone.py"]


def test_data_beside_a_source_file_that_it_names_count_with_it(tmp_path):
    (tmp_path / "pack" / "inner").mkdir(parents=True)
    (tmp_path / "pack" / "pages").mkdir()
    (tmp_path / "pack" / "inner" / "__init__.py").touch()
    for name in ("table.csv", "other.csv", "pages/page.j2"):
        (tmp_path / "pack" / name).touch()
    (tmp_path / "pack" / "a.py").write_text("X = 'table.csv', 'inner', 'pages', 'b.py'\n")
    (tmp_path / "pack" / "b.py").touch()
    found = lineage.imported_sources(tmp_path, ["pack/a.py"])
    assert found == ["pack/a.py", "pack/pages", "pack/table.csv"]


def test_a_package_that_is_not_installed_has_the_version_none():
    assert lineage.package_versions(["no-such-package"]) == {"no-such-package": "none"}


def test_a_record_of_before_that_names_its_machine_is_read(tmp_path):
    path = tmp_path / "lineage.json"
    path.write_text('{"data": {"a": "1"}, "sources": {}, "environment": {"python": "3.11"}}')
    assert lineage.Record.read(path) == lineage.Record(data={"a": "1"}, sources={})
