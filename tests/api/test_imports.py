"""What must not be imported before a question is answered: counted by names, never by time."""

import pytest

from ser.cli import runs
from tests.fresh_process import modules_after
from tests.promotion.support import champion_of
from tests.serving.support import encoded, speech, write_bundle

pytestmark = pytest.mark.system

#: Each takes half a second or more, and answers nothing.
NEVER = {
    *("accelerate", "dvc", "librosa", "matplotlib", "onnx", "optuna", "sklearn"),
    *("scipy.optimize", "scipy.signal", "scipy.stats", "uvicorn"),
}
#: What an answer of this project's own does without, too: tables, statistics, torch's compiler.
NEVER_TO_ANSWER = NEVER | {"pandas", "scipy.special", "sympy", "torch._dynamo", "transformers"}
#: The registry; a bundle in a folder needs none.
OF_A_REGISTRY = {"mlflow", "sqlalchemy", "fastapi"}


def command(*words):
    """A program that is `ser` with these words, and succeeds."""
    return f"""
import sys
from ser.cli import app
sys.argv = ["ser", *{words!r}]
try:
    app.main()
except SystemExit as ended:
    assert ended.code == 0, ended.code
"""


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(speech(0.5)))
    return str(path)


@pytest.mark.parametrize("cell", ["lstm-aam", "whisper-ccc"])
@pytest.mark.parametrize("is_command", [True, False], ids=["ser predict", "ser.load"])
def test_a_bundle_answers_without_a_registry_or_what_trains(
    cell, is_command, trained, recording, tmp_path
):
    bundle = str(write_bundle(cell, tmp_path / "bundle")[0])
    program = f"import ser; ser.load({bundle!r}).predict({recording!r})"
    if is_command:
        program = command("predict", recording, "--model", bundle)
    found = modules_after(program, cwd=tmp_path)
    assert "torch" in found
    assert found & (NEVER_TO_ANSWER | OF_A_REGISTRY) == set()


def test_the_champion_of_a_local_registry_answers_without_mlflow(trained, recording):
    """Whisper's, whose published network transformers would take seconds to import."""
    champion_of("whisper-ccc")
    found = modules_after(command("predict", recording), cwd=trained)
    assert "torch" in found
    assert found & (NEVER_TO_ANSWER | OF_A_REGISTRY) == set()


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("results", "--help")], ids=str)
def test_what_says_how_to_ask_imports_nothing_heavy(words, tmp_path):
    found = modules_after(command(*words), cwd=tmp_path)
    assert found & (NEVER_TO_ANSWER | OF_A_REGISTRY | {"torch", "numpy"}) == set()


def test_tables_of_a_project_are_read_without_a_registry(trained):
    program = "import ser; ser.read_folds(); ser.read_predictions('lstm-aam')"
    found = modules_after(program, cwd=trained)
    assert "pandas" in found
    assert found & (NEVER | OF_A_REGISTRY | {"transformers"}) == set()


def test_a_project_with_nothing_to_do_is_found_so_without_a_registry_or_what_draws(trained):
    """What `ser repro` does then, but for DVC's own question."""
    runs.restore_runs(quiet=True)  # now the leaderboard shows what the cells differ in
    found = modules_after(
        """
from pathlib import Path
from ser.cli import runs
from ser.workflow import diagnosis, dvc_runs
found = {finding.what: finding.level for finding in diagnosis.diagnose(Path(), fix=True)}
assert found["tracking store"] == found["runs"] == "ok", found
runs.restore_runs(quiet=True)
import ser.report.paper, ser.report.results, ser.workflow.current, ser.workflow.trained_cells
""",
        cwd=trained,
    )
    assert {"dvc", "pandas"} <= found
    assert found & (NEVER - {"dvc"} | OF_A_REGISTRY | {"alembic"}) == set()


_FULL_COLLECTIONS = """
import gc, sys
full = []
gc.callbacks.append(lambda phase, info: phase == "start" and full.append(info["generation"]))
try:
{}
except SystemExit:
    pass
assert "torch" in sys.modules
assert 2 not in full, full
"""


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.argv = ['', '--help']; from pipelines import train; train.main()",
        "import sys; sys.argv = ['ser', 'train', 'a-b']; from ser.cli import app; app.main()",
    ],
    ids=["stage", "ser train"],
)
def test_what_trains_is_imported_without_a_look_through_all_that_is_there(program, tmp_path):
    """Nothing is trained: the one shows its help, the other one finds no params.yaml."""
    found = modules_after(_FULL_COLLECTIONS.format(f"    {program}"), cwd=tmp_path)
    assert "accelerate" in found or "mlflow" in found


def test_a_program_that_loads_a_model_is_not_taken_for_a_server():
    from ser.serving.request import _SERVERS

    found = modules_after("import mlflow.pyfunc, ser.serving.mlflow_model, ser.api.recogniser")
    assert "ser.serving.request" in found
    assert found.isdisjoint(_SERVERS)


def test_finding_a_registered_model_brings_nothing_that_trains():
    found = modules_after(
        "import ser.promotion.champion, ser.workflow.preset, ser.registry.model_files\n"
        "import ser.tracking.store, ser.serving.predictor"
    )
    assert "mlflow" in found
    assert found & NEVER == set()
