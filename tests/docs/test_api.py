"""The page of the Python API runs as it is pasted, and so does the notebook's script."""

import os
import runpy
import shutil

import pytest

import ser
from tests.docs import markdown
from tests.promotion.support import champion_of

pytestmark = pytest.mark.stage


@pytest.fixture
def champion(trained):
    """The champion of params.yaml."""
    return champion_of("lstm-aam")


def test_the_first_lines_of_the_page_work_as_they_are(champion, project, trained, capsys):
    page = project / "docs" / "api.md"
    lines = page.read_text("utf-8").split("```python\n")[1].split("```")[0]
    assert len([line for line in lines.splitlines() if line]) == 4  # ruff parts the import
    (recording,) = [word for word in lines.split('"') if word.endswith(".flac")]
    place = trained / recording
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(project / recording, place)
    exec(lines, {})  # noqa: S102 (what a reader pastes)
    printed = capsys.readouterr().out
    assert all(f"'{emotion}': 0." in printed for emotion in ("angry", "happy", "neutral", "sad"))


def test_every_call_of_the_page_is_one_that_the_package_offers(project):
    text = "\n".join(block.text for block in markdown.blocks(project / "docs" / "api.md"))
    called = {word.partition("(")[0] for word in text.split() if word.startswith("ser.")}
    assert {f"ser.{name}" for name in dir(ser)} >= called > {"ser.load"}


def test_the_script_of_the_notebook_runs_on_a_small_project(champion, project, trained, capsys):
    path = project / "docs" / "examples" / "ask_and_read.py"
    before = dict(os.environ)
    said = runpy.run_path(str(path))
    printed = capsys.readouterr().out
    assert len(said["answers"]) == 4
    assert str(champion.number) in printed
    assert "synthetic speech" in printed
    assert os.environ.get("MLFLOW_TRACKING_URI") == before.get("MLFLOW_TRACKING_URI")
