"""The way of a handful of recordings, from wav files to the report, in one test process."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from pipelines import baselines, compare, extract, prepare, robustness, split, train
from ser.batch import FeatureSpec
from ser.data import audio, manifest
from ser.emotion import EMOTIONS
from ser.evaluation import scored_cell, tuning_gain
from ser.features.dataset import Statistics
from ser.features.extractors import mfcc
from ser.grid import inputs, tuned
from ser.grid.cell import CellRunner
from ser.losses import cross_entropy
from ser.params import read
from ser.project import Project
from ser.tracking import mlflow_tracker
from ser.tracking.memory_tracker import MemoryExperiment
from ser.training import plan as plans
from tests.recordings import PARAMS, SAMPLING_RATE, write_corpus
from tests.rounding import FORMULA

pytestmark = [pytest.mark.stage, pytest.mark.numeric]

CELL = "lstm-cross_entropy"


@pytest.fixture(scope="module")
def walked(tmp_path_factory, project):
    """Root of a workspace where everything has run, the tracker, the plan, the scores."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("line")
        patch.chdir(root)
        patch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
        (root / "ser").symlink_to(project / "ser")
        (root / "params.yaml").write_text(f"{PARAMS}baselines: {{}}\n")
        write_corpus(root / "data" / "raw" / "csv")
        for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
            assert stage.main(words) == 0
        experiment = MemoryExperiment()
        plan, scores = train_cell(root, experiment)
        assert baselines.main([]) == 0
        tuned.write(root / "data" / "tuned" / "mfcc.json", {})
        tuning_gain.table([], {}).to_csv(root / "reports" / "tuning.csv", index=False)

        assert robustness.main([]) == 0

        def opened(name, **_):
            return MemoryExperiment() if name.endswith("/report") else experiment

        patch.setattr(mlflow_tracker, "open_experiment", opened)
        assert compare.main([]) == 0
        yield root, experiment, plan, scores


def train_cell(root, experiment):
    params = read(root / "params.yaml", train.Params)
    feature_params = mfcc.Params(hop_ms=20.0).model_dump(mode="json")
    loaded = inputs.load(Project(root), "mfcc", feature_params=feature_params)
    plan = params.plan("lstm", "cross_entropy", emotions=loaded.emotions, where="params.yaml")
    project = Project(root)
    CellRunner(plan, loaded, experiment, project, Accelerator(cpu=True)).run()
    trained, scored = project.trained(CELL), project.run(CELL)
    open_ = partial(lambda found, *_, **__: found, experiment)
    return plan, scored_cell.publish(trained, scored, loaded.speaker_of, open_)


def test_every_recording_is_tested_once_and_scored(walked):
    root, _, _, scores = walked
    utterances = manifest.read(root / "data" / "manifest.jsonl")
    frame = pd.read_parquet(root / "runs" / CELL / "predictions.parquet")
    test = frame[frame["part"] == "test"]
    assert sorted(test["utterance_id"]) == [u.id for u in utterances]
    emotion_of = {u.id: u.emotion for u in utterances}
    assert (test["utterance_id"].map(emotion_of) == test["truth"]).all()
    recalls = [(rows["prediction"] == emotion).mean() for emotion, rows in test.groupby("truth")]
    assert scores.scores["uar"] == pytest.approx(np.mean(recalls))


def test_the_same_scores_reach_the_tracker_the_table_and_the_page(walked):
    root, experiment, _, scores = walked
    uar = scores.scores["uar"]
    (parent,) = (run for run in experiment.runs.values() if run.parent_key is None)
    assert parent.metrics["test/uar"] == [(0, uar)]
    grid = pd.read_csv(root / "reports" / "grid.csv")
    assert grid["uar"].iloc[0] == pytest.approx(uar, abs=1e-6)
    content = json.loads((root / "runs" / CELL / "metrics.json").read_text())
    assert content["uar"]["mean"] == uar
    page = (root / "reports" / "index.html").read_text(encoding="utf-8")
    assert f"<b>{100 * uar:.1f}</b>" in page
    assert "Synthetic speech" in page


@pytest.mark.parametrize("fold", [1, 2, 3])
def test_a_fresh_model_over_the_wav_file_says_what_the_predictions_say(walked, fold):
    """Nothing but the saved weights and statistics, the params and the recording."""
    root, _, plan, _ = walked
    place = root / "runs" / CELL / f"fold-{fold}" / "seed-0"
    frame = pd.read_parquet(root / "runs" / CELL / "predictions.parquet")
    row = frame[(frame["part"] == "test") & (frame["fold"] == fold)].iloc[fold]

    waveform = audio.read(
        root / "data/raw/csv" / f"{row['utterance_id']}.wav", sampling_rate=SAMPLING_RATE
    )
    extractor = mfcc.build(mfcc.Params(hop_ms=20.0), sampling_rate=SAMPLING_RATE)
    frames = Statistics.load(place / "statistics.safetensors").apply(extractor(waveform))
    torch.manual_seed(123)
    model = plans.build_model(
        plan,
        feature=FeatureSpec("mfcc", frames.shape[1]),
        head=cross_entropy.CrossEntropyLoss.head,
    )
    model.load_state_dict(load_file(place / "model.safetensors"))
    model.eval()
    with torch.inference_mode():
        output = model(torch.from_numpy(frames)[None], torch.tensor([len(frames)]))
    probabilities = output.logits.double().softmax(dim=-1)[0].numpy()

    expected = row[[f"probability_{emotion}" for emotion in EMOTIONS]].to_numpy(dtype=float)
    np.testing.assert_allclose(np.log(probabilities), np.log(expected), rtol=0, atol=FORMULA)
    assert EMOTIONS[probabilities.argmax()] == row["prediction"]


def test_the_statistics_of_a_fold_are_those_of_its_train_part(walked):
    root, _, _, _ = walked
    splits = pd.read_csv(root / "data" / "splits.csv")
    train_part = splits[(splits["fold"] == 2) & (splits["part"] == "train")]["utterance_id"]
    extractor = mfcc.build(mfcc.Params(hop_ms=20.0), sampling_rate=SAMPLING_RATE)
    frames = np.concatenate(
        [
            extractor(audio.read(root / "data/raw/csv" / f"{id_}.wav", sampling_rate=SAMPLING_RATE))
            for id_ in train_part
        ]
    )
    saved = Statistics.load(root / "runs" / CELL / "fold-2" / "seed-0" / "statistics.safetensors")
    # Coefficients of hundreds, of which some have a mean near zero.
    largest = np.abs(frames).max()
    np.testing.assert_allclose(saved.mean, frames.mean(axis=0), rtol=0, atol=FORMULA * largest)
    np.testing.assert_allclose(saved.std, frames.std(axis=0), rtol=0, atol=FORMULA * largest)
