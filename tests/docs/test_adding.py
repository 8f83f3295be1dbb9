"""docs/adding.md, pasted into a copy of the project: every file, every test, a training."""

import itertools
import os
import shlex
import shutil
import subprocess

import pytest
import yaml
from typer.testing import CliRunner

from ser.cli.app import app
from ser.params import parse, read
from ser.workflow import weights_diagnosis
from ser.workflow.preset import Preset
from tests import recordings
from tests.docs import markdown

pytestmark = pytest.mark.stage

COPIED = (
    *("ser", "pipelines", "tests", "benchmarks", "configs", "docs"),
    *("pyproject.toml", "dvc.yaml", "README.md"),
)
#: In a process that has the large packages already, pytest's own plugins among them.
PYTEST = ("-m", "pytest", "-n", "0", "-q", "-W", "ignore::pytest.PytestAssertRewriteWarning")
END, INSIDE = " (at its end)", " (in class Project)"
PRESET = "configs/demo.yaml"

#: Component -> its three files.
COMPONENTS = {
    "brier": ("ser/losses/brier.py", "tests/losses/test_brier.py", PRESET),
    "pooled": ("ser/models/pooled.py", "tests/models/test_pooled.py", PRESET),
    "mel_db": (
        "ser/features/extractors/mel_db.py",
        "tests/features/extractors/test_mel_db.py",
        PRESET,
    ),
    "savee": ("ser/data/corpora/savee.py", "tests/data/corpora/test_savee.py", PRESET),
}


def merge(content, addition):
    """Add a section's entries to a preset, as a person does who writes them beside the others."""
    for key, value in addition.items():
        if isinstance(value, dict) and isinstance(content.get(key), dict) and key != "corpus":
            merge(content[key], value)
        else:
            content[key] = value


@pytest.fixture(scope="module")
def examples(project):
    return markdown.titled(project / "docs" / "adding.md")


@pytest.fixture(scope="module")
def presets(examples):
    """What the page adds to a preset: the entries of one component each."""
    found = [b for title, b in examples.items() if title.partition("#")[0] == "params.yaml"]
    return [yaml.safe_load(block.text) for block in found]


