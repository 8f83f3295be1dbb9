"""Another preset's cell under each of what a cell belongs to."""

import pytest

from ser.errors import FileError, LineageError
from ser.project import Project
from ser.workflow.current_cell import require_cell
from tests import synthetic
from tests.workflow.support import SECTIONS, now, write_cell

CELL = "lstm-focal"


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.data.mkdir()
    made.manifest.write_text("a manifest\n")
    made.splits.write_text("a split\n")
    synthetic.card().write(made.corpus_card)
    return made


@pytest.fixture
def cell(project):
    return write_cell(project.run(CELL), project)


def test_a_cell_of_data_params_and_source_is_let_through(project, cell):
    assert require_cell(project, cell, now()).cell.spec.name == CELL


@pytest.mark.parametrize("name", ["manifest", "splits"])
def test_a_cell_of_other_data_is_refused(project, cell, name):
    getattr(project, name).write_text("another\n")
    with pytest.raises(LineageError, match=r"lstm-focal: .*another (manifest|split) .*of emodb"):
        require_cell(project, cell, now())
    getattr(project, name).unlink()
    with pytest.raises(FileError, match="no such file; `dvc repro`"):
        require_cell(project, cell, now())


@pytest.mark.parametrize(
    ("section", "entry", "said"),
    [
        ("models", {"lstm": {"hidden_size": 16}}, r"model\.hidden_size was 64, is 16"),
        ("losses", {"focal": {"gamma": 3.0}}, r"loss\.gamma was 2\.0, is 3\.0"),
        ("recipes", {"lstm": {"num_epochs": 3}}, r"recipe\.num_epochs was \d+, is 3"),
        ("features", {"mfcc": {"hop_ms": 20.0}}, r"feature\.hop_ms was 10\.0, is 20\.0"),
        ("training", {"seeds": [7, 8]}, r"training\.seeds was .*, is 7, 8"),
        (
            "tuning",
            {"cells": {CELL: SECTIONS["cells"][CELL]}},
            "it was not tuned, and is to be tuned",
        ),
    ],
)
def test_a_cell_of_other_settings_is_refused_with_what_differs(project, cell, section, entry, said):
    with pytest.raises(LineageError, match=rf"{said}; run `dvc repro`"):
        require_cell(project, cell, now(**{section: entry}))


def test_a_cell_that_params_yaml_does_not_name_is_refused(project, cell):
    other = {"lstm-cross_entropy": SECTIONS["cells"]["lstm-cross_entropy"]}
    with pytest.raises(LineageError, match="has no cell lstm-focal; there are: lstm-cross_entropy"):
        require_cell(project, cell, now(cells=other))


def test_a_cell_of_other_source_is_refused(project, cell):
    (project.root / "ser" / "training.py").write_text("another = True\n")
    with pytest.raises(LineageError, match=r"ser/training\.py has changed since it was trained"):
        require_cell(project, cell, now())


def test_values_that_each_fold_has_of_its_own_are_no_difference(project):
    said = now(tuning={"cells": {CELL: SECTIONS["cells"][CELL]}})
    cell = write_cell(project.run(CELL), project, said=said, **{"ser.tuned": "true"})
    text = cell.record.read_text()
    assert '"gamma": 2.0' in text
    cell.record.write_text(text.replace('"gamma": 2.0', '"gamma": "tuned"'))
    require_cell(project, cell, said)
    with pytest.raises(LineageError, match="it was tuned, and is to be not tuned"):
        require_cell(project, cell, now())
    require_cell(project, write_cell(project.run(CELL), project), said, variant="untuned")


def test_a_precision_that_was_left_to_the_machine_is_no_difference(project):
    """Another machine would have taken another one, and has the cell from DVC's cache."""
    cell = write_cell(project.run(CELL), project)
    text = cell.record.read_text()
    assert '"precision": "float32"' in text
    cell.record.write_text(text.replace('"precision": "float32"', '"precision": "bfloat16"'))
    require_cell(project, cell, now(training={"precision": "auto"}))
    with pytest.raises(LineageError, match=r"training\.precision was bfloat16, is float32"):
        require_cell(project, cell, now())
