"""A corpus of one's own, from a table to the page, by the few edits that the docs name."""

import csv
import json

import pandas as pd
import pytest
import soundfile

from pipelines import baselines, compare, extract, gain, prepare, robustness, score, split, train
from ser.data import manifest
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
        folder = self.root / "data" / "raw" / "csv"
        folder.mkdir(parents=True)
        for sound, row in rows:
            waveform = tone(EMOTIONS[sound[0]], *sound[1:])
            soundfile.write(folder / row[0], waveform, SAMPLING_RATE)
        with (folder / "utterances.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *(row for _, row in rows)])

    def write_params(self, project, loss, edits):
        """Write what `ser new-preset` writes, with some edits."""
        wanted = Wanted("calls", "csv", ["lstm"], [loss], seeds=[0])
        text = new_preset.compose(wanted, Project(project))
        for old, new in {**QUICK, **edits}.items():
            assert old in text, old
            text = text.replace(old, new)
        (self.root / "params.yaml").write_text(text)

    def run(self, cell):
        stages = [(prepare,), (split,), (extract, "mfcc"), (train, cell, "--untuned"), (score,)]
        for stage, *words in stages:
            assert stage.main(words) == 0, stage.__name__
        tuned.write(self.root / "data" / "tuned.json", {})
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
    name = "ser/csv-calls-3-sad-relaxed-contempt/session"
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
    assert "corpus csv: no usable utterance of proud, which corpus.emotions asks for" in message
    params.write_text(text)
