"""dvc.yaml says what the stages really read, import and write."""

import ast
import fnmatch
import importlib
import shlex
import shutil
from pathlib import Path, PurePosixPath

import pytest
import yaml

from ser import components

ROOT = Path(__file__).parents[1]

CONTRACTS = "ser/contracts.py"

#: Imported by stages, and yet no dependency of theirs: pattern -> why not.
INDIFFERENT = {
    "pipelines/__init__.py": "sets the environment of the process",
    "ser/components.py": "finds a file by its name",
    CONTRACTS: "types alone; what keeps them is a dependency itself",
    "ser/errors.py": "names of failures; a stage that fails has no outputs",
    "ser/lineage.py": "digests and versions: where a result came from, not what it is",
    "ser/params.py": "reads the values that DVC compares itself; their classes are dependencies",
    "ser/runtime.py": "environment, signals and exit status of the process",
    "ser/tracking/*.py": "where runs are recorded",
    "ser/data/corpora/_base.py": "params that DVC compares itself",
}

#: The same for one stage only.
_OF_TRAINING = {
    "ser/data/audio.py": "imported beside a constant; the features are extracted already",
    "ser/features/extraction.py": "only the name of the package of extractors",
}
INDIFFERENT_TO = {
    "demo": {
        "ser/data/corpora/_*.py": "reads what this stage writes",
        "ser/emotion.py": "used by the reader",
        "ser/utterance.py": "used by the reader",
    },
    "train": _OF_TRAINING,
    "untuned": _OF_TRAINING,
    "tune": {"ser/data/audio.py": _OF_TRAINING["ser/data/audio.py"]},
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """Name -> stage as DVC resolves dvc.yaml under the demo preset."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("resolved")
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copy(ROOT / "configs" / "demo.yaml", folder / "params.yaml")
    with Repo.init(str(folder), no_scm=True) as repo:
        yield {stage.name: stage for stage in repo.index.stages}


@pytest.fixture(scope="module")
def preset():
    return yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text(encoding="utf-8"))


def paths(items):
    """Paths of dependencies or outputs as they are written, params.yaml left out."""
    return {PurePosixPath(i.def_path).as_posix() for i in items} - {"params.yaml"}


def script_of(stage):
    (module,) = (word for word in stage.cmd.split() if word.startswith("pipelines."))
    return ROOT / f"{module.replace('.', '/')}.py"


def components_of(stage, preset):
    """Section -> the component that a stage works on, by its name in dvc.yaml."""
    family, _, key = stage.name.partition("@")
    if family in ("train", "untuned"):
        cell = preset["cells"][key]
        return {
            "features": cell["feature"],
            "losses": cell["loss"],
            "models": cell["model"],
            "recipes": cell["model"],
        }
    return {
        "extract": {"features": key},
        "weights": {"synthetic_weights": key},
    }.get(family, {})


def imports(path):
    """Every module of `ser` that a file names in an import, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(*starts):
    """Files that the given ones import, directly or not, themselves included.

    `__init__` files are left out: they hold a docstring (see test_layout.py).
    """
    found, waiting = set(), [ROOT / start for start in starts]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(ROOT).as_posix()
        if name in found:
            continue
        found.add(name)
        if name == CONTRACTS:  # it names the records that it speaks of, and needs none
            continue
        modules = (ROOT / f"{module.replace('.', '/')}.py" for module in imports(path))
        waiting += [module for module in modules if module.is_file()]
    return found


def imported_by(stage, preset):
    """Files that a stage imports, those of its components included."""
    chosen = components_of(stage, preset)
    family = stage.name.partition("@")[0]
    kinds = [kind for kind in ("losses", "models") if kind in chosen]
    dynamic = [components.source(f"ser.{kind}", chosen[kind]) for kind in kinds]
    if family == "extract":
        dynamic.append(components.source("ser.features.extractors", chosen["features"]))
    if family == "tune":  # any cell may be tuned
        folders = (ROOT / "ser" / kind for kind in ("losses", "models"))
        dynamic += [p.relative_to(ROOT).as_posix() for f in folders for p in f.glob("[!_]*.py")]
    if family == "prepare":
        dynamic.append(components.source("ser.data.corpora", preset["corpus"]["name"]))
    return closure(script_of(stage).relative_to(ROOT), *dynamic)


def is_below(path, folders):
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def matches(path, patterns):
    return [pattern for pattern in patterns if fnmatch.fnmatch(path, pattern)]


def test_the_stages_are_those_of_the_contract(stages, preset):
    cells = {name for name in stages if name.startswith("train@")}
    assert set(stages) - cells == {
        "demo@demo",
        *(f"weights@{name}" for name in preset["synthetic_weights"]),
        "prepare",
        "split",
        *(f"extract@{name}" for name in preset["extracted"]),
        "tune",
        *(f"untuned@{name}" for name in preset["tuning"]["cells"]),
        "gain",
        "baselines",
        "compare",
    }
    models = ("lstm", "vggish", "wav2vec2", "hubert")
    losses = ("cross_entropy", "label_smoothing", "focal", "aam", "ccc")
    assert cells == {f"train@{model}-{loss}" for model in models for loss in losses}


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
        assert said == read, name


def test_every_stage_depends_on_the_source_that_decides_its_outputs(stages, preset):
    missing = {
        name: sorted(
            path
            for path in imported_by(stage, preset)
            if not is_below(path, paths(stage.deps))
            and not matches(path, INDIFFERENT)
            and not matches(path, INDIFFERENT_TO.get(name.partition("@")[0], ()))
        )
        for name, stage in stages.items()
    }
    assert {name: paths for name, paths in missing.items() if paths} == {}


def test_no_stage_depends_on_source_that_it_does_not_import(stages, preset):
    # A helper that only some models or extractors import is a dependency of all of them.
    used, said = {}, {}
    for name, stage in stages.items():
        # Any cell may be tuned, so what a model of some cell imports counts for both.
        family = name.partition("@")[0].replace("untuned", "train")
        used.setdefault(family, set()).update(imported_by(stage, preset))
        sources = {path for path in paths(stage.deps) if path.startswith(("ser", "pipelines"))}
        said.setdefault(family, set()).update(sources)
    idle = {
        family: {path for path in sources if not any(is_below(f, [path]) for f in used[family])}
        for family, sources in said.items()
    }
    assert {family: paths for family, paths in idle.items() if paths} == {}


def test_no_exception_is_out_of_date(stages, preset):
    undeclared = {
        name: {f for f in imported_by(stage, preset) if not is_below(f, paths(stage.deps))}
        for name, stage in stages.items()
    }
    everywhere = set().union(*undeclared.values()) | {"pipelines/__init__.py"}
    assert [p for p in INDIFFERENT if not fnmatch.filter(everywhere, p)] == []
    for family, patterns in INDIFFERENT_TO.items():
        files = set().union(*(undeclared[name] for name in stages if name.startswith(family)))
        assert [p for p in patterns if not fnmatch.filter(files, p)] == [], family


def test_every_dependency_is_in_the_repository_or_made_by_a_stage(stages):
    made = set().union(*(paths(stage.outs) for stage in stages.values()))
    for name, stage in stages.items():
        for path in paths(stage.deps):
            # A dependency may be a folder that several stages write into.
            is_made = is_below(path, made) or any(is_below(out, [path]) for out in made)
            assert is_made or (ROOT / path).exists(), f"{name}: {path}"


def test_every_path_of_a_command_is_a_dependency_an_output_or_a_folder_of_such(stages):
    for name, stage in stages.items():
        known = paths(stage.deps) | paths(stage.outs) | {"work"}  # scratch, outside of DVC
        words = shlex.split(stage.cmd)
        options = {words[i]: words[i + 1] for i in range(3, len(words), 2)}
        assert options, name
        for option, path in options.items():
            if option not in ("--model", "--loss", "--name", "--variant"):
                assert any(is_below(k, [path]) for k in known), f"{name}: {option} {path}"


def test_a_stage_never_writes_into_the_source(stages):
    for stage in stages.values():
        assert not any(path.startswith(("ser", "pipelines", "tests")) for path in paths(stage.outs))
