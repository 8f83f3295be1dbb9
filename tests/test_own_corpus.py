"""A corpus of one's own, from a table to the page, by the few edits that the docs name."""

import csv
import json

import pandas as pd
import pytest
import soundfile

from pipelines import baselines, compare, extract, gain, prepare, robustness, score, split, train
from ser.data import manifest
from ser.data.corpora import demo
from ser.data.demo import plan, release
from ser.emotion import EMOTIONS
from ser.grid import tuned
from ser.project import Project
from ser.tracking import mlflow_tracker
from ser.tracking.memory_tracker import MemoryExperiment
from ser.workflow import new_preset
from ser.workflow.new_preset import Wanted
from tests.recordings import SAMPLING_RATE, tone

pytestmark = pytest.mark.stage

CLASSES = ("sad", "relaxed", "contempt")
SPEAKERS = range(5)

#: Not part of the way: it takes less time so.
QUICK = {
    "num_epochs: 60": "num_epochs: 2",
}


class Walk:
    """A workspace in which the stages run in this process, and what the tracker was told."""

    def __init__(self, root, patch):
        self.root, self.experiments = root, {}
        patch.chdir(root)
        patch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
        patch.setattr(mlflow_tracker, "open_experiment", self.open)

    def open(self, name, **_):
        return self.experiments.setdefault(name, MemoryExperiment())

    def write_table(self, header, rows):
        """Write the table and its recordings: (class index, speaker, number) and the row."""
        folder = self.root / "data" / "raw" / "calls"
        folder.mkdir(parents=True)
        for sound, row in rows:
            waveform = tone(EMOTIONS[sound[0]], *sound[1:])
            soundfile.write(folder / row[0], waveform, SAMPLING_RATE)
        with (folder / "utterances.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *(row for _, row in rows)])

    def write_params(self, project, loss, edits, corpus="csv"):
        """Write what `ser new-preset` writes, with some edits."""
        wanted = Wanted("calls", corpus, ["lstm"], [loss], seeds=[0])
        text = new_preset.compose(wanted, Project(project))
        for old, new in {**QUICK, **edits}.items():
            assert old in text, old
            text = text.replace(old, new)
        (self.root / "params.yaml").write_text(text)

    def run(self, cell):
        stages = [(prepare,), (split,), (extract, "mfcc"), (train, cell, "--untuned"), (score,)]
        for stage, *words in stages:
            assert stage.main(words) == 0, stage.__name__
        tuned.write(self.root / "data" / "tuned" / "mfcc.json", {})
        for stage in (gain, baselines, robustness, compare):
            assert stage.main([]) == 0, stage.__name__


@pytest.fixture(scope="module")
def classes(tmp_path_factory, project):
    """Classes of its own, nobody's gender, no sessions: one edit of the preset."""
    with pytest.MonkeyPatch.context() as patch:
        walk = Walk(tmp_path_factory.mktemp("classes"), patch)
        (walk.root / "ser").symlink_to(project / "ser")
        rows = [
            ((number, speaker, 0), (f"{speaker}_{number}.wav", emotion, f"s{speaker}"))
            for speaker in SPEAKERS
            for number, emotion in enumerate(CLASSES)
        ]
        walk.write_table(("path", "label", "speaker"), rows)
        edits = {"emotions: [angry, happy, neutral, sad]": f"emotions: [{', '.join(CLASSES)}]"}
        walk.write_params(project, "cross_entropy", edits)
        walk.run("lstm-cross_entropy")
        yield walk


def test_classes_of_its_own_are_trained_and_scored(classes):
    utterances = manifest.read(classes.root / "data" / "manifest.jsonl")
    assert {(u.gender, u.emotion in CLASSES) for u in utterances} == {(None, True)}
    assert {u.session for u in utterances} == {f"group{number}" for number in range(1, 6)}
    frame = pd.read_parquet(classes.root / "runs/lstm-cross_entropy/predictions.parquet")
    assert [name for name in frame if name.startswith("probability_")] == [
        f"probability_{emotion}" for emotion in CLASSES
    ]
    recall = json.loads((classes.root / "runs/lstm-cross_entropy/metrics.json").read_text())
    assert list(recall["recall"]) == list(CLASSES)


def test_its_experiment_and_metrics_carry_its_title_and_classes(classes):
    name = "ser/calls-3-sad-relaxed-contempt/session"
    assert set(classes.experiments) == {name, f"{name}/report"}
    runs = classes.experiments[name].runs.values()
    (parent,) = (run for run in runs if run.parent_key is None)
    assert {f"test/recall_{emotion}" for emotion in CLASSES} <= set(parent.metrics)


def test_the_page_names_the_classes_and_what_is_not_known_of_the_speakers(classes):
    page = (classes.root / "reports" / "index.html").read_text(encoding="utf-8")
    assert all(emotion in page for emotion in CLASSES)
    assert "The corpus does not say the gender, so there is no such slice." in page
    slices = pd.read_csv(classes.root / "reports" / "slices.csv")
    assert set(slices["slice"]) == {"duration", "session", "speaker"}


def test_a_class_that_nobody_speaks_is_refused_by_name(classes, capsys):
    params = classes.root / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("contempt]", "contempt, proud]"))
    assert prepare.main([]) == 1
    message = capsys.readouterr().err
    assert "corpus calls: no usable utterance of proud, which corpus.emotions asks for" in message
    params.write_text(text)


