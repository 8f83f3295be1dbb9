import pytest

from ser import stage_program
from ser.errors import CorpusError
from ser.params import StageParams
from ser.project import Project


class Params(StageParams):
    """One number."""

    depth: int


def test_the_sections_that_are_declared_reach_the_stage_with_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.yaml").write_text("depth: 3\nunread: {}\n")
    seen = []
    status = stage_program.main(
        lambda params, project: seen.append((params.depth, project)),
        Params,
        ["--params", "other.yaml"],
        description="A stage.",
    )
    assert status == 0
    assert seen == [(3, Project())]


def test_a_mistake_is_one_message_and_the_exit_status(tmp_path, monkeypatch, capsys):
    def refuse(params, project):
        raise CorpusError("no such corpus")

    monkeypatch.chdir(tmp_path)
    assert stage_program.main(refuse, Params, [], description=None) == 1
    assert "params.yaml: no such file" in capsys.readouterr().err
    (tmp_path / "params.yaml").write_text("depth: deep\n")
    assert stage_program.main(refuse, Params, [], description=None) == 1
    assert "depth" in capsys.readouterr().err
    (tmp_path / "params.yaml").write_text("depth: 1\n")
    assert stage_program.main(refuse, Params, [], description=None) == 1
    assert capsys.readouterr().err.endswith("error: no such corpus\n")


def test_help_says_what_the_stage_does(capsys):
    with pytest.raises(SystemExit) as left:
        stage_program.main(lambda *_: None, Params, ["--help"], description="Draws folds.")
    assert left.value.code == 0
    assert "Draws folds." in capsys.readouterr().out
