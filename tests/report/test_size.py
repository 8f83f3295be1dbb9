"""The page of the default preset stays below 3 MB: what one of everything takes, times how many."""

import numpy as np
import pandas as pd
import pytest
import yaml

from ser import lineage
from ser.evaluation import calibration
from ser.evaluation.mistakes import NUM_SHOWN, Mistake, SurestMistakes
from ser.figures import calibration as reliability
from ser.figures import embeddings, heat_map, intervals, learning_curves, style
from ser.figures.embeddings import Embeddings
from ser.report import html, mistakes
from ser.report import page as pages
from tests import synthetic
from tests.evaluation.support import cell
from tests.report.support import BASELINES, make_report

LIMIT = 3_000_000
NUM_FOLDS, NUM_PER_FOLD, NUM_EPOCHS = 5, 68, 40
LOSSES = ("cross_entropy", "label_smoothing", "focal", "aam", "ccc")
FOOTER = "corpus emodb (real speech), protocol session"


@pytest.fixture(scope="module")
def preset(project):
    return yaml.safe_load((project / "configs" / "emodb.yaml").read_text("utf-8"))


def size(figure, folder):
    return len(html.image(style.save(figure, folder / "figure")))


def curves():
    """Five folds that learn with some noise."""
    rng = np.random.default_rng(0)
    epochs = np.tile(np.arange(1, NUM_EPOCHS + 1), NUM_FOLDS)
    falls = 1.4 * np.exp(-epochs / 9) + rng.normal(0, 0.03, len(epochs)) + 0.1
    return pd.DataFrame(
        {
            "fold": np.repeat(np.arange(1, NUM_FOLDS + 1), NUM_EPOCHS), "seed": 0,
            "epoch": epochs, "train/loss": falls, "dev/loss": falls * 1.2,
            "dev/uar": np.clip(1 - falls / 2, 0, 1),
        }
    )  # fmt: skip


def one_calibration():
    scaled, _ = calibration.calibrate(cell(num_seeds=1, num_folds=5, per_fold=NUM_PER_FOLD)[0])
    bins = calibration.reliability_bins(scaled)
    curve = calibration.abstention_curve(scaled)
    return reliability.reliability(bins, bins, curve, title="calibration", footer=FOOTER)


def one_embedding(monkeypatch):
    """One column per loss; where the points lie is of no matter here."""
    rng = np.random.default_rng(1)
    anywhere = rng.normal(size=(NUM_PER_FOLD, 2))
    monkeypatch.setattr(embeddings, "plane", lambda *_, **__: (anywhere, False))
    given = Embeddings(np.zeros((NUM_PER_FOLD, 2), np.float32), np.arange(NUM_PER_FOLD) % 4)
    emotions = ("angry", "happy", "neutral", "sad")
    found = dict.fromkeys(LOSSES, given)
    return embeddings.embedding_maps(found, emotions, title="embeddings", footer=FOOTER)


def grid_of(models):
    rng = np.random.default_rng(2)
    rows = [(model, loss, *np.sort(rng.random(3))) for model in models for loss in LOSSES]
    table = pd.DataFrame(rows, columns=["model", "loss", "uar_low", "uar", "uar_high"])
    return table.assign(tied_with_best=False)


def sounds(project):
    """The size of some recordings that ship, from all speakers, as the page holds them."""
    folder = project / "data" / "shipped" / "emodb"
    paths = sorted(folder.rglob("*.flac"))[:: 535 // NUM_SHOWN][:NUM_SHOWN]
    recordings = [
        synthetic.utterance(
            path.stem, audio=str(path.relative_to(folder)), sha256=lineage.sha256_file(path)
        )
        for path in paths
    ]
    made = tuple(Mistake(utterance, "sad", "angry", 0.9, 0.1) for utterance in recordings)
    found = SurestMistakes(made, NUM_SHOWN, 339, 1)
    return sum(len(one.sound) for one in mistakes.section("cell", found, folder).heard)


def text_of_cells(tmp_path):
    """The page without pictures, and what a cell adds to it."""
    made = make_report(tmp_path)
    page = pages.render(made)
    picture = f'src="{html.image(tmp_path / "figure.png")}"'
    without = page.replace(picture, "")
    start, end = without.index('<h3 id="lstm-'), without.rindex('<h3 id="lstm-')
    return len(without), end - start


def test_the_page_of_the_default_preset_is_below_its_limit(tmp_path, project, preset, monkeypatch):
    cells = list(preset["cells"].values())
    models = list(dict.fromkeys(one["model"] for one in cells))
    grid = grid_of(models)
    one_heat_map = heat_map.heat_map(
        grid, models=models, losses=LOSSES, origins=dict.fromkeys(models, "random weights"),
        chance=0.25, title="grid", footer=FOOTER,
    )  # fmt: skip
    overview = intervals.grid_intervals(grid, BASELINES, chance=0.25, title="g", footer=FOOTER)
    text, of_cell = text_of_cells(tmp_path)
    parts = {
        "curves": len(cells)
        * size(learning_curves.learning_curves(curves(), title="c", footer=FOOTER), tmp_path),
        "calibration": len(models) * size(one_calibration(), tmp_path),
        "embeddings": len(models) * size(one_embedding(monkeypatch), tmp_path),
        "heat map": size(one_heat_map, tmp_path),
        "grid": size(overview, tmp_path),
        "sounds": sounds(project),
        "text": text + len(cells) * of_cell,
    }
    # Ranks, layers, noise and stability are four more of the size of the overview.
    total = sum(parts.values()) + 4 * parts["grid"]
    assert total < LIMIT, parts
    assert total > LIMIT / 4, parts  # nothing was forgotten
