"""dvc.yaml says what the stages really read, import and write."""

import ast
import fnmatch
import importlib
import json
import shlex
import shutil
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
import yaml

from pipelines import code
from ser import components, lineage
from ser.grid import searched
from ser.params import parse
from ser.project import Project
from ser.workflow import commands, dependencies
from ser.workflow.preset import Preset

ROOT = Path(__file__).parents[1]

PRESETS = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))


def resolved(preset, folder, *, launcher="python -m"):
    """Name -> stage as DVC resolves dvc.yaml under a preset."""
    from dvc.repo import Repo

    shutil.copy(ROOT / "dvc.yaml", folder)
    content = (ROOT / "configs" / f"{preset}.yaml").read_text(encoding="utf-8")
    assert content.count("launcher: python -m") == 1
    content = content.replace("launcher: python -m", f"launcher: {launcher}")
    (folder / "params.yaml").write_text(content, encoding="utf-8")
    with Repo.init(str(folder), no_scm=True) as repo:
        return {stage.name: stage for stage in repo.index.stages}


def content_of(preset):
    return yaml.safe_load((ROOT / "configs" / f"{preset}.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    return resolved("demo", tmp_path_factory.mktemp("resolved"))


@pytest.fixture(scope="module")
def preset():
    return content_of("demo")


def paths(items):
    """Paths of dependencies or outputs as they are written, params.yaml left out."""
    return {PurePosixPath(i.def_path).as_posix() for i in items} - {"params.yaml"}


def script_of(stage):
    (module,) = (word for word in stage.cmd.split() if word.startswith("pipelines."))
    return ROOT / f"{module.replace('.', '/')}.py"


def components_of(stage, preset):
    """Section -> the component that a stage works on, by its name in dvc.yaml."""
    family, _, key = stage.name.partition("@")
    if family in ("train", "untuned", "without_copies"):
        cell = preset["cells"][key]
        return {
            "features": cell["feature"],
            "losses": cell["loss"],
            "models": cell["model"],
            "recipes": cell["model"],
            "cells": key,
        }
    return {
        "score": {"tuning": "cells", "robustness": "without_copies"},
        "compare": {"tuning": "cells", "robustness": "without_copies"},
        "extract": {"features": key, "corpus": "name"},
        "weights": {"synthetic_weights": key},
    }.get(family, {})


@cache
def imports(path):
    """Files of the modules of `ser` that a file names in an import, wherever it stands."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = (ROOT / f"{module.replace('.', '/')}.py" for module in dict.fromkeys(found))
    return [file for file in files if file.is_file()]


@cache
def closure(*starts, skip=()):
    """Files that the given ones import, directly or not, themselves included.

    `__init__` files are left out: they hold a docstring (see test_layout.py).
    """
    found, waiting = set(), [ROOT / start for start in starts]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(ROOT).as_posix()
        if name in found or any(fnmatch.fnmatch(name, pattern) for pattern in skip):
            continue
        found.add(name)
        waiting += imports(path)
    return frozenset(found)


def found_by_name(stage, preset):
    """Files of the components that a stage finds by name, under a preset."""
    chosen = components_of(stage, preset)
    family = stage.name.partition("@")[0]

    def file(family, name):
        return components.source(family, name).as_posix()

    if family == "extract":
        return [file(components.EXTRACTORS, chosen["features"])]
    if family in ("prepare", "compare"):
        return [file(components.CORPORA, preset["corpus"]["name"])]
    kinds = (("models", "model", components.MODELS), ("losses", "loss", components.LOSSES))
    if family == "tune":
        feature = stage.name.partition("@")[2]
        cells = [c for c in preset["tuning"]["cells"].values() if c["feature"] == feature]
        return [file(package, cell[word]) for cell in cells for _, word, package in kinds]
    return [file(package, chosen[kind]) for kind, _, package in kinds if kind in chosen]


def is_below(path, folders):
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def test_the_stages_are_those_of_the_contract(stages, preset):
    cells = {name for name in stages if name.startswith("train@")}
    assert set(stages) - cells == {
        "code",
        "demo@demo",
        *(f"weights@{name}" for name in preset["synthetic_weights"]),
        "prepare",
        "split",
        *(f"extract@{name}" for name in preset["extracted"]),
        *(f"tune@{name}" for name in preset["extracted"]),
        *(f"untuned@{name}" for name in preset["tuning"]["cells"]),
        *(f"without_copies@{name}" for name in preset["robustness"]["without_copies"]),
        "score",
        "gain",
        "robustness",
        "baselines",
        "compare",
    }
    models = ("lstm", "vggish", "wav2vec2", "hubert")
    losses = ("cross_entropy", "label_smoothing", "focal", "aam", "ccc")
    # The preset may have more cells than the study's grid, never fewer.
    assert cells >= {f"train@{model}-{loss}" for model in models for loss in losses}
    assert cells == {f"train@{name}" for name in preset["cells"]}


def test_every_stage_names_the_params_that_its_script_reads_and_no_others(stages, preset):
    for name, stage in stages.items():
        script = script_of(stage)
        chosen = components_of(stage, preset)
        fields = set(importlib.import_module(f"pipelines.{script.stem}").Params.model_fields)
        calls = (n for n in ast.walk(ast.parse(script.read_text())) if isinstance(n, ast.Call))
        entries = {
            call.args[1].value
            for call in calls
            if getattr(call.func, "attr", getattr(call.func, "id", "")) == "read_entry"
        }
        # A section by model, loss or feature counts with the stage's own entry only.
        read = {f"{s}.{chosen[s]}" if s in chosen else s for s in fields | entries}
        said = {
            param
            for dep in stage.deps
            for param in getattr(dep, "params", ())
            if dep.def_path == "params.yaml"
        }
        if name.startswith("tune@"):  # through a file that holds its own entries of all of them
            assert read <= {*searched.SEARCHED}, name
            read = set()
        assert said == read, name


def test_dependencies_are_those_that_the_command_writes():
    assert dependencies.differences(Project(ROOT)) == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_stage_depends_on_the_source_that_decides_its_outputs_and_no_other(
    name, tmp_path, monkeypatch
):
    """Under every preset, whatever its components are; what they import is in the digests."""
    preset = content_of(name)
    monkeypatch.chdir(tmp_path)
    for folder in ("ser", "pipelines"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    stages = resolved(name, tmp_path)
    assert code.main([]) == 0
    for stage in stages.values():
        program = script_of(stage).stem
        skip = (*lineage.DECIDES_NOTHING, *dependencies.INDIFFERENT_TO.get(program, ()))
        imported = closure(f"pipelines/{program}.py", *found_by_name(stage, preset), skip=skip)
        said = {path for path in paths(stage.deps) if path.startswith(("ser/", "pipelines/"))}
        digests = [path for path in paths(stage.deps) if path.startswith("data/code/")]
        for path in digests:
            content = json.loads((tmp_path / path).read_text(encoding="utf-8"))
            said |= content.get("code", content).keys()
        if program == "code":  # it reads the source as data
            continue
        assert {path for path in said if path.endswith(".py")} == imported, stage.name


def every_component():
    return [(family, name) for family in components.FAMILIES for name in components.names(family)]


def test_digests_are_made_of_every_file_of_a_component_and_nothing_else_is_read(
    tmp_path, monkeypatch
):
    project = Project(ROOT)
    read = {path.relative_to(ROOT).as_posix() for path in code.reads(project, {})}
    for family, name in every_component():
        outside = [f for f in code.sources(project, family, name) if not is_below(f, read)]
        assert outside == [], (family, name)


def test_what_stands_beside_a_source_file_and_is_named_in_it_counts_with_it():
    (compare,) = (s for s in dependencies.stages(Project(ROOT)) if s.name == "compare")
    found = dependencies.of_stage(compare, Project(ROOT))
    assert {"ser/evaluation/published_cells.csv", "ser/report/templates"} <= set(found)


def test_no_exception_is_out_of_date():
    programs = {stage.program for stage in dependencies.stages(Project(ROOT))}
    files = {program: closure(f"pipelines/{program}.py") for program in programs}
    found_by_name = closure(*(components.source(f, n) for f, n in every_component()))
    everywhere = set().union(*files.values(), found_by_name) | {"pipelines/__init__.py"}
    assert [p for p in lineage.DECIDES_NOTHING if not fnmatch.filter(everywhere, p)] == []
    for program, patterns in dependencies.INDIFFERENT_TO.items():
        unused = [p for p in patterns if not fnmatch.filter(files[program], p)]
        assert unused == [], program


def test_every_dependency_is_in_the_repository_or_made_by_a_stage(stages):
    made = set().union(*(paths(stage.outs) for stage in stages.values()))
    for name, stage in stages.items():
        for path in paths(stage.deps):
            # A dependency may be a folder that several stages write into.
            is_made = is_below(path, made) or any(is_below(out, [path]) for out in made)
            assert is_made or (ROOT / path).exists(), f"{name}: {path}"


def test_what_opens_recordings_depends_on_the_corpus(tmp_path):
    stages = resolved("emodb", tmp_path)
    opening = {name for name, stage in stages.items() if "data/raw/emodb" in paths(stage.deps)}
    extracting = {name for name in stages if name.startswith("extract@")}
    assert opening == {"prepare", "baselines", "compare", *extracting}


def test_every_program_says_what_it_writes(stages):
    for name, stage in stages.items():
        family, _, key = name.partition("@")
        words = {"stage": family, "key": key, "item": key}
        module = importlib.import_module(f"pipelines.{script_of(stage).stem}")
        written = {path.as_posix() for path in module.writes(Project(), words)}
        assert written == paths(stage.outs), name


def test_what_starts_the_processes_of_a_fit_is_in_no_stage(stages, tmp_path):
    """So that another launcher marks nothing as changed."""
    changed = resolved("demo", tmp_path, launcher="torchrun --nproc-per-node 2 -m")
    for name, stage in stages.items():
        assert changed[name].dumpd() == stage.dumpd(), name
        assert "launcher" not in json.dumps(stage.dumpd()), name


def test_commands_are_those_that_the_command_line_uses(stages, preset):
    params = parse(preset, Preset, where="demo")
    for name, stage in stages.items():
        family, _, key = name.partition("@")
        if family == "train":
            expected = commands.train(params, key)
        elif family in ("untuned", "without_copies", "score", "compare"):
            continue  # nothing but DVC runs these
        else:
            expected = commands.stage(family, *([key] if key else []))
        assert shlex.split(stage.cmd)[1:] == expected[1:], name


def test_a_stage_never_writes_into_the_source(stages):
    for stage in stages.values():
        assert not any(path.startswith(("ser", "pipelines", "tests")) for path in paths(stage.outs))
