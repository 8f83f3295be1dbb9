"""A model that was edited in the store is used by no command, and its code does not run."""

import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from ser.registry import versions
from ser.registry.versions import CHAMPION
from tests.promotion.support import NAME, known_version, version_of
from tests.serving.support import encoded, speech

HARM = "import pathlib; pathlib.Path({mark!r}).touch()\n"


@pytest.fixture
def version(trained):
    """A registered version, and the champion before and after it."""
    registry = versions.open_registry(Path())
    found = known_version("lstm-aam", fold=1)
    present = registry.resolve(NAME, CHAMPION)
    if present is None or present.number != found.number:
        registry.promote(found, expected=present)
    other = known_version("lstm-aam", fold=2)
    registry.promote(other, expected=registry.resolve(NAME, CHAMPION))
    return found


@pytest.fixture
def stored(version):
    """Its files in the store, as they were again after the test."""
    client = versions.open_registry(Path()).client
    folder = Path(client.get_logged_model(version.source.rpartition("/")[2]).artifact_location)
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    yield folder
    shutil.rmtree(folder)
    kept.rename(folder)


def edit_temperature(stored):
    path = next(stored.glob("artifacts/*/bundle.json"))
    content = json.loads(path.read_text())
    content["answering"]["temperature"] = 100.0
    path.write_text(json.dumps(content))
    return path.relative_to(stored).as_posix()


def commands(version, folder):
    """Every command that reads a registered model."""
    wav = folder / "a.wav"
    wav.write_bytes(encoded(speech(0.5)))
    model = ("--model", version.uri)
    return [
        ("predict", wav, *model),
        ("predict-batch", folder, "--out", folder / "answers.parquet", *model),
        ("serve", *model),
        ("export", "--out", folder / "exported", *model),
        ("export", "--format", "bundle", "--out", folder / "exported", *model),
        ("monitor", folder, *model),
        ("promote", "--version", version.number, "--allow-synthetic"),
        ("rollback",),
    ]


def test_an_edited_bundle_is_refused_by_name_everywhere(version, stored, ser, tmp_path):
    name = edit_temperature(stored)
    before = versions.open_registry(Path()).require(NAME, CHAMPION).number
    for command in commands(version, tmp_path):
        status, _, err = ser(*command)
        assert status == 1, command
        assert f"not what was registered: {name} differs" in err, command
        assert err.count("error: ") == 1
    assert versions.open_registry(Path()).require(NAME, CHAMPION).number == before
    assert not (tmp_path / "exported").exists()


def test_edited_code_does_not_run(version, stored, ser, tmp_path):
    marks = [tmp_path / f"ran-{number}" for number in range(3)]
    path = stored / "_model_code.py"
    path.write_text(HARM.format(mark=str(marks[0])) + path.read_text())
    package, kept = stored / "code" / "ser.zip", tmp_path / "kept.zip"
    package.rename(kept)
    edited = dict(zip(("ser/serving/mlflow_model.py", "ser/__init__.py"), marks[1:], strict=True))
    with ZipFile(kept) as before, ZipFile(package, "w") as after:
        assert edited.keys() < set(before.namelist())
        for name in before.namelist():
            harm = HARM.format(mark=str(edited[name])) if name in edited else ""
            after.writestr(name, harm.encode() + before.read(name))
    for command in commands(version, tmp_path):
        status, _, err = ser(*command)
        assert status == 1, command
        assert "code/ser.zip differs" in err, command
    assert [mark for mark in marks if mark.exists()] == []


def test_to_register_again_is_the_cure(version, stored, ser, tmp_path):
    edit_temperature(stored)
    status, out, err = ser("register", "lstm-aam", "--fold", "1")
    assert status == 0, err
    assert out.endswith(" registered, challenger\n")
    again = versions.open_registry(Path()).require(NAME, "challenger")
    assert again.number != version.number
    assert again.tags["ser.bundle_sha256"] == version.tags["ser.bundle_sha256"]
    wav = tmp_path / "a.wav"
    wav.write_bytes(encoded(speech(0.5)))
    assert ser("predict", wav, "--model", again.uri)[0] == 0
    assert version_of("lstm-aam", fold=1).number == again.number
