import json

import pytest

from ser.errors import FileError, LineageError
from ser.evaluation import grid_table
from ser.lineage import sha256_file
from ser.params import parse
from ser.project import Project
from ser.workflow import current
from ser.workflow.current import DataParams
from tests import synthetic
from tests.evaluation.support import grid
from tests.workflow.support import now, write_cell

CORPUS = {"name": "emodb"}


def params(corpus=CORPUS, split=None):
    return parse({"corpus": corpus, "split": split or {}}, DataParams, where="params.yaml")


def scored(project, name, *, uar):
    """A cell of `now()`, trained and scored."""
    folder = write_cell(project.run(name), project)
    folder.metrics.write_text(json.dumps({"uar": {"mean": uar}}))
    return folder


@pytest.fixture
def project(tmp_path):
    """Data, two cells and their comparison, all of `params()`."""
    made = Project(tmp_path)
    made.data.mkdir()
    made.manifest.write_text("a manifest\n")
    made.splits.write_text("a split\n")
    synthetic.card(name="emodb", params=params().corpus.model_dump(mode="json")).write(
        made.corpus_card
    )
    digests = {
        "manifest_sha256": sha256_file(made.manifest),
        "split_sha256": sha256_file(made.splits),
    }
    synthetic.split_report(**digests).write(made.split_report)
    grid_table.write(made, grid())
    for row in grid().to_dict("records"):
        scored(made, f"{row['model']}-{row['loss']}", uar=row["uar"])
    return made


def test_data_and_results_of_the_params_are_let_through(project):
    current.require_data(project, params())
    current.require_reports(project, now())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"corpus": {"name": "csv"}}, "corpus.name was emodb, is csv"),
        (
            {"corpus": {**CORPUS, "emotions": ["angry", "sad"]}},
            "corpus.emotions was angry, happy, neutral, sad, is angry, sad",
        ),
        ({"split": {"protocol": "speaker"}}, "split.protocol was session, is speaker"),
    ],
)
def test_data_of_other_params_are_refused_with_what_differs_and_the_cure(project, changed, said):
    with pytest.raises(LineageError) as refused:
        current.require_data(project, params(**changed))
    assert said in str(refused.value)
    assert "run `dvc repro`" in str(refused.value)


def test_a_card_from_before_a_setting_was_there_counts_with_its_default(project):
    synthetic.card(name="emodb", params={"name": "emodb"}).write(project.corpus_card)
    current.require_data(project, params())


@pytest.mark.parametrize("name", ["manifest", "splits"])
def test_a_split_of_another_manifest_is_refused(project, name):
    path = getattr(project, name)
    path.write_text("another\n")
    with pytest.raises(LineageError, match=r"speaks of another (manifest|split)"):
        current.require_data(project, params())
    path.unlink()
    with pytest.raises(FileError, match="no such file; `dvc repro`"):
        current.require_data(project, params())


def test_a_comparison_of_other_scores_is_refused(project):
    cell = project.run("lstm-focal")
    cell.metrics.write_text(json.dumps({"uar": {"mean": 0.123}}))
    with pytest.raises(LineageError, match=r"for lstm-focal, .* of 0\.123000"):
        current.require_reports(project, now())
    cell.record.unlink()
    with pytest.raises(FileError, match=r"run\.json: no such file"):
        current.require_reports(project, now())


def test_a_comparison_of_other_cells_than_those_of_params_yaml_is_refused(project):
    one = {"lstm-focal": {"model": "lstm", "loss": "focal", "feature": "mfcc"}}
    with pytest.raises(LineageError, match=r"one of the two alone: lstm-cross_entropy; run `dvc"):
        current.require_reports(project, now(cells=one))


def test_a_comparison_of_cells_with_other_settings_is_refused(project):
    with pytest.raises(
        LineageError, match=r"lstm-focal: .* loss\.gamma was 2\.0, is 3\.0; run `dvc"
    ):
        current.require_reports(project, now(losses={"cross_entropy": {}, "focal": {"gamma": 3.0}}))
