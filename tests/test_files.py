import ast
import errno
import json
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest
from safetensors import SafetensorError

from ser import files
from ser.errors import FileError
from ser.files import JsonArtefact


class Card(JsonArtefact):
    what: ClassVar[str] = "a card"

    name: str
    counts: Mapping[str, int]


#: Method that writes into its place, or removes there -> files that may call it, and why.
WRITERS = {
    "write_text": {"ser/files.py"},
    # Within a folder that is put in place as a whole, or into another name by `files.replacing`.
    # `audio.write` writes scratch and the copy of EmoDB, which gets its name as a whole.
    "write_bytes": {"ser/data/audio.py", "ser/data/demo/release.py"},
    "savefig": {"ser/figures/style.py", "ser/tuning/figures.py"},
    # A folder that is removed in place stands for half of itself if a kill comes amid that; what
    # `kept_folds` removes so has the name of a leftover, and `ser.registry` works in scratch.
    "rmtree": {"ser/files.py", "ser/grid/kept_folds.py", "ser/registry/model_files.py"},
    "copytree": {"ser/files.py", "ser/registry/local.py"},
    # The history of a cell goes into a folder that is put in place as a whole.
    # The page of a paper asks for a text.
    "to_csv": {"ser/tables.py", "ser/grid/assembly.py", "ser/report/paper.py"},
    "mkstemp": set(),
}

CARD = Card(name="Ωmega", counts={"b": 1, "a": 2})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "new" / "folder" / "notes.txt"
    files.write_text(path, "old\n")
    files.write_text(path, "näher\n")
    assert path.read_bytes() == "näher\n".encode()
    assert names(path.parent) == ["notes.txt"]


def test_a_file_may_be_read_by_others_as_the_umask_says(tmp_path):
    files.write_text(tmp_path / "ours", "")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def fail_after(part, name=""):
    (part / name if name else part).write_text("half of the n")
    raise OSError("disk full")


def test_leftovers_of_a_path_are_removed_and_those_of_others_are_not(tmp_path):
    path = tmp_path / "notes"
    with files.replacing_folder(path) as part:
        name = part.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "half.txt").write_text("")
    (tmp_path / f".{name}.0123abcd.part").write_text("")  # the old one, moved aside
    others = [f".my{name}", f"my{name}", f"{name}.txt", "notes.0123abcd.part"]
    for other in others:
        (tmp_path / other).write_text("")
    files.remove_leftovers(path)
    assert names(tmp_path) == sorted([*others, "notes"])


def test_a_writer_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), files.replacing(path) as part:
        fail_after(part)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["notes.txt"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Io(Os { code: 28, kind: StorageFull })"),
    ],
)
@pytest.mark.parametrize("place", [files.replacing, files.replacing_folder, files.adding])
def test_a_full_disk_names_what_was_to_be_written(place, error, tmp_path):
    said = r"No space left on device: .*/notes'"
    with pytest.raises(OSError, match=said) as caught, place(tmp_path / "notes"):
        raise error
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_what_cannot_be_made_is_named_as_it_was_meant(tmp_path):
    with (
        pytest.raises(PermissionError, match=r"/notes'$"),
        files.replacing(tmp_path / "notes") as part,
    ):
        raise PermissionError(errno.EACCES, "Permission denied", str(part))


def test_a_link_that_cannot_be_made_is_named_and_not_what_it_points_to(tmp_path):
    said = r"No space left on device: '.*/notes'$"
    with pytest.raises(OSError, match=said), files.replacing(tmp_path / "notes") as part:
        raise OSError(errno.ENOSPC, "No space left on device", "/corpora/a", None, str(part))


def test_what_else_goes_wrong_comes_out_as_it_went_in(tmp_path):
    other = OSError(errno.ENOENT, "No such file", "other.csv")
    for error in (other, FileError("damaged"), ZeroDivisionError()):
        with pytest.raises(type(error)) as caught, files.replacing(tmp_path / "notes"):
            raise error
        assert caught.value is error
    assert other.filename == "other.csv"


