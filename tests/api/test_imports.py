"""What must not be imported before a question is answered: counted by names, never by time."""

import pytest

from tests.fresh_process import modules_after
from tests.serving.support import encoded, speech, write_bundle

pytestmark = pytest.mark.stage

#: Each takes half a second or more, and answers nothing.
NEVER = {
    *("accelerate", "dvc", "librosa", "matplotlib", "onnx", "optuna", "sklearn"),
    *("scipy.optimize", "scipy.signal", "scipy.stats", "statsmodels", "uvicorn"),
}
#: The registry; a bundle in a folder needs none.
OF_A_REGISTRY = {"mlflow", "sqlalchemy", "fastapi"}

COMMAND = """
import sys
from ser.cli import app
sys.argv = ["ser", "predict", "a.wav", "--model", "bundle"]
try:
    app.main()
except SystemExit as ended:
    assert ended.code == 0, ended.code
"""


@pytest.fixture
def folder(trained, tmp_path):
    write_bundle("lstm-aam", tmp_path / "bundle")
    (tmp_path / "a.wav").write_bytes(encoded(speech(0.5)))
    return tmp_path


@pytest.mark.parametrize(
    "program",
    [COMMAND, "import ser; ser.load('bundle').predict('a.wav')"],
    ids=["ser predict", "ser.load"],
)
def test_a_bundle_answers_without_a_registry_or_what_trains(program, folder):
    found = modules_after(program, cwd=folder)
    assert "torch" in found
    assert found & (NEVER | OF_A_REGISTRY | {"transformers"}) == set()


def test_tables_of_a_project_are_read_without_a_registry(trained):
    program = "import ser; ser.read_folds(); ser.read_predictions('lstm-aam')"
    found = modules_after(program, cwd=trained)
    assert "pandas" in found
    assert found & (NEVER | OF_A_REGISTRY | {"transformers"}) == set()


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
