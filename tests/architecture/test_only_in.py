"""A library that few may import: nobody else can, wherever and however the import is written."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from grimp import ImportGraph
from importlinter.domain.contract import InvalidContractOptions

from tests.architecture.only_in import OnlyIn

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]
ALLOWED = {c["library"]: c["allowed"] for c in CONTRACTS if c["type"] == "only_in"}


def graph(*imports):
    """Modules of `ser` and, squashed, the library; `imports` are pairs importer, imported."""
    made = ImportGraph()
    for name in ["ser", "ser.a", "ser.a.deep", "ser.ab", "ser.b"]:
        made.add_module(name)
    made.add_module("lib", is_squashed=True)
    for line, (importer, imported) in enumerate(imports, start=1):
        made.add_import(
            importer=importer, imported=imported, line_number=line, line_contents="import"
        )
    return made


def contract(allowed=("ser.a",), library="lib"):
    return OnlyIn("rule", {}, {"library": library, "allowed": list(allowed)})


def test_who_is_allowed_imports_it_and_so_does_what_is_inside():
    found = contract().check(graph(("ser.a", "lib"), ("ser.a.deep", "lib")), verbose=False)
    assert found.kept


def test_who_is_not_allowed_is_named_with_the_lines():
    imports = [("ser.a", "lib"), ("ser.b", "lib"), ("ser.ab", "lib"), ("ser.b", "lib")]
    found = contract().check(graph(*imports), verbose=False)
    assert not found.kept
    assert found.metadata["imports"] == [("ser.ab", [3]), ("ser.b", [2, 4])]


def test_an_import_through_an_allowed_module_is_kept():
    found = contract().check(graph(("ser.a", "lib"), ("ser.b", "ser.a")), verbose=False)
    assert found.kept


def test_a_rule_about_a_module_that_is_gone_is_refused():
    with pytest.raises(InvalidContractOptions) as refused:
        contract(["ser.a", "ser.gone"]).check(graph(("ser.a", "lib")), verbose=False)
    assert "ser.gone" in refused.value.errors["allowed"]


def test_a_rule_about_a_library_that_nobody_imports_is_refused():
    with pytest.raises(InvalidContractOptions) as refused:
        contract(library="lbi").check(graph(("ser.a", "lib")), verbose=False)
    assert "lbi" in refused.value.errors["library"]


def test_the_design_says_which_libraries_are_kept_apart():
    assert ALLOWED == {
        "mlflow": ["ser.tracking", "ser.registry", "ser.serving", "ser.promotion"],
        "optuna": ["ser.tuning"],
        "transformers": ["ser.pretrained"],
        "opensmile": ["ser.baselines.functionals"],
        "silero_vad": ["ser.data.speech_activity"],
        "prometheus_client": ["ser.serving.meters"],
        "python_multipart": ["ser.serving.form"],
        "dvc": ["ser.workflow"],
        "ray": ["ser.engine"],
    }


def module_of(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the sources in which every module imports every such library in a function."""
    root = tmp_path_factory.mktemp("planted")
    for folder in ["ser", "pipelines"]:
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tests" / "architecture", root / "tests" / "architecture")
    (root / "tests" / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", root)
    planted = "".join(f"    from {library} import planted\n" for library in ALLOWED)
    for path in [*(root / "ser").rglob("*.py"), *(root / "pipelines").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}\n\ndef _planted():\n{planted}", encoding="utf-8")
    return root


def test_make_lint_names_every_other_module_that_imports_one(project):
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=project,
        env={"PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    sources = [*(project / "ser").rglob("*.py"), *(project / "pipelines").rglob("*.py")]
    modules = {module_of(path, project) for path in sources}
    assert len(modules) > 100
    for library, allowed in ALLOWED.items():
        named = set(re.findall(rf"^- (\S+) -> {library} \(l\.", run.stdout, re.MULTILINE))
        assert named == {
            name for name in modules if not f"{name}.".startswith(tuple(f"{a}." for a in allowed))
        }
