"""The order of the house: sizes, names, docstrings, presets, mirrored tests."""

import ast
import math
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from ser.params import load_mapping, parse, read
from ser.workflow import needs_diagnosis, preset_head
from ser.workflow.new_preset import SIGNATURE
from ser.workflow.preset import Preset

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "ser").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")])
PRESETS = sorted((ROOT / "configs").glob("*.yaml"))
#: Without those that a user has written.
SHIPPED = [path for path in PRESETS if SIGNATURE not in path.read_text(encoding="utf-8")]

MAX_LINES = 400
MAX_STAGE_LINES = 110
#: Code lines that 95 % of all functions do not exceed.
MAX_P95_CODE_LINES = 30
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base"}

#: Public modules without a test file of their own -> where or why not.
TESTED_ELSEWHERE = {
    "ser/data/recordings.py": "tests/data/corpora/test_contract.py",
    "ser/data/limits.py": "tests/data/test_decoding.py",
    "ser/data/quiet.py": "tests/data/test_decoding.py",
    "ser/promotion/logging_model.py": "tests/promotion/test_registration.py",
    "ser/serving/prediction.py": "records only; tests/serving/test_predictor.py",
    "ser/serving/answer_schema.py": "records only; tests/serving/test_api_description.py",
    "ser/serving/timed_protocol.py": "tests/serving/test_request_guard.py",
    "ser/grid/assembly.py": "tests/grid/test_cell.py",
    "ser/grid/params.py": "tests/workflow/test_experiment.py",
    "ser/grid/cross_corpus.py": "tests/pipelines/test_cross.py",
    "ser/grid/crossings.py": "tests/pipelines/test_cross.py",
    "ser/tuning/feature_search.py": "tests/pipelines/test_tune.py",
    "ser/features/other_corpus.py": "tests/pipelines/test_cross_data.py",
    "ser/report/comparison.py": "tests/pipelines/test_compare.py",
    "ser/grid/runners.py": "tests/pipelines/test_train.py",
    "ser/training/saved_fold.py": "tests/grid/test_kept_folds.py",
    "ser/data/protocols.py": "tests/data/test_splits.py",
    "ser/promotion/params.py": "tests/cli/test_registry.py",
    "ser/baselines/params.py": "tests/baselines/test_reference_rows.py",
    "ser/evaluation/temperature.py": "tests/evaluation/test_calibration.py",
    "ser/pretrained/whisper_config.py": "tests/pretrained/test_whisper.py",
    "ser/pretrained/whisper_encoder.py": "tests/pretrained/test_whisper.py",
    "ser/nn/transformer_bodies.py": "tests/models/test_speech_transformer.py",
    "ser/registry/gate_params.py": "tests/registry/test_gates.py",
    "ser/registry/version.py": "tests/registry/test_versions.py",
    "ser/tracking/mlflow_run.py": "tests/tracking/test_mlflow_tracker.py",
    "ser/tracking/place.py": "tests/tracking/test_store.py",
    "ser/errors.py": "names only; each error is raised in the test of its cause",
    "ser/progress.py": "a protocol; tests/features/test_store.py",
    "ser/training/fold.py": "tests/training/test_fit.py",
    "ser/training/predict.py": "tests/training/test_fit.py",
    "ser/utterance.py": "records only; tests/data/test_manifest.py",
    "ser/tracking/database.py": "tests/tracking/test_local_runs.py",
    "ser/tracking/leaderboard.py": "tests/tracking/test_views.py",
    "ser/workflow/missing_shards.py": "tests/workflow/test_shard_units.py",
    "ser/workflow/finding.py": "a record; tests/workflow/test_diagnosis.py",
}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def num_lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_there_are_sources_and_presets_to_look_at():
    assert len(SOURCES) > 50
    assert "demo" in [path.stem for path in PRESETS]


def test_no_file_is_longer_than_a_person_reads():
    assert {name_of(p): num_lines(p) for p in SOURCES if num_lines(p) > MAX_LINES} == {}


