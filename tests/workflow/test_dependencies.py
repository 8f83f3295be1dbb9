import sys
from types import ModuleType

import pytest

from ser.errors import FileError, PipelineError
from ser.project import Project
from ser.workflow import dependencies

PIPELINE = """# Kept.
stages:
  take:
    cmd: python -m pipelines.take
    deps:
      - ser/gone.py
      # Not kept: the list is computed.
      - data/old.csv
    outs:
      - out
  show:
    foreach: ${cells}
    do:
      cmd: python -m pipelines.take ${key}  # Kept, too.
      deps:
        - pipelines/take.py
      params:
        - data/tuned.json:
            - ${item.model}
      outs:
        - shown/${key}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two stages of one program that imports a module and finds a component by name."""
    for folder in ("ser", "pipelines"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pipelines" / "take.py").write_text("from ser import used\n")
    (tmp_path / "ser" / "used.py").write_text("import ser.errors\nTABLE = 'table.csv'\n")
    for file in ("table.csv", "other.csv", "errors.py"):
        (tmp_path / "ser" / file).touch()
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    program = ModuleType("take")
    program.COMPONENTS = {"ser.models": "item.model"}
    program.reads = lambda project, words: [
        project.manifest,
        project.features(words["item.feature"]),
        *([project.tuned] if words["stage"] == "show" else []),
    ]
    monkeypatch.setitem(sys.modules, "pipelines.take", program)
    return Project(tmp_path)


@pytest.mark.parametrize("name", ["take", "show"])
def test_a_stage_depends_on_what_its_program_reads_imports_and_finds_by_name(project, name):
    (stage,) = (found for found in dependencies.stages(project) if found.name == name)
    # data/tuned.json is one of the params of `show`, entry by entry, and no dependency beside.
    assert dependencies.of_stage(stage, project) == [
        "data/code/models/${item.model}.json",
        "data/features/${item.feature}",
        "data/manifest.jsonl",
        "pipelines/take.py",
        "ser/table.csv",
        "ser/used.py",
    ]


def test_words_fill_in_what_dvc_fills_in(project):
    stage = dependencies.stages(project)[0]
    found = dependencies.of_stage(stage, project, {"item.model": "lstm", "item.feature": "mfcc"})
    assert {"data/features/mfcc", "data/code/models/lstm.json"} <= set(found)


def test_only_the_dependencies_are_written_anew(project):
    before = project.pipeline.read_text()
    said = dependencies.differences(project)
    assert "take: - ser/gone.py" in said
    assert "take: - data/old.csv" in said
    assert "show: + ser/used.py" in said
    assert dependencies.update(project) == said
    after = project.pipeline.read_text()
    assert dependencies.differences(project) == []
    assert dependencies.update(project) == []
    assert project.pipeline.read_text() == after

    def others(text):
        return [line for line in text.splitlines() if not line.lstrip().startswith(("- ", "# N"))]

    assert others(after) == others(before)


def test_a_stage_that_cannot_be_filled_in_is_refused(project):
    text = project.pipeline.read_text()
    project.pipeline.write_text(
        text.replace("        - pipelines/take", "        # pipelines/take")
    )
    dependencies.written(project)
    project.pipeline.write_text(
        text.replace("      deps:\n        - pip", "      desc: ->\n        - pip")
    )
    with pytest.raises(PipelineError, match="stage show has no deps; write `deps:`"):
        dependencies.written(project)
    project.pipeline.write_text("stages: {other: {cmd: echo}}\n")
    with pytest.raises(
        PipelineError, match="stage other runs no program of pipelines/, got 'echo'"
    ):
        dependencies.stages(project)


def test_a_pipeline_that_cannot_be_read_is_refused_with_its_path(project):
    for text in ("stages: [", "stages: []", "stages: {show: 2020-13-45}"):
        project.pipeline.write_text(text)
        with pytest.raises(PipelineError, match=r"dvc\.yaml: not YAML with a mapping of stages"):
            dependencies.stages(project)
    project.pipeline.unlink()
    with pytest.raises(FileError, match=r"dvc\.yaml: no such file; run it in the project's root"):
        dependencies.stages(project)