@pytest.fixture(scope="module")
def rated(tmp_path_factory, project):
    """Ratings of two dimensions from 1 to 7, no labels, nobody's gender: three edits."""
    with pytest.MonkeyPatch.context() as patch:
        walk = Walk(tmp_path_factory.mktemp("rated"), patch)
        (walk.root / "ser").symlink_to(project / "ser")
        rows = [
            ((sound, who, 0), (f"{who}_{sound}.wav", f"s{who}", 1 + 2 * sound, 7 - sound - who / 5))
            for who in SPEAKERS
            for sound in range(4)
        ]
        walk.write_table(("path", "speaker", "valence", "arousal"), rows)
        edits = {
            "emotions: [angry, happy, neutral, sad]": "emotions: []\n  rating_scale: [1, 7]",
            "ccc:\n": "ccc:\n    targets: ratings\n",
        }
        walk.write_params(project, "ccc", edits)
        walk.run("lstm-ccc")
        yield walk


def test_ratings_of_another_scale_are_learnt_in_points_from_1_to_5(rated):
    utterances = manifest.read(rated.root / "data" / "manifest.jsonl")
    assert {u.valence for u in utterances} == {1.0, 1 + 4 / 3, 1 + 8 / 3, 5.0}
    assert {(u.emotion, u.dominance, u.label) for u in utterances} == {(None, None, "not labelled")}
    card = json.loads((rated.root / "data" / "corpus.json").read_text())
    assert (card["num_used"], card["emotions"]) == (20, [])
    assert card["rated"] == {"valence": 20, "arousal": 20}


def test_the_table_of_cells_is_by_ccc_with_intervals_and_baselines(rated):
    grid = pd.read_csv(rated.root / "reports" / "grid.csv")
    assert grid[["model", "loss", "num_folds"]].to_numpy().tolist() == [["lstm", "ccc", 5]]
    row = grid.iloc[0]
    for name in ("ccc", "ccc_valence", "ccc_arousal", "mae", "mae_valence", "mae_arousal"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    assert not [name for name in grid if "dominance" in name or "uar" in name]
    baselines = pd.read_csv(rated.root / "reports" / "baselines.csv")
    assert baselines["name"].tolist() == ["mean", "mfcc_ridge"]
    assert baselines["ccc"].iloc[0] < 0.1 < 0.5 < baselines["ccc"].iloc[1]


def test_the_page_says_what_it_lacks_and_the_tracker_has_ccc(rated):
    page = (rated.root / "reports" / "index.html").read_text(encoding="utf-8")
    assert "Ratings of valence, arousal on calls" in page
    assert "has ratings and no classes, so the page has no confusion, no recalls, no" in page
    name = "ser/calls-0-ratings/session"
    runs = rated.experiments[name].runs.values()
    (parent,) = (run for run in runs if run.parent_key is None)
    assert {"test/ccc", "test/ccc_low", "test/mae_valence", "dev/best_ccc"} <= set(parent.metrics)
    assert not [key for key in parent.metrics if "uar" in key or "recall" in key]


def test_the_results_are_shown_in_a_terminal(rated):
    from ser.report import results

    text = results.as_text(results.read(Project(rated.root)))
    assert "lstm       ccc" in text
    assert "baseline   mfcc_ridge" in text


def test_what_asks_for_classes_is_refused_in_a_sentence(rated):
    from ser.errors import BundleError
    from ser.params import read
    from ser.promotion import registration
    from ser.promotion.params import AnswerParams
    from ser.registry.packing import TrainedCell
    from ser.workflow import current, current_cell, protocol_gap

    project = Project(rated.root)
    current.require_data(project, read(project.params, current.DataParams))
    current.require_reports(project, read(project.params, current_cell.CellsNow))
    cell, params = TrainedCell(project, "lstm-ccc"), read(project.params, AnswerParams)
    with pytest.raises(BundleError, match="it learnt ratings and no classes"):
        registration.pack_fold(cell, params, fold=None, seed=None)
    with pytest.raises(protocol_gap.ProtocolGapError, match="the gap is in UAR"):
        protocol_gap.measure("lstm-ccc", root=rated.root)


def test_a_corpus_with_classes_and_votes_learns_its_ratings_alone_too(
    tmp_path, project, monkeypatch
):
    walk, size = Walk(tmp_path, monkeypatch), plan.MIN_PER_SESSION
    (tmp_path / "ser").symlink_to(project / "ser")
    edits = {
        "emotions: [angry, happy, neutral, sad]": f"emotions: []\n  utterances_per_session: {size}",
        "ccc:\n": "ccc:\n    targets: ratings\n",
        "num_epochs: 2\n": "num_epochs: 1\n",
    }
    walk.write_params(project, "ccc", edits, corpus="demo")
    made = demo.Params(emotions=(), utterances_per_session=size)
    release.generate(tmp_path / "data" / "raw" / "demo", made)
    walk.run("lstm-ccc")
    row = pd.read_csv(tmp_path / "reports" / "grid.csv").iloc[0]
    assert {"ccc_valence", "ccc_arousal", "ccc_dominance"} <= set(row.index)
    assert set(walk.experiments) == {
        "ser/demo-0-ratings/session",
        "ser/demo-0-ratings/session/report",
    }
