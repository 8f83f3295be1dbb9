"""A corpus of one's own, from a table to the page, by the few edits that the docs name."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from pipelines import baselines, compare, extract, gain, prepare, robustness, score, split, train
from ser.cli.app import app
from ser.data import manifest
from ser.data.corpora import demo
from ser.data.demo import plan, release
from ser.emotion import EMOTIONS
from ser.grid import tuned
from ser.params import load_mapping
from ser.project import Project
from ser.tracking import mlflow_tracker
from ser.tracking.memory_tracker import MemoryExperiment
from ser.workflow import corpus_diagnosis, new_preset
from ser.workflow.new_preset import Wanted
from tests.docs import markdown
from tests.figures.support import leave_blank
from tests.recordings import SAMPLING_RATE, tone

pytestmark = pytest.mark.stage

SPEAKERS = range(5)
PAGE = Path(__file__).parents[1] / "docs" / "corpora" / "csv.md"

#: Not part of the way: it takes less time so.
QUICK = {
    "num_epochs: 60": "num_epochs: 2",
}


class Walk:
    """A workspace in which the stages run in this process, and what the tracker was told."""

    def __init__(self, root, patch):
        self.root, self.experiments = root, {}
        leave_blank(patch)
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


def walk_of_the_page():
    """The blocks of the page's walk by language, and its numbered steps."""
    text = PAGE.read_text("utf-8")
    walk = text.split("## From a table to a report\n")[1].split("\n## ")[0]
    # Blocks of a list are indented.
    flush = re.sub(r"^   (?=\S)", "", walk, flags=re.MULTILINE)
    found = {}
    for block in markdown.blocks_of(flush):
        found.setdefault(block.language, []).append(block.text)
    return found, re.findall(r"^\d\. ", walk, re.MULTILINE)


BLOCKS, STEPS = walk_of_the_page()
EDITED = yaml.safe_load(BLOCKS["yaml"][0])
CLASSES = tuple(EDITED["corpus"]["emotions"])
NAME = EDITED["corpus"]["name"]
#: Who is in which part, by the table's words.
PARTS = ("Train", "Train", "Train", "dev", "Test1", "Test1", "Test2")


def write_calls(folder):
    """Write a call per speaker with a segment per label, in a table like the page's."""
    header = BLOCKS["csv"][0].splitlines()[0].split(",")
    labels = [next((k for k, v in EDITED["corpus"]["label_map"].items() if v == name), name)
              for name in CLASSES]  # fmt: skip
    folder.mkdir()
    rows = []
    for speaker, part in enumerate(PARTS):
        sounds = [tone(EMOTIONS[number], speaker, 0) for number in range(len(labels))]
        file = f"call{speaker}.wav"
        soundfile.write(folder / file, np.concatenate(sounds), SAMPLING_RATE)
        for number, label in enumerate(labels):
            times = {"from": f"{0.75 * number:.2f}", "to": f"{0.75 * (number + 1):.2f}"}
            row = {"file": file, "who": f"caller{speaker}", "label": label, "set": part, **times}
            rows.append([row[name] for name in header])
    with (folder / "utterances.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def command(line):
    """Run a line of the page that begins with `ser`."""
    program, *words = shlex.split(line)
    assert program == ".venv/bin/ser"
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def classes(tmp_path_factory, project):
    """The walk of the page: its commands, and its two sections in place of the preset's."""
    with pytest.MonkeyPatch.context() as patch:
        walk = Walk(tmp_path_factory.mktemp("classes"), patch)
        (walk.root / "ser").symlink_to(project / "ser")
        shutil.copytree(project / "configs", walk.root / "configs")
        write_calls(walk.root / "recordings")
        first, then = BLOCKS["sh"]
        command(first)
        preset = walk.root / "configs" / "my-corpus.yaml"
        sections = re.split(r"^(?=\w)", preset.read_text("utf-8"), flags=re.MULTILINE)
        edited = dict(
            zip(EDITED, re.split(r"^(?=\w)", BLOCKS["yaml"][0], flags=re.M)[1:], strict=True)
        )
        text = "".join(edited.get(part.partition(":")[0], part) for part in sections)
        for old, new in {**QUICK, "seeds: [0, 1, 2]": "seeds: [0]"}.items():
            assert old in text
            text = text.replace(old, new)
        preset.write_text(text)
        use, link, repro = then.splitlines()
        assert (use, repro) == ("make use PRESET=my-corpus", "make repro")
        command(".venv/bin/ser use my-corpus")  # what `make use` runs
        command(link.replace("/path/to/recordings", "recordings"))
        walk.run("lstm-cross_entropy")
        yield walk


def test_the_walk_of_the_page_has_five_steps_and_doctor_finds_no_fault(classes):
    assert len(STEPS) == 5
    found = list(corpus_diagnosis.examine(classes.root, load_mapping(classes.root / "params.yaml")))
    assert [(finding.what, finding.level) for finding in found] == [
        ("corpus link", "ok"),
        ("folds", "ok"),
    ]


def test_classes_of_its_own_are_trained_and_scored(classes):
    utterances = manifest.read(classes.root / "data" / "manifest.jsonl")
    assert len(utterances) == len(PARTS) * len(CLASSES)
    assert {(u.gender, u.emotion in CLASSES) for u in utterances} == {(None, True)}
    frame = pd.read_parquet(classes.root / "runs/lstm-cross_entropy/predictions.parquet")
    assert [name for name in frame if name.startswith("probability_")] == [
        f"probability_{emotion}" for emotion in CLASSES
    ]
    recall = json.loads((classes.root / "runs/lstm-cross_entropy/metrics.json").read_text())
    assert list(recall["recall"]) == list(CLASSES)


def test_the_table_s_parts_are_the_fold(classes):
    folds = pd.read_csv(classes.root / "data" / "splits.csv")
    speaker = folds["utterance_id"].str.extract(r"call(\d)")[0].astype(int)
    is_in = folds["part"].groupby(speaker).agg(set)
    assert is_in.to_dict() == dict(enumerate([{"train"}] * 3 + [{"dev"}] + [{"test"}] * 2))


def test_its_experiment_and_metrics_carry_its_name_and_classes(classes):
    name = f"ser/{NAME}-3-angry-neutral-contempt/file"
    assert set(classes.experiments) == {name, f"{name}/report"}
    runs = classes.experiments[name].runs.values()
    (parent,) = (run for run in runs if run.parent_key is None)
    assert {f"test/recall_{emotion}" for emotion in CLASSES} <= set(parent.metrics)


def test_the_page_names_the_classes_and_what_is_not_known_of_the_speakers(classes):
    page = (classes.root / "reports" / "index.html").read_text(encoding="utf-8")
    assert all(emotion in page for emotion in (*CLASSES, EDITED["corpus"]["licence"]))
    assert "The corpus does not say the gender, so there is no such slice." in page
    slices = pd.read_csv(classes.root / "reports" / "slices.csv")
    assert {"duration", "speaker"} <= set(slices["slice"])
    assert "gender" not in set(slices["slice"])


def test_a_class_that_nobody_speaks_is_refused_by_name(classes, capsys):
    params = classes.root / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("contempt]", "contempt, proud]"))
    assert prepare.main([]) == 1
    message = capsys.readouterr().err
    assert f"corpus {NAME}: no usable utterance of proud, which corpus.emotions asks for" in message
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