def test_files_are_added_to_a_folder_all_or_none(tmp_path):
    folder = tmp_path / "out"
    with files.adding(folder) as part:
        (part / "a").write_text("old")
        (part / "deep").mkdir()
        (part / "deep" / "b").write_text("old")
    (folder / "mine").write_text("mine")
    with pytest.raises(OSError, match="disk full"), files.adding(folder) as part:
        fail_after(part / "a")
    assert (folder / "a").read_text() == "old"
    with files.adding(folder) as part:
        (part / "deep").mkdir()
        for name in ("a", "deep/b", "c"):
            (part / name).write_text("new")
    found = {name: (folder / name).read_text() for name in ("a", "deep/b", "c", "mine")}
    assert found == {"a": "new", "deep/b": "new", "c": "new", "mine": "mine"}
    assert names(tmp_path) == ["out"]


def test_a_reader_never_sees_half(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with files.replacing(path) as part:
        with part.open("w") as file:
            file.write("half of the ")
            file.flush()
            assert path.read_text() == "old"
            file.write("new")
        assert path.read_text() == "old"
    assert path.read_text() == "half of the new"


def test_two_writers_do_not_share_a_place(tmp_path):
    path = tmp_path / "notes.txt"
    with files.replacing(path) as first, files.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    # The inner block ends first, so the outer one has the last word.
    assert path.read_text() == "first"
    assert names(tmp_path) == ["notes.txt"]


def test_a_writer_that_writes_nothing_is_an_error_and_the_old_file_stays(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), files.replacing(path):
        pass
    assert path.read_text() == "old"


def test_a_folder_is_replaced_by_what_was_filled_and_keeps_nothing_of_the_old(tmp_path):
    path = tmp_path / "parent" / "store"
    for name in ("one", "two"):
        with files.replacing_folder(path) as part:
            (part / name).write_text(name)
            assert not (path / name).exists()
    assert names(path) == ["two"]
    assert names(path.parent) == ["store"]


def fill(path):
    with files.replacing_folder(path) as part:
        (part / "d").mkdir()


def put(path):
    (path.parent / "new" / "d").mkdir(parents=True)
    files.put_folder(path.parent / "new", path)


@pytest.mark.parametrize(("act", "left"), [(fill, ["d"]), (put, ["d"]), (files.remove_folder, [])])
def test_a_kill_while_an_old_folder_is_removed_leaves_no_half_in_its_place(
    tmp_path, monkeypatch, act, left
):
    path = tmp_path / "store"
    for name in "abc":
        (path / name).mkdir(parents=True)
    real = shutil.rmtree

    def killed(folder, **_):
        for half in list(Path(folder).glob("*"))[:1]:
            real(half)
        raise SystemExit("killed")

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(SystemExit):
        act(path)
    assert [place.name for place in path.glob("*")] == left


def test_a_folder_whose_filling_raises_stays_as_it_was(tmp_path):
    path = tmp_path / "store"
    path.mkdir()
    (path / "old").write_text("")
    with pytest.raises(OSError, match="disk full"), files.replacing_folder(path) as part:
        fail_after(part, "new")
    assert names(path) == ["old"]
    assert names(tmp_path) == ["store"]


def test_a_removed_folder_is_gone_whole_and_a_missing_one_is_no_error(tmp_path):
    (tmp_path / "store" / "deep").mkdir(parents=True)
    files.remove_folder(tmp_path / "store")
    files.remove_folder(tmp_path / "store")
    assert names(tmp_path) == []


def test_a_file_and_a_folder_that_must_last_are_on_the_disk_before_they_have_their_name(
    tmp_path, monkeypatch
):
    synced = []

    def fsync(number):
        synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        assert not (tmp_path / "a").exists()
        assert not (tmp_path / "b").exists()

    monkeypatch.setattr(os, "fsync", fsync)
    with files.replacing(tmp_path / "c") as part:
        part.write_text("")
    with files.replacing_folder(tmp_path / "d") as part:
        (part / "deep").write_text("")
    assert synced == []
    with files.replacing(tmp_path / "a", durable=True) as part:
        part.write_text("")
        wanted = [str(part)]
        (tmp_path / "c").unlink()
    assert synced == wanted
    (tmp_path / "a").unlink()
    with files.replacing_folder(tmp_path / "b", durable=True) as part:
        (part / "deep").mkdir()
        (part / "deep" / "file").write_text("")
        wanted.append(str(part / "deep" / "file"))
    assert synced == wanted


def test_files_are_copied_among_others_each_in_one_step(tmp_path):
    for name, text in (("a", "new"), ("deep/b", "new")):
        files.write_text(tmp_path / "source" / name, text)
    for name in ("a", "mine"):
        files.write_text(tmp_path / "target" / name, "old")
    files.replace_files(tmp_path / "source", tmp_path / "target")
    found = {
        path.relative_to(tmp_path / "target").as_posix(): path.read_text()
        for path in (tmp_path / "target").rglob("*")
        if path.is_file()
    }
    assert found == {"a": "new", "deep/b": "new", "mine": "old"}


def test_json_is_readable_and_the_same_bytes_each_time(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"b": "Ω", "a": [1, 2.5]}, sort_keys=True)
    assert path.read_text() == '{\n  "a": [\n    1,\n    2.5\n  ],\n  "b": "Ω"\n}\n'
    assert files.read_json(path, dict) == {"b": "Ω", "a": [1, 2.5]}