def code_lines(function, lines):
    """Lines of a function that are neither its docstring, nor blank, nor only a comment."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    signature = lines[function.lineno - 1 : function.body[0].lineno - 1]
    if body and body[0].lineno == function.lineno:  # all on one line
        return 1
    code = signature + (lines[body[0].lineno - 1 : function.end_lineno] if body else [])
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in code)


def functions_of(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, code_lines(node, text.splitlines())


def test_code_lines_are_counted_without_docstring_comments_and_blanks():
    text = '''
def f(
    a,
):
    """Return.

    More.
    """
    # why
    b = a

    return b  # at the end

def g(): return 1

def h():
    """Say."""
'''
    counted = {node.name: code_lines(node, text.splitlines()) for node in ast.parse(text).body}
    assert counted == {"f": 5, "g": 1, "h": 1}


def test_most_functions_fit_into_one_glance():
    counted = sorted(lines for path in SOURCES for _, lines in functions_of(path))
    assert len(counted) > 500
    assert counted[math.ceil(0.95 * len(counted)) - 1] <= MAX_P95_CODE_LINES


def test_stage_scripts_are_thin():
    stages = (ROOT / "pipelines").glob("*.py")
    assert {name_of(p): num_lines(p) for p in stages if num_lines(p) > MAX_STAGE_LINES} == {}


def test_every_module_says_what_it_is():
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def test_an_init_file_holds_a_docstring_and_nothing_else():
    # They set up the process before heavy imports; and name what programs may use.
    allowed = {"pipelines/__init__.py", "ser/__init__.py"}
    full = [
        name_of(path)
        for path in SOURCES
        if path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) != 1
    ]
    assert set(full) == allowed


def test_no_module_has_a_name_that_says_nothing():
    assert [name_of(path) for path in SOURCES if path.stem in VAGUE] == []


def names_of_types(tree):
    """Classes, and aliases of types, that a module defines."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name[0].isupper() and not name.isupper():
                yield name


def test_a_type_s_name_means_one_thing():
    homes = defaultdict(list)
    for path in SOURCES:
        for name in names_of_types(ast.parse(path.read_text(encoding="utf-8"))):
            homes[name].append(name_of(path))
    # Every component and every stage has its own.
    assert len(homes.pop("Params")) > 20
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_every_public_module_has_a_test_file_of_its_own():
    missing = {
        name_of(path)
        for path in SOURCES
        if path.parts[len(ROOT.parts)] == "ser"
        and not path.stem.startswith("_")
        and not mirrored(path).exists()
    }
    assert missing == set(TESTED_ELSEWHERE)


def mirrored(path):
    return (ROOT / "tests" / path.relative_to(ROOT / "ser")).with_name(f"test_{path.name}")


def test_every_stage_script_has_a_test_file():
    scripts = [path for path in (ROOT / "pipelines").glob("*.py") if path.stem != "__init__"]
    tests = {path.name for path in (ROOT / "tests" / "pipelines").glob("test_*.py")}
    # The stage that makes the demo corpus runs in test_dvc_status.py.
    assert {p.stem for p in scripts if f"test_{p.name}" not in tests} == {"demo"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_complete_and_valid(preset):
    content = load_mapping(preset)
    parse(content, Preset, where=str(preset))
    assert set(content) == set(Preset.model_fields)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_says_how_to_use_it(preset):
    first = preset.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"# Preset {preset.stem}: ")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_s_head_names_what_its_params_name(preset):
    head, params = preset_head.read(preset), read(preset, Preset)
    assert head is not None
    assert head.corpus == needs_diagnosis.corpus_of(params)
    assert sorted(head.weights) == sorted(needs_diagnosis.weights_of(params))
    assert head.gpu == needs_diagnosis.needs_gpu(params)
    assert preset not in SHIPPED or None not in (head.memory_gb, head.disk_gb)


def test_the_params_in_use_are_complete_and_valid():
    assert read(ROOT / "params.yaml", Preset).cells


def test_only_the_demo_corpus_is_made_by_the_pipeline():
    for preset in PRESETS:
        content = yaml.safe_load(preset.read_text(encoding="utf-8"))
        made = ["demo"] if content["corpus"]["name"] == "demo" else []
        assert content["synthetic_corpora"] == made, preset.stem


def test_tests_share_through_support_modules_and_never_through_test_modules():
    shared = {
        name_of(path): module
        for path in (ROOT / "tests").rglob("*.py")
        for module in imported_modules(path)
        if module.startswith("tests.") and "test_" in module
    }
    assert shared == {}


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_test_uses_the_hash_that_differs_from_process_to_process():
    calls = [
        f"{name_of(path)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hash"
    ]
    assert calls == []
