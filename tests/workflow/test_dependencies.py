import sys
from types import ModuleType

import pytest

from ser.errors import PipelineError
from ser.project import Project
from ser.workflow import dependencies

PIPELINE = """# Kept.
stages:
  take:
    cmd: python -m pipelines.take_{n}
    deps:
      - ser/gone.py
      # Not kept: the list is computed.
      - data/old.csv
    outs:
      - out
  show:
    foreach: ${{cells}}
    do:
      cmd: python -m pipelines.take_{n} ${{key}}  # Kept, too.
      deps:
        - pipelines/take_{n}.py
      params:
        - data/tuned.json:
            - ${{item.model}}
      outs:
        - shown/${{key}}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two stages of one program that imports a module and reads a component by name."""
    name = f"take_{tmp_path.name.rpartition('-')[2] or 0}".replace("-", "_")
    number = name.removeprefix("take_")
    for folder in ("ser", "pipelines"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pipelines" / f"{name}.py").write_text("from ser import used\n")
    (tmp_path / "ser" / "used.py").write_text("import ser.errors\nTABLE = 'table.csv'\n")
    for file in ("table.csv", "other.csv", "errors.py"):
        (tmp_path / "ser" / file).write_text("")
    (tmp_path / "dvc.yaml").write_text(PIPELINE.format(n=number))
    program = ModuleType(name)
    program.COMPONENTS = {"ser.models": "item.model"}
    program.reads = lambda project, words: [
        project.manifest,
        project.features(words["item.feature"]),
        *([project.tuned] if words["stage"] == "show" else []),
    ]
    monkeypatch.setitem(sys.modules, f"pipelines.{name}", program)
    return Project(tmp_path)


def computed(project, stage):
    (program,) = {found.program for found in dependencies.stages(project)}
    own = [f"pipelines/{program}.py", "ser/used.py", "ser/table.csv"]
    assert stage in ("take", "show")
    return sorted(
        [
            *own,
            "data/code/models/${item.model}.json",
            "data/features/${item.feature}",
            "data/manifest.jsonl",
            "ser/models/${item.model}.py",
        ]
    )


@pytest.mark.parametrize("name", ["take", "show"])
def test_a_stage_depends_on_what_its_program_reads_imports_and_finds_by_name(project, name):
    (stage,) = (found for found in dependencies.stages(project) if found.name == name)
    # data/tuned.json is one of the params of `show`, entry by entry, and no dependency beside.
    assert dependencies.of_stage(stage, project) == computed(project, name)


def test_words_fill_in_what_dvc_fills_in(project):
    stage = dependencies.stages(project)[0]
    found = dependencies.of_stage(stage, project, {"item.model": "lstm", "item.feature": "mfcc"})
    assert {"data/features/mfcc", "ser/models/lstm.py", "data/code/models/lstm.json"} <= set(found)


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