def test_json_has_no_nan_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, 1)
    with pytest.raises(ValueError, match="JSON compliant"):
        files.write_json(path, {"uar": float("nan")})
    assert path.read_text() == "1\n"


def parse_count(content):
    return int(content["count"])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, "no such file"),
        ("{", "it is not a count (Expecting property name"),
        ("[]", "it is not a count (list indices must be integers"),
        ("{}", "it is not a count (no key 'count')"),
        ('{"count": "many"}', "it is not a count (invalid literal for int()"),
        (b"\xff\xfe", "cannot be read as UTF-8 text ('utf-8' codec can't decode"),
    ],
)
def test_a_damaged_file_is_named_with_rule_and_cure(tmp_path, text, rule):
    path = tmp_path / "count.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileError) as caught:
        files.read_json(path, parse_count, what="a count", cure="count again")
    assert str(caught.value).startswith(f"{path}: {rule}")
    assert str(caught.value).endswith("; count again")


@pytest.mark.parametrize("text", ["[]", "null", '"a"'])
def test_an_object_is_no_list_and_no_word(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"a\.json: it is not a JSON object \(got "):
        files.read_object(path)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"cannot be read as UTF-8 text .*; `dvc repro` makes it"):
        files.read_text(tmp_path)


@cache
def called(path):
    """Methods that a file calls, of anything but modules that write nothing in place."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", None) not in {"files", "tables", "splits"}
    }


@pytest.mark.parametrize("method", WRITERS)
def test_only_files_and_tables_write_into_a_place(project, method):
    found = {
        path.relative_to(project).as_posix()
        for folder in ("ser", "pipelines")
        for path in (project / folder).rglob("*.py")
        if method in called(path)
    }
    assert found == WRITERS[method]


def test_a_typed_file_comes_back_equal_with_its_keys_in_the_order_of_the_fields(tmp_path):
    path = tmp_path / "card.json"
    CARD.write(path)
    assert Card.read(path) == CARD
    assert path.read_text(encoding="utf-8") == (
        '{\n  "name": "Ωmega",\n  "counts": {\n    "b": 1,\n    "a": 2\n  }\n}\n'
    )


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"counts": {"a": "x"}}, "counts.a: Input should be a valid integer"),
        ({"colour": "red"}, "colour: there is no such key"),
        ({"name": None}, "name: Input should be a valid string, got None"),
    ],
)
def test_a_typed_file_of_another_form_is_named_with_key_value_and_cure(tmp_path, changes, wrong):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(CARD.model_dump(mode="json") | changes))
    with pytest.raises(FileError) as caught:
        Card.read(path)
    assert str(caught.value).startswith(f"{path}: it is not a card; `dvc repro` makes it. Wrong")
    assert wrong in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is full")
def test_a_full_disk_leaves_the_old_file_and_no_half(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("old")

    def write():
        with files.replacing(path) as part:
            part.symlink_to("/dev/full")
            part.write_text("new")

    with pytest.raises(OSError, match="No space left on device"):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["splits.csv"]


def test_a_link_never_writes_through_a_name_that_is_there(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).write_text(name)
    files.link(tmp_path / "old", tmp_path / "second")
    with pytest.raises(FileExistsError):
        files.link(tmp_path / "new", tmp_path / "second")
    assert (tmp_path / "old").read_text() == "old"
