"""One model several times in params.yaml: from the recordings to a table, a version and an answer.

`whisper` is frozen as a whole, `whisper__tuned` trains its upper layer and reads a feature of its
own, `whisper__stats` reads the feature of `whisper` and learns by a second focal loss.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from pipelines import (
    baselines,
    code,
    compare,
    extract,
    gain,
    prepare,
    robustness,
    score,
    split,
    train,
    tune,
    weights,
)
from ser.components import component_of
from ser.params import read
from ser.project import Project
from ser.registry import versions
from ser.serving import audio_input
from ser.serving.audio_input import InputLimits
from ser.serving.predictor import Predictor
from ser.tracking import cells
from ser.workflow import commands
from ser.workflow.preset import Preset
from tests import recordings, trained_project
from tests.promotion.support import NAME, version_of
from tests.serving.support import assert_same_logits, tracked_by, write_bundle
from tests.serving.support import recordings as wavs
from tests.tracking.support import copy_database

pytestmark = pytest.mark.stage

TUNED, STATS = "whisper__tuned-focal", "whisper__stats-focal__hard"
CELLS = ("whisper-focal", TUNED, STATS)
PARAMS = """
launcher: python -m
synthetic_corpora: []
synthetic_weights:
  whisper: {architecture: whisper, hidden_size: 16, num_layers: 2}
corpus: {name: csv, synthetic: true, max_rejected: 0}
split: {protocol: session}
audio: {sampling_rate: 16000}
features:
  mfcc: {hop_ms: 40.0}
  whisper: {checkpoint: data/weights/whisper, freeze: all}
  whisper__lower: {checkpoint: data/weights/whisper, freeze: 1}
models:
  whisper: {embedding_dim: 8}
  whisper__tuned: {embedding_dim: 8, hidden_dropout: 0.0}
  whisper__stats: {embedding_dim: 8, pooling: stats}
losses:
  focal: {gamma: 2.0}
  focal__hard: {gamma: 4.0}
recipes:
  whisper: {num_epochs: 1, batch_size: 8}
  whisper__tuned: {num_epochs: 1, batch_size: 8, learning_rate: 0.0001}
  whisper__stats: {num_epochs: 1, batch_size: 8}
training: {seeds: [0], device: cpu}
extracted:
  {mfcc: {weights: none}, whisper: {weights: whisper}, whisper__lower: {weights: whisper}}
baselines: {feature: mfcc, functionals: []}
cells:
  whisper-focal: {model: whisper, loss: focal, feature: whisper}
  whisper__tuned-focal: {model: whisper__tuned, loss: focal, feature: whisper__lower}
  whisper__stats-focal__hard: {model: whisper__stats, loss: focal__hard, feature: whisper}
tuning:
  num_trials: 1
  num_workers: 1
  cells: {whisper__stats-focal__hard: {model: whisper__stats, loss: focal__hard, feature: whisper}}
robustness: {without_copies: {}}
cross_corpus: {corpora: {}, cells: {}}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory, project, template_database):
    """The project after its stages; every test leaves it as it is."""
    root = tmp_path_factory.mktemp("entries")
    with pytest.MonkeyPatch.context() as patch:
        trained_project.enter(root, patch)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(project / "ser", root / "ser", ignore=ignored)
        copy_database(template_database, Path("mlruns/mlflow.db"))
        Path("params.yaml").write_text(PARAMS, encoding="utf-8")
        recordings.write_corpus(root / "data" / "raw" / "csv", per_emotion=2)
        preset = read(Path("params.yaml"), Preset)
        for stage, words in (
            *((code, []), (weights, ["whisper"]), (prepare, []), (split, [])),
            *((stage, [feature]) for feature in preset.extracted for stage in (extract, tune)),
            *((train, commands.train(preset, cell)[3:]) for cell in preset.cells),
            *((train, [cell, "--variant", "untuned"]) for cell in preset.tuning.cells),
            *((stage, []) for stage in (score, gain, robustness, baselines, compare)),
        ):
            assert stage.main(words) == 0, (stage.__name__, words)
    return root


