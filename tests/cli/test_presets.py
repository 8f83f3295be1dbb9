"""The command that writes a preset."""

import shutil
from pathlib import Path

import pytest

from ser.params import read
from ser.workflow.preset import Preset
from tests.recordings import write_corpus

ROOT = Path(__file__).parents[2]
WORDS = ("new-preset", "--corpus", "csv", "--models", "lstm", "--losses", "focal")


@pytest.fixture
def presets(project):
    """The project with the presets that ship."""
    shutil.copytree(ROOT / "configs", project / "configs")
    return project / "configs"


def test_several_values_follow_one_option(ser, presets):
    status, out, err = ser(
        *("new-preset", "--corpus", "csv", "--models", "lstm", "whisper"),
        *("--losses", "cross_entropy", "focal", "--name", "my-corpus"),
        *("--tune", "whisper-focal", "--seeds", 0, 1, 2),
    )
    assert (status, err) == (0, "")
    preset = read(presets / "my-corpus.yaml", Preset)
    assert len(preset.cells) == 4
    assert preset.training.seeds == (0, 1, 2)
    assert list(preset.tuning.cells) == ["whisper-focal"]
    assert "ser link-corpus csv" in out
    assert "make use PRESET=my-corpus" in out


def test_the_preset_is_called_as_its_corpus_or_as_its_file(ser, presets, tmp_path):
    assert ser(*WORDS)[0] == 0
    assert (presets / "csv.yaml").is_file()
    status, out, _ = ser(*WORDS, "--out", tmp_path / "other.yaml")
    assert status == 0
    assert (tmp_path / "other.yaml").read_text("utf-8").startswith("# Preset other: ")
    assert "make use" not in out


@pytest.mark.parametrize(
    "words", [("--name", "a b"), ("--name", "x", "--out", "y.yaml"), ("--out", "x.json")]
)
def test_a_name_that_is_not_its_file_s_is_wrong_usage(ser, presets, words):
    status, _, err = ser(*WORDS, *words)
    assert status == 2
    assert "Usage" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--models", "gru"), "no model is named 'gru'; there are: "),
        (("--tune", "lstm-aam"), "no such cell"),
        (("--name", "demo", "--force"), "give another --name"),
        (("--name", "ravdess"), "--force"),
    ],
)
def test_what_is_refused_is_one_message_and_writes_nothing(ser, presets, words, message):
    before = {path: path.read_text("utf-8") for path in presets.iterdir()}
    status, out, err = ser(*WORDS, *words)
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1
    assert {path: path.read_text("utf-8") for path in presets.iterdir()} == before


def test_models_and_losses_must_be_named(ser, presets):
    assert ser("new-preset", "--corpus", "csv", "--models", "lstm")[0] == 2
    assert ser("new-preset", "--corpus", "csv", "--models", "--losses", "focal")[0] == 2


def test_outside_the_project_s_root_the_message_says_so(ser, project):
    status, _, err = ser(*WORDS)
    assert status == 1
    assert "run it in the project's root" in err


def test_doctor_is_content_with_it_once_the_corpus_is_linked(ser, presets, project, tmp_path):
    assert ser(*WORDS, "--name", "mine")[0] == 0
    shutil.copy(presets / "mine.yaml", "params.yaml")
    write_corpus(tmp_path / "recordings")
    assert ser("link-corpus", "csv", tmp_path / "recordings")[0] == 0
    said = ser("doctor")[1].splitlines()
    told = [line for line in said if line.split(maxsplit=1)[1].startswith(
        ("params.yaml:", "corpus link:", "checkpoint:", "needs:"))]  # fmt: skip
    assert len(told) >= 3
    assert [line for line in told if not line.startswith("ok")] == []