@pytest.fixture(scope="module")
def copy(project, examples, presets, tmp_path_factory):
    """A copy of the project with every file of the page, and its entries in the preset demo."""
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in COPIED:
        source = project / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy(source, root / name)
    places = ("sounds", "protocol_gaps", "weights/none", "without_copies/none", "crossed/none")
    for folder in places:
        (root / "data" / folder).mkdir(parents=True)
    preset = yaml.safe_load((root / PRESET).read_text("utf-8"))
    for addition in presets:
        if "corpus" not in addition:
            merge(preset, addition)
    head = itertools.takewhile(
        lambda line: line.startswith("#"), (root / PRESET).read_text("utf-8").splitlines(True)
    )
    (root / PRESET).write_text("".join(head) + yaml.safe_dump(preset, sort_keys=False))
    shutil.copy(root / PRESET, root / "params.yaml")
    for title, block in examples.items():
        path = root / title.removesuffix(END)
        if title.endswith(END):
            path.write_text(f"{path.read_text('utf-8')}\n\n{block.text}", encoding="utf-8")
        elif title.endswith(INSIDE):
            path = root / title.removesuffix(INSIDE)
            before, last = path.read_text("utf-8").rsplit("    @property\n", 1)
            path.write_text(f"{before}{block.text}\n    @property\n{last}", encoding="utf-8")
        elif not title.startswith("params.yaml"):
            assert not path.exists(), title
            path.write_text(block.text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def run(copy, python):
    """Run Python in the copy, whose code it imports; give what it printed."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        "GIT_CEILING_DIRECTORIES": str(copy.parent),
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    for name in [
        name for name in environment if name.startswith(("PYTEST_", "COV_", "SER_TESTS_"))
    ]:
        environment.pop(name)

    def run(*words, cwd=copy):
        done = subprocess.run(
            [python.executable, *words],
            cwd=cwd,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
        return done.stdout

    return run


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_a_source_a_test_and_an_entry_in_a_preset(examples, presets, name):
    source, test, _ = COMPONENTS[name]
    assert [title for title in examples if f"/{name}.py" in title] == [source]
    assert [title for title in examples if f"_{name}.py" in title] == [test]
    assert len([entry for entry in presets if name in yaml.safe_dump(entry)]) == 1


def test_the_new_tests_and_the_contract_tests_pass_on_the_new_components(run):
    printed = run(
        *(*PYTEST, "--doctest-modules"),
        *("-k", " or ".join((*COMPONENTS, "kappa", "gain", "durations", "under_contract"))),
        *("tests/losses", "tests/models", "tests/features/extractors", "tests/data/corpora"),
        *("tests/test_metrics.py", "tests/pipelines/test_durations.py"),
        "tests/features/test_copies.py",
    )
    counts = {
        kind: sum(name in line for line in printed.splitlines())
        for kind, name in (("failed", "FAILED"), ("error", "ERROR"))
    }
    assert counts == {"failed": 0, "error": 0}
    # Each contract ran: a handful of tests would mean that `-k` found none of them.
    assert int(printed.split(" passed")[0].split()[-1]) > 50


def test_presets_layout_and_dependencies_are_as_they_must_be(run):
    update = (
        "from ser.project import Project; from ser.workflow import dependencies as d; "
        "d.update(Project()); assert d.differences(Project()) == []"
    )
    run("-c", update)
    quick = (*PYTEST, "-m", "not stage")
    # Stages have one list of names, to which the page tells the reader to add a new one.
    run(
        *quick,
        *("tests/test_layout.py", "tests/test_presets.py", "tests/workflow/test_params_page.py"),
        *("tests/test_dvc.py", "--deselect"),
        "tests/test_dvc.py::test_the_stages_are_those_of_the_contract",
    )


def test_the_new_files_pass_the_style_that_lint_asks_for(run, examples):
    paths = [title for title in examples if title.endswith(".py")]
    run("-m", "ruff", "check", "--no-cache", *paths)
    run("-m", "ruff", "format", "--check", "--no-cache", *paths)


def test_the_new_files_keep_their_contracts_and_the_layers(run, project, copy, examples):
    cache = project / ".cache" / "mypy"
    if cache.is_dir():  # what has been checked before need not be checked again
        shutil.copytree(cache, copy / ".cache" / "mypy")
    sources = [t for t in examples if t.endswith(".py") and t.startswith(("ser/", "pipelines/"))]
    assert len(sources) == 5
    assert "no issues found in 5 source files" in run("-m", "mypy", *sources)
    lint = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    assert " 0 broken" in run("-c", lint)


def test_a_preset_with_the_new_corpus_is_valid(run, copy, presets):
    (addition,) = (entry for entry in presets if "corpus" in entry)
    preset = yaml.safe_load((copy / PRESET).read_text("utf-8"))
    merge(preset, addition)
    (copy / "savee.yaml").write_text(yaml.safe_dump(preset))
    run("-c", "from pathlib import Path; from ser.params import read; "
           "from ser.workflow.preset import Preset; "
           "assert read(Path('savee.yaml'), Preset).corpus.name == 'savee'")  # fmt: skip


def test_the_new_model_learns_with_the_new_loss_on_the_new_feature(run, copy, tmp_path):
    params = yaml.safe_load(recordings.PARAMS)
    params["features"] = {"mel_db": {"num_mels": 8, "hop_ms": 20.0}}
    params["models"], params["losses"] = {"pooled": {}}, {"brier": {}}
    params["recipes"] = {"pooled": {"num_epochs": 1, "batch_size": 8}}
    params["cells"] = {"pooled-brier": {"model": "pooled", "loss": "brier", "feature": "mel_db"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "ser").symlink_to(copy / "ser")
    recordings.write_corpus(tmp_path / "data" / "raw" / "csv")
    stages = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pipelines import durations, extract, prepare, split, train\n"
        "for main, words in ((prepare.main, []), (split.main, []), (extract.main, ['mel_db']),\n"
        "                    (train.main, ['pooled-brier', '--untuned']), (durations.main, [])):\n"
        "    assert main(words) == 0, main\n"
    )
    run("-c", stages, str(copy), cwd=tmp_path)
    assert (tmp_path / "data" / "trained" / "pooled-brier" / "predictions.parquet").is_file()
    assert (tmp_path / "data" / "durations.csv").is_file()


def test_the_same_model_twice_adds_cells_to_the_preset_and_changes_none(project):
    (block,) = (
        block
        for block in markdown.blocks(project / "docs" / "adding.md")
        if block.language == "yaml" and "whisper__base" in block.text
    )
    content = yaml.safe_load((project / "configs" / "emodb.yaml").read_text("utf-8"))
    before = parse(content, Preset, where="emodb")
    merge(content, yaml.safe_load(block.text))
    after = parse(content, Preset, where="emodb")
    assert set(after.cells) - set(before.cells) == {
        "whisper__finetuned-cross_entropy",
        "whisper__base-cross_entropy",
    }
    for section in ("features", "models", "recipes", "cells", "extracted"):
        kept = {name: getattr(after, section)[name] for name in getattr(before, section)}
        assert kept == getattr(before, section)
    # What can be told without loading anything: every model goes on where its feature ends.
    findings = weights_diagnosis.examine(after)
    assert [finding.detail for finding in findings if finding.level == "fail"] == []


def test_the_commands_of_the_last_section_write_a_preset(project, tmp_path, monkeypatch):
    shutil.copytree(project / "configs", tmp_path / "configs")
    page = project / "docs" / "adding.md"
    (line,) = (line for line in markdown.commands(page) if "ser new-preset" in line)
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, shlex.split(line)[1:]).exit_code == 0
    made = read(tmp_path / "configs" / "my-corpus.yaml", Preset)
    assert (len(made.cells), list(made.tuning.cells)) == (4, ["whisper-focal"])


def test_the_commands_of_the_last_section_change_a_preset(project, tmp_path):
    shutil.copytree(project / "configs", tmp_path / "configs")
    page = project / "docs" / "adding.md"
    lines = [line for line in markdown.commands(page) if line.startswith(("cp ", "sed "))]
    for line in lines:
        subprocess.run(shlex.split(line), cwd=tmp_path, check=True)
    made = tmp_path / "configs" / "demo-speaker.yaml"
    assert read(made, Preset).split.protocol == "speaker"
    assert made.read_text("utf-8").startswith("# Preset demo-speaker: ")
    assert len(lines) == 3
