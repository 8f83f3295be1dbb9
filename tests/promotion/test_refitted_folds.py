"""A cell whose folds are refitted on train and dev, all the way to its gates."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipelines import score, train
from ser import predictions
from ser.evaluation import calibration
from ser.params import read
from ser.project import Project
from ser.promotion import measuring, registration, stand_ins
from ser.promotion.measuring import Workplace
from ser.registry import versions
from ser.workflow.preset import Preset
from tests import trained_project
from tests.promotion.support import FEW, NAME, SERVED_WITHIN, cell_of

pytestmark = pytest.mark.stage


@pytest.fixture
def refitted(trained, tmp_path, monkeypatch):
    """A copy of the small trained project in which one cell is refitted."""
    before = cell_of("lstm-aam").frame
    trained_project.enter(trained_project.copy(trained, tmp_path / "project"), monkeypatch)
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("training: {", "training: {refit: true, "))
    assert train.main(["lstm-aam", "--untuned"]) == 0
    assert score.main([]) == 0
    return before


def test_what_is_served_is_what_read_test_and_answers_as_the_fit_that_chose_did_on_dev(
    refitted, monkeypatch, warm
):
    monkeypatch.setattr(stand_ins, "of", lambda *_: iter(()))
    cell, params = cell_of("lstm-aam"), read(Path("params.yaml"), Preset)
    dev, test = (cell.frame[cell.frame["part"] == part] for part in ("dev", "test"))
    assert dev.reset_index(drop=True).equals(
        refitted[refitted["part"] == "dev"].reset_index(drop=True)
    )
    columns = [f"probability_{name}" for name in predictions.emotions_of(test)]
    then = refitted[refitted["part"] == "test"]
    assert not np.allclose(test[columns].to_numpy(), then[columns].to_numpy())
    packed = registration.pack_fold(cell, params, fold=None, seed=None)
    fold = packed.source.bundle.training.fold
    # Fitted before the refit, on what the fit that chose says of dev: nothing has changed.
    own = refitted[(refitted["part"] == "dev") & (refitted["fold"] == fold)]
    truth = predictions.label_ids(own["truth"], predictions.emotions_of(own))
    assert packed.source.bundle.answering.temperature == calibration.fit_temperature(
        truth=truth, probabilities=predictions.probabilities_of(own)
    )
    saved = Project().run("lstm-aam").fold(fold, 0)
    for name, weights in load_file(packed.source.weights).items():
        np.testing.assert_array_equal(weights, load_file(saved.weights)[name])
    done = registration.register(cell, packed, root=Path())
    registry = versions.open_registry(Path())
    version = registry.require(NAME, done.version)
    assert version.tags["ser.refit"] == "true"
    assert "refitted on its train and dev parts" in version.tags["ser.weights"]
    place = Workplace(registry, Path(), allow_synthetic=True)
    evidence = measuring.measure(version, None, place, FEW)
    assert evidence.served.difference < SERVED_WITHIN
    assert evidence.lineage_differences == ()