@pytest.fixture
def here(finished, monkeypatch):
    trained_project.enter(finished, monkeypatch)
    return Project()


def test_entries_of_one_model_are_rows_of_one_table_under_their_own_names(here):
    grid = pd.read_csv(here.grid)
    assert {*zip(grid["model"], grid["loss"], strict=True)} == {
        *(("whisper", "focal"), ("whisper__tuned", "focal"), ("whisper__stats", "focal__hard")),
    }
    assert grid["uar"].between(0, 1).all()
    page = here.page.read_text("utf-8")
    assert "whisper__tuned" in page
    assert "focal__hard" in page


def test_entries_that_read_one_feature_share_it(here):
    stored = sorted(path.name for path in Path("data/features").iterdir())
    assert stored == ["mfcc", "whisper", "whisper__lower"]
    digests = {
        name: cells.read(here.run(name)).cell.spec.tags["ser.features_sha256"] for name in CELLS
    }
    assert digests["whisper-focal"] == digests[STATS] != digests[TUNED]


def test_an_entry_is_trained_by_its_own_params(here):
    params = {name: cells.read(here.run(name)).cell.spec.params for name in CELLS}
    assert params[TUNED]["recipe"]["learning_rate"] == 0.0001
    assert params["whisper-focal"]["loss"]["gamma"] == 2.0
    assert (params[TUNED]["model"]["name"], params[TUNED]["feature"]["freeze"]) == (
        "whisper__tuned",
        1,
    )
    assert params[STATS]["model"]["pooling"] == "stats"
    assert params[STATS]["loss"]["name"] == "focal__hard"
    # What is trained: all layers weighted, or the one above the cut.
    names = {name: set(load_file(here.run(name).fold(1, 0).weights)) for name in CELLS}
    assert "body.scores" in names["whisper-focal"] & names[STATS]
    assert any(weight.startswith("body.suffix.") for weight in names[TUNED])


def test_what_was_tuned_for_an_entry_is_its_own(here):
    found = json.loads(here.tuned("whisper").read_text("utf-8"))
    assert found["whisper__stats"]["focal__hard"]
    assert all(fold["params"] for fold in found["whisper__stats"]["focal__hard"].values())
    assert not any(fold["params"] for fold in found["whisper"]["focal"].values())


def test_the_code_of_an_entry_is_that_of_its_component(here):
    sources = json.loads((here.run(TUNED).lineage).read_text("utf-8"))["sources"]
    assert "ser/models/speech_transformer.py" in sources
    assert "ser/losses/focal.py" in sources
    for family, entry in (("models", "whisper__tuned"), ("extractors", "whisper__lower")):
        own, component = (
            (here.all_code / family / f"{name}.json").read_bytes()
            for name in (entry, component_of(entry))
        )
        assert own == component


def test_an_entry_is_registered_under_its_own_name(here):
    version = version_of(TUNED)
    assert (version.tags["ser.cell"], version.name) == (TUNED, NAME)
    run = versions.open_registry(Path()).client.get_run(version.tags["ser.cell_run_id"])
    assert run.info.run_name == TUNED
    assert run.data.tags["ser.model"] == "whisper__tuned"
    assert run.data.tags["ser.feature"] == "whisper__lower"


@pytest.mark.parametrize("cell", [TUNED, STATS])
def test_a_bundle_of_an_entry_answers_as_it_did_in_training(cell, here, finished, tmp_path):
    folder, record = write_bundle(cell, tmp_path / "bundle")
    # The checkpoint is in the bundle: nothing of the project is read.
    hidden = Path("data/weights").rename("data/hidden")
    try:
        predictor = Predictor.load(folder)
    finally:
        hidden.rename("data/weights")
    frame, path_of = tracked_by(cell, record), wavs(finished)
    emotions = predictor.bundle.emotions
    answers = [
        predictor.predict(audio_input.from_path(path_of[id_], InputLimits()))
        for id_ in frame["utterance_id"]
    ]
    served = np.array([[answer.uncalibrated[name] for name in emotions] for answer in answers])
    assert_same_logits(served, frame[[f"probability_{name}" for name in emotions]].to_numpy())
