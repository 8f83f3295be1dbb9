"""What DVC shows of a finished comparison: a row of metrics and two plots per cell."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ser.evaluation import grid_table
from ser.project import Project
from ser.report import plots

pytestmark = pytest.mark.stage

ROOT = Path(__file__).parents[1]
CELLS = ("lstm-focal", "hubert-aam")
HISTORY = pd.DataFrame(
    {
        "fold": [1, 1],
        "seed": [0, 0],
        "epoch": [1, 2],
        "train/loss": [1.0, 0.5],
        "dev/loss": [1.0, 0.7],
        "dev/uar": [0.3, 0.4],
    }
)
DECISIONS = pd.DataFrame(
    {"part": ["test"] * 2, "truth": ["sad", "angry"], "prediction": ["sad", "sad"]}
)


@pytest.fixture
def project(tmp_path):
    """A checkout in which the comparison of two cells lies, as the stage writes it."""
    from dvc.repo import Repo

    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(ROOT / "configs" / "demo.yaml", tmp_path / "params.yaml")
    Repo.init(str(tmp_path), no_scm=True).close()
    found = Project(tmp_path)
    rows = [
        {"model": model, "loss": loss}
        | dict.fromkeys(grid_table.COLUMNS[2:], 0.5)
        | dict.fromkeys(grid_table.STANDING, 0.1)
        for model, loss in (name.split("-") for name in CELLS)
    ]
    grid_table.write(found, pd.DataFrame(rows))
    for name in CELLS:
        found.run(name).folder.mkdir(parents=True)
        HISTORY.to_csv(found.run(name).history, index=False)
    plots.write(found, {n: found.run(n) for n in CELLS}, dict.fromkeys(CELLS, DECISIONS))
    found.figures.mkdir()
    for name in ("grid", "heat_map", "ranks"):
        for kind in ("png", "svg"):
            (found.figures / f"{name}.{kind}").write_bytes(b"figure")
    return found


def dvc(project, *arguments):
    """Run DVC, in a process of its own; give what it says as JSON."""
    command = [sys.executable, "-m", "dvc", *arguments, "--json"]
    ended = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_metrics_have_a_row_per_cell_and_few_columns(project):
    files = dvc(project, "metrics", "show")[""]["data"]
    assert set(files) == {f"reports/metrics/{name}.json" for name in CELLS}
    for found in files.values():
        assert list(found["data"]) == ["uar", "uar_low", "uar_high", "wa", "macro_f1"]


def test_curves_and_decisions_are_plots_of_data_and_no_figure_is_there_twice(project):
    shown = dvc(project, "plots", "show")["data"]
    drawn = {name for name in shown if not name.endswith(".png")}
    assert drawn == {
        f"reports/plots/{kind}/{name}.csv" for kind in ("curves", "decisions") for name in CELLS
    }
    assert set(shown) - drawn == {"reports/figures/grid.png", "reports/figures/heat_map.png"}
    assert max(Counter(map(Path, shown)).values()) == 1
    (curve,) = shown[f"reports/plots/curves/{CELLS[0]}.csv"]
    (confusion,) = shown[f"reports/plots/decisions/{CELLS[0]}.csv"]
    assert curve["type"] == confusion["type"] == "vega"
