"""No setting that a person wrote is lost."""

import pytest

from ser.errors import ParamsError
from ser.project import Project
from ser.workflow.preset_use import use


@pytest.fixture
def project(tmp_path):
    """A project with two presets and no params.yaml."""
    (tmp_path / "configs").mkdir()
    for name in ("demo", "emodb"):
        (tmp_path / "configs" / f"{name}.yaml").write_text(f"corpus: {name}\n")
    return Project(tmp_path)


def test_a_preset_takes_the_place_of_another_and_nothing_is_kept(project):
    assert use(project, "emodb") is None
    assert use(project, "demo") is None
    assert project.params.read_text() == "corpus: demo\n"
    assert {path.name for path in project.root.iterdir()} == {"configs", "params.yaml"}


def test_what_was_kept_once_is_not_lost_by_the_next(project):
    kept = []
    for text in ("first: 1\n", "second: 2\n", "first: 1\n"):
        project.params.write_text(text)
        kept.append(use(project, "emodb"))
        assert kept[-1].read_text() == text
    assert kept[0] == kept[2] != kept[1]
    assert kept[1].read_text() == "second: 2\n"


def test_a_preset_that_is_not_there_is_refused_with_those_that_are(project):
    with pytest.raises(ParamsError, match=r"configs/x\.yaml; there are: demo, emodb$"):
        use(project, "x")
