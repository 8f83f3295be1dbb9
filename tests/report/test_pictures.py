import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

from ser import predictions
from ser.contracts import RunSpec
from ser.engine.local import LocalEngine
from ser.errors import FileError, SerError
from ser.project import Project
from ser.report import pictures
from ser.tracking import cells as records
from ser.tracking.cells import CellRecord, RunRecord
from ser.training.saved_fold import FoldFacts
from tests import synthetic
from tests.evaluation.support import cell, gathered
from tests.report.support import BASELINES

CARD = synthetic.card()
SPLIT = synthetic.split_report()
FOOT = "corpus demo (SYNTHETIC speech), protocol session"


def write_record(folder, **params):
    run = RunRecord(RunSpec(folder.folder.name, "key", {}, params))
    records.write(folder, CellRecord("ser/demo/session", "note", {}, run, ()))


@pytest.fixture
def cells(tmp_path):
    """Folders of two cells; one has a cosine head and learns layer weights."""
    folders = {}
    for number, loss in enumerate(("cross_entropy", "aam")):
        folder = Project(tmp_path).run(f"lstm-{loss}")
        for fold in (1, 2):
            run = folder.fold(fold, seed=0)
            run.folder.mkdir(parents=True)
            rng = np.random.default_rng(number)
            arrays = {
                "embeddings": rng.normal(size=(40, 8)).astype(np.float32),
                "labels": np.arange(40) % 4,
            }
            if loss == "aam":
                arrays["prototypes"] = rng.normal(size=(4, 8)).astype(np.float32)
            save_file(arrays, run.embeddings)
            weights = [0.5, 0.5] if loss == "aam" else None
            facts = FoldFacts(1, 0.5, 8, "from scratch", weights)
            run.facts.write_text(json.dumps(asdict(facts)))
        predictions.write(folder.predictions, cell(seed=number)[0])
        write_record(folder)
        folders["lstm", loss] = folder
    return folders


def drawn_from(cells, grid, found, tmp_path):
    """Return all figures as named pairs of what they show and their files."""
    folder = tmp_path / "figures"
    models = pictures.of_models(folder, cells, grid, CARD, SPLIT)
    pictures.run(models.drawings, LocalEngine(1))
    figures = pictures.draw(folder, cells, grid, BASELINES, found, CARD, SPLIT)
    return SimpleNamespace(
        figures=figures, calibration=models.calibration, embeddings=models.embeddings
    )


def refuse():
    raise FileError("history.csv: a column is missing")


def test_a_drawing_that_fails_says_why():
    with pytest.raises(SerError, match=r"^history\.csv: a column is missing$"):
        pictures.run([refuse], LocalEngine(1))


def test_all_figures_are_drawn_as_png_and_svg(cells, tmp_path):
    found, grid, _ = gathered(losses=("cross_entropy", "aam"), models=("lstm",))
    drawn = drawn_from(cells, grid, found, tmp_path)
    best = f"lstm-{grid['loss'][0]}"
    assert set(drawn.figures) == {"heat_map", "grid", "layers"}  # two losses have no ranking
    assert set(drawn.calibration) == {best}
    assert set(drawn.embeddings) == {"lstm"}
    for group in vars(drawn).values():
        for path in group.values():
            assert path.suffix == ".png"
            assert path.stat().st_size > 0
            assert path.with_suffix(".svg").read_text(encoding="utf-8").count("SYNTHETIC") == 1


def test_the_heat_map_names_a_transductive_model_so(cells, tmp_path):
    found, grid, _ = gathered(losses=("cross_entropy", "aam"), models=("lstm",))
    for folder in cells.values():
        write_record(folder, recipe={"normalisation": "speaker"})
    drawn = drawn_from(cells, grid, found, tmp_path)
    assert "transductive" in drawn.figures["heat_map"].with_suffix(".svg").read_text("utf-8")
    for group in vars(drawn).values():
        for path in group.values():
            assert f"{FOOT}, TRANSDUCTIVE" in path.with_suffix(".svg").read_text("utf-8"), path


def test_layer_weights_are_those_of_the_cells_that_learn_them(cells):
    assert pictures.layer_weights(cells) == {"lstm-aam": [[0.5, 0.5], [0.5, 0.5]]}
    assert pictures.draw_layer_weights(cells["lstm", "aam"].folder, {}, footer=FOOT) == {}


def test_ranks_are_drawn_where_there_is_a_ranking(tmp_path):
    found, _, _ = gathered(models=("lstm",))
    assert set(pictures.draw_ranks(tmp_path, found.ranking, footer=FOOT)) == {"ranks"}
    assert pictures.draw_ranks(tmp_path, None, footer=FOOT) == {}
