"""Whatever labels, speakers, sentences and files are called, the whole pipeline runs to its end."""

import csv
import os
import subprocess
import unicodedata

import pandas as pd
import pytest
import soundfile
import yaml

from benchmarks.kills.project import make
from ser.emotion import EMOTIONS
from ser.tracking import store
from tests.recordings import SAMPLING_RATE, tone
from tests.tracking.support import copy_database

pytestmark = pytest.mark.stage

#: What MLflow's keys, CSV, YAML, HTML, LaTeX, a spreadsheet or a file system could trip over.
ODD = "a(b),c+d'e@f#g"
LABELS = dict(zip((ODD, "fröhlich", "=1+1 <b>", "$x_1^2$ %s {0}"), EMOTIONS, strict=True))
SPEAKERS = {
    ODD: "female",
    "Jörg": "male",
    'Ann "A." & <i>B</i>': "female",
    "-3 dB; 日本 💥": "male",
    "none": "female",
    "007": "male",
}
CELL = "lstm-cross_entropy"
PARAMS = {
    "launcher": "python -m",
    "synthetic_corpora": [],
    "synthetic_weights": {},
    "corpus": {
        "name": "csv",
        "synthetic": True,
        "num_sessions": 3,
        "label_map": LABELS,
        "genders": SPEAKERS,
    },
    "split": {"protocol": "session"},
    "audio": {"sampling_rate": SAMPLING_RATE},
    "features": {"mfcc": {"hop_ms": 20.0}},
    "models": {"lstm": {"hidden_size": 8, "num_layers": 1, "embedding_dim": 8}},
    "losses": {"cross_entropy": {}},
    "recipes": {"lstm": {"num_epochs": 1, "batch_size": 16}},
    "training": {"seeds": [0], "device": "cpu", "num_threads": 1},
    "extracted": {"mfcc": {"weights": "none"}},
    "baselines": {"feature": "mfcc"},
    "cells": {CELL: {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}},
    "tuning": {"num_trials": 0, "cells": {}},
    "robustness": {"without_copies": {}},
    "cross_corpus": {"corpora": {}, "cells": {}},
}


def decomposed(text):
    return unicodedata.normalize("NFD", text)


def write_corpus(root):
    """A recording of every speaker and label; disk and table spell umlauts differently."""
    root.mkdir(parents=True)
    with (root / "utterances.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", "speaker", "text"))
        for number, speaker in enumerate(SPEAKERS):
            for label, emotion in LABELS.items():
                name = f"{number} ü {ODD} {emotion}.wav"
                samples = tone(emotion, number, 0)
                soundfile.write(root / decomposed(name), samples, SAMPLING_RATE)
                said = decomposed(speaker) if number % 2 else speaker
                rows.writerow((name, decomposed(label), said, f"{ODD} größer, {label}"))


@pytest.fixture(scope="module")
def root(tmp_path_factory, python, template_database):
    """The project after `dvc repro`."""
    folder = tmp_path_factory.mktemp("odd")
    root = folder / "project"
    root.mkdir()
    make(root)
    write_corpus(root / "data" / "raw" / "csv")
    copy_database(template_database, root / "mlruns" / "mlflow.db")
    text = yaml.safe_dump(PARAMS, sort_keys=False, allow_unicode=True)
    (root / "params.yaml").write_text(text, encoding="utf-8")
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TR", "DVC_"))}
    environment = {
        **outside,
        "PATH": os.pathsep.join([str(python.executable.parent), os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "true",
        "DVC_SITE_CACHE_DIR": str(folder / "site-cache"),
        "GIT_CEILING_DIRECTORIES": str(folder),
    }
    command = [python.executable, "-m", "dvc", "repro"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root


def test_every_run_is_recorded_to_its_end_with_the_names_as_values(root):
    client = store.connect(f"sqlite:///{root / 'mlruns' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("ser/csv/session")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED"}
    names = [f"{CELL}/fold-{fold}/seed-0" for fold in (1, 2, 3)]
    assert sorted(run.info.run_name for run in runs) == [CELL, *names]
    for run in runs:
        assert yaml.safe_load(run.data.params["corpus.label_map"]) == LABELS
        assert run.data.params["corpus.genders"].count("Jörg") == 1


def test_every_name_is_in_the_tables_once_however_it_was_spelt(root):
    slices = pd.read_csv(root / "reports" / "slices.csv", dtype=str, keep_default_na=False)
    speakers = slices.loc[slices["slice"] == "speaker", "value"]
    assert {name.removeprefix("'") for name in speakers} == set(SPEAKERS)
    tested = pd.read_parquet(root / "runs" / CELL / "predictions.parquet")
    assert tested.loc[tested["part"] == "test", "utterance_id"].nunique() == 24
    page = (root / "reports" / "index.html").read_text(encoding="utf-8")
    assert "<i>B</i>" not in page
