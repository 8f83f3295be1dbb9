import pandas as pd

from ser.project import Project
from ser.report import plots

CELL = "lstm-focal"


def history(**scores):
    rows = {"fold": [1, 1, 2], "seed": [0, 0, 0], "epoch": [1, 2, 1]}
    return pd.DataFrame(
        {**rows, "train/loss": [1.0, 0.5, 2.0], "dev/loss": [1.0, 0.6, 3.0]}
    ).assign(**scores)


def test_a_curve_is_the_mean_of_the_folds_that_came_so_far():
    found = plots.curve(history(**{"dev/uar": [0.2, 0.5, 0.4]}))
    assert list(found.columns) == list(plots.CURVE_COLUMNS)
    assert found["epoch"].tolist() == [1, 2]
    assert found["train_loss"].tolist() == [1.5, 0.5]
    assert found["dev_score"].round(9).tolist() == [0.3, 0.5]


def test_a_cell_without_classes_has_curves_of_ccc_and_no_decisions():
    found = plots.curve(history(**{"dev/ccc": [0.1, 0.2, 0.3]}))
    assert found["dev_score"].round(9).tolist() == [0.2, 0.2]
    rated = pd.DataFrame({"part": ["test"], "valence": [3.0]})
    assert plots.decisions(rated).empty


def test_files_of_cells_that_are_gone_go_too(tmp_path):
    project = Project(tmp_path)
    cell = project.run(CELL)
    cell.folder.mkdir(parents=True)
    history(**{"dev/uar": [0.2, 0.5, 0.4]}).to_csv(cell.history, index=False)
    frame = pd.DataFrame(
        {
            "part": ["dev", "test", "test"],
            "truth": ["sad", "sad", "angry"],
            "prediction": ["sad", "angry", "angry"],
        }
    )
    plots.write(project, {"old-one": cell}, {"old-one": frame})
    plots.write(project, {CELL: cell}, {CELL: frame})
    (curves,), (decided,) = (project.for_dvc(n).iterdir() for n in ("curves", "decisions"))
    assert curves.name == decided.name == f"{CELL}.csv"
    assert pd.read_csv(decided).to_dict("list") == {
        "truth": ["sad", "angry"],
        "prediction": ["angry", "angry"],
    }
