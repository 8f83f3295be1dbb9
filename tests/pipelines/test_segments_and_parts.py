"""From a table of segments with official parts, classes of its own and no gender to the report."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipelines import (
    baselines,
    compare,
    extract,
    gain,
    prepare,
    robustness,
    score,
    split,
    train,
    tune,
)
from ser.data import manifest
from ser.emotion import EMOTIONS
from ser.features.store import FeatureStore
from ser.project import Project
from tests.recordings import SAMPLING_RATE, tone
from tests.tracking.support import copy_database

pytestmark = pytest.mark.stage

#: What sounds like an emotion -> the class that the corpus calls it.
CLASSES = dict(zip(EMOTIONS, ("contempt", "happy", "neutral", "relaxed"), strict=True))
PARTS = {"Train": (1, 2, 3, 4), "Development": (5, 6), "Test1": (7, 8), "Test2": (9,)}
#: One of them hears the segments of others.
COPIES = ("clean", "noise_20db", "babble_10db")
PARAMS = """
corpus:
  name: csv
  title: calls
  synthetic: true
  redistributable: true
  columns: {part: Split_Set}
  emotions: [contempt, relaxed, neutral, happy]
split:
  protocol: file
  part_map: {Test1: test, Test2: null}
audio: {sampling_rate: 16000}
features: {mfcc: {hop_ms: 20.0, copies: [clean, noise_20db]}}
models: {lstm: {hidden_size: 8, num_layers: 1, embedding_dim: 8}}
losses: {cross_entropy: {}}
recipes: {lstm: {num_epochs: 2, batch_size: 8}}
training: {seeds: [0, 1], device: cpu}
extracted: {mfcc: {weights: none}}
baselines: {feature: mfcc, functionals: []}
cells: {lstm-cross_entropy: {model: lstm, loss: cross_entropy, feature: mfcc}}
tuning: {cells: {}}
robustness: {without_copies: {}}
launcher: python -m
synthetic_corpora: []
synthetic_weights: {}
"""


def write_calls(root, *, cut):
    """Two calls per part, each of all its speakers in turn; or a file per utterance."""
    root.mkdir(parents=True)
    rows = []
    for part, speakers in PARTS.items():
        for call in (0, 1):
            pieces, start = [np.zeros(SAMPLING_RATE // 4, np.int16)], 0.25
            for speaker in speakers:
                for emotion in EMOTIONS:
                    sound = np.int16(2**15 * tone(emotion, speaker, call))
                    end = start + len(sound) / SAMPLING_RATE
                    id_ = f"{part}_{call}_{speaker}_{emotion}"
                    said = (f"s{speaker}", CLASSES[emotion], part)
                    if cut:
                        soundfile.write(root / f"{id_}.wav", sound, SAMPLING_RATE)
                        rows.append((id_, f"{id_}.wav", "", "", *said))
                    else:
                        rows.append((id_, f"{part}_{call}.flac", start, end, *said))
                    pieces += [sound, np.zeros(SAMPLING_RATE // 8, np.int16)]
                    start = end + 0.125
            if not cut:
                soundfile.write(root / f"{part}_{call}.flac", np.concatenate(pieces), SAMPLING_RATE)
    with (root / "utterances.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "start", "end", "speaker", "label", "Split_Set"])
        writer.writerows(rows)


@pytest.fixture
def calls(tmp_path, project, monkeypatch):
    """Makes a workspace with the corpus, and makes it the working directory."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def make(name, *, cut=False):
        root = tmp_path / name
        write_calls(root / "data" / "raw" / "csv", cut=cut)
        (root / "params.yaml").write_text(PARAMS)
        (root / "ser").symlink_to(project / "ser")
        monkeypatch.chdir(root)
        return root

    return make


def run(stage, *words):
    assert stage.main(list(words)) == 0


def test_a_table_of_segments_with_official_parts_goes_all_the_way_to_the_report(
    calls, template_database
):
    root = calls("whole")
    copy_database(template_database, root / "mlruns" / "mlflow.db")
    for stage, words in (
        (prepare, []), (split, []), (extract, ["mfcc"]), (tune, ["mfcc"]),
        (train, ["lstm-cross_entropy"]), (score, []), (baselines, []), (gain, []),
        (robustness, []), (compare, []),
    ):  # fmt: skip
        run(stage, *words)
    project = Project(root)
    report = json.loads(project.split_report.read_text())
    (fold,) = report["folds"]
    assert fold["num_utterances"] == {"train": 32, "dev": 16, "test": 16}
    assert fold["left_out"] == {"no part": 8}
    assert (report["num_untested"], report["speaker_independent"]) == (56, True)
    grid = pd.read_csv(project.grid)
    assert grid[["num_folds", "num_seeds"]].to_numpy().tolist() == [[1, 2]]
    page = project.page.read_text()
    assert "no part 8" in page
    assert "56 of 72 utterances are tested by no fold" in page
    assert "The corpus does not say the gender, so there is no such slice." in page
    predictions = pd.read_parquet(project.run("lstm-cross_entropy").predictions)
    tested = predictions.loc[predictions["part"] == "test", "utterance_id"]
    assert set(tested.str.split("_").str[0]) == {"Test1"}
    classes = [name for name in predictions if name.startswith("probability_")]
    # Those of the four come first, in their order; then the others as they are declared.
    assert classes == [f"probability_{c}" for c in ("happy", "neutral", "contempt", "relaxed")]


def test_features_of_segments_are_those_of_the_same_sounds_in_files_of_their_own(calls):
    frames = {}
    for name, cut in (("whole", False), ("cut", True)):
        root = calls(name, cut=cut)
        params = PARAMS.replace("copies: [clean, noise_20db]", f"copies: {list(COPIES)}")
        (root / "params.yaml").write_text(params)
        run(prepare)
        run(extract, "mfcc")
        store = FeatureStore(Project(root).features("mfcc"))
        frames[name] = {
            (copy, utterance.id): np.asarray(store.of_copy(copy)[utterance.id])
            for copy in COPIES
            for utterance in manifest.read(Project(root).manifest)
        }
    assert len(frames["whole"]) == 216
    assert frames["whole"].keys() == frames["cut"].keys()
    for key, found in frames["whole"].items():
        np.testing.assert_array_equal(found, frames["cut"][key])
