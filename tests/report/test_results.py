import datetime
import json
from dataclasses import replace

import pytest

from ser.errors import FileError, LineageError
from ser.evaluation import grid_table, summary
from ser.grid.procedure import Procedure
from ser.project import Project
from ser.report import results
from ser.report.footer import SYNTHETIC_NOTICE
from tests import synthetic
from tests.evaluation.support import cell, grid
from tests.report.support import BASELINES
from tests.repository import commit_all

CARD = synthetic.card(name="emodb", synthetic=False, num_used=339, num_speakers=10)
SPLIT = synthetic.split_report(folds=[synthetic.fold_report(number) for number in range(1, 6)])
TODAY = datetime.date(2024, 2, 29)
PAGE = "before\n<!-- results:emodb-4 -->\nformer numbers\n<!-- /results -->\nafter\n"


ORIGINS = {"lstm-cross_entropy": "from scratch", "lstm-focal": "from scratch"}
PROCEDURES = dict.fromkeys(ORIGINS, Procedure())


def result(**card):
    card = CARD.model_copy(update=card)
    return results.Result(grid(), BASELINES, ORIGINS, PROCEDURES, card, SPLIT)


def write_finished(folder):
    project = Project(folder)
    grid_table.write(project, grid())
    BASELINES.to_csv(project.baselines, index=False)
    project.origins.write_text(json.dumps(ORIGINS))
    results.write_procedures(project, PROCEDURES)
    CARD.write(project.corpus_card)
    SPLIT.write(project.split_report)


@pytest.fixture
def preset(tmp_path):
    """Folder of presets; params.yaml beside it is a copy of `emodb`."""
    configs = tmp_path / "configs"
    configs.mkdir()
    for name in ("demo", "emodb"):
        (configs / f"{name}.yaml").write_text(f"corpus: {name}\n")
    (tmp_path / "params.yaml").write_text("corpus: emodb\n")
    return configs


def test_a_finished_comparison_is_read_back(tmp_path):
    write_finished(tmp_path)
    found = results.read(Project(tmp_path))
    assert found.name == "emodb-4"
    assert found.grid["uar"].tolist() == pytest.approx(grid()["uar"].tolist(), abs=1e-6)
    assert found.baselines["name"].tolist() == ["majority", "mfcc_svm"]
    assert found.origins == ORIGINS


def test_origins_are_read_back_as_they_were_written(tmp_path):
    write_finished(tmp_path)
    frame, speaker_of = cell()
    summaries = {
        ("lstm", loss): summary.summarise(frame, speaker_of, origin=f"nobody/tiny@{loss}")
        for loss in ("cross_entropy", "focal")
    }
    results.write_origins(Project(tmp_path), summaries)
    assert results.read(Project(tmp_path)).origins == {
        "lstm-cross_entropy": "nobody/tiny@cross_entropy",
        "lstm-focal": "nobody/tiny@focal",
    }


@pytest.mark.parametrize("name", ["origins", "procedures"])
def test_a_file_of_another_presets_comparison_is_refused(tmp_path, name):
    write_finished(tmp_path)
    path = getattr(Project(tmp_path), name)
    path.write_text(json.dumps({"lstm-focal": json.loads(path.read_text())["lstm-focal"]}))
    with pytest.raises(LineageError, match=f"{name}.json: .* not tell of lstm-cross_entropy; run"):
        results.read(Project(tmp_path))


def test_procedures_are_read_back_as_they_were_written(tmp_path):
    write_finished(tmp_path)
    refitted = Procedure(refit=True, normalisation="session")
    given = {"lstm-focal": refitted, "lstm-cross_entropy": Procedure()}
    results.write_procedures(Project(tmp_path), given)
    assert results.read(Project(tmp_path)).procedures == given


@pytest.mark.parametrize(
    "missing",
    [
        "grid.csv",
        "baselines.csv",
        "origins.json",
        "procedures.json",
        "corpus.json",
        "split_report.json",
    ],
)
def test_a_missing_file_is_named_with_the_cure(tmp_path, missing):
    write_finished(tmp_path)
    (found,) = tmp_path.glob(f"*/{missing}")
    found.unlink()
    with pytest.raises(FileError, match=rf"{missing}: no such file; `dvc repro` makes it"):
        results.read(Project(tmp_path))


def test_the_terminal_shows_corpus_protocol_and_every_cell():
    lines = results.as_text(result()).splitlines()
    assert lines[0] == "corpus emodb (real speech), protocol session"
    assert any("focal" in line for line in lines)
    assert SYNTHETIC_NOTICE not in lines


def test_the_terminal_shows_the_baselines_under_the_grid_in_its_columns():
    lines = results.as_text(result()).splitlines()
    first, second = (i for i, line in enumerate(lines) if line.startswith("baseline"))
    assert first > max(i for i, line in enumerate(lines) if line.startswith("lstm"))
    assert second == first + 1
    assert lines[first].split() == ["baseline", "majority", "25.0", "25.0", "to", "25.0", "31.1"]
    assert lines[second].split()[1:3] == ["mfcc_svm", "30.1"]
    header = next(line for line in lines if line.startswith("model"))
    assert lines[first].index("25.0") + len("25.0") == header.index("UAR %") + len("UAR %")


def test_the_origin_of_weights_is_said_once_per_model():
    assert result().weights == "lstm: from scratch"
    assert "weights before training: lstm: from scratch" in results.as_text(result())
    several = replace(result(), origins={"lstm-cross_entropy": "a", "lstm-focal": "b"})
    assert several.weights in ("lstm: a, b", "lstm: b, a")
    markdown = results.as_markdown(several, today=TODAY, preset="emodb")
    assert f"Weights before training: {several.weights}." in markdown


def test_how_cells_were_trained_is_said_with_the_tables_where_it_is_not_the_usual_way():
    usual = results.as_text(result()) + results.as_markdown(result(), today=TODAY, preset="emodb")
    assert "refitted" not in usual.lower()
    assert "transductive" not in usual.lower()
    procedures = {**PROCEDURES, "lstm-focal": Procedure(refit=True, normalisation="speaker")}
    found = replace(result(), procedures=procedures)
    text = results.as_text(found)
    markdown = results.as_markdown(found, today=TODAY, preset="emodb")
    for said in (text, markdown):
        assert "Refitted (lstm-focal): once dev had chosen the epoch" in said
        assert "Transductive (lstm-focal): inputs are normalised per speaker" in said
    assert text.index("Transductive") < text.index("model ")
    assert "| lstm | focal (refitted, transductive) |" in markdown
    assert "| lstm | cross_entropy |" in markdown


def test_the_baselines_are_part_of_the_table_of_a_page():
    lines = results.as_markdown(result(), today=TODAY, preset="emodb").splitlines()
    (row,) = (line for line in lines if "*mfcc_svm* |" in line)
    assert row == "| *baseline* | *mfcc_svm* | 30.1 (29.2 to 31.8) | 32.6 (30.3 to 35.7) | 30.7 | |"
    header = next(line for line in lines if line.startswith("| model"))
    assert row.count("|") == header.count("|")
    assert lines.index(row) > max(i for i, line in enumerate(lines) if line.startswith("| lstm"))
    assert any("*mfcc_svm*, linear SVM" in line for line in lines)


def test_synthetic_speech_is_named_wherever_the_table_is_shown():
    synthetic = result(name="demo", synthetic=True)
    assert results.as_text(synthetic).endswith(SYNTHETIC_NOTICE)
    table = results.as_markdown(synthetic, today=TODAY, preset="demo")
    assert table.endswith(SYNTHETIC_NOTICE)
    assert "SYNTHETIC speech" in table
    assert SYNTHETIC_NOTICE not in results.as_markdown(result(), today=TODAY, preset="emodb")


def test_the_table_holds_the_numbers_their_date_and_their_command():
    text = results.as_markdown(result(), today=TODAY, preset="emodb")
    assert "339 utterances, 10 speakers, 4 emotions (angry, happy, neutral, sad), 5 folds" in text
    for row in grid().to_dict("records"):
        low, high = (f"{100 * row[f'uar_{end}']:.1f}" for end in ("low", "high"))
        assert f"| lstm | {row['loss']} | {100 * row['uar']:.1f} ({low} to {high}) |" in text
        assert f"| {100 * row['macro_f1']:.1f} | 2 |" in text
    assert "Written on 2024-02-29 by `make use PRESET=emodb && make repro && " in text


def test_the_table_replaces_what_stands_between_its_markers_and_nothing_else(tmp_path, preset):
    page = tmp_path / "README.md"
    other = "<!-- results:demo-4 -->\nkept\n<!-- /results -->\n"
    page.write_text(PAGE + other)
    results.write_into(page, result(), Project(preset.parent))
    text = page.read_text()
    assert text.startswith("before\n<!-- results:emodb-4 -->\ncorpus emodb")
    assert text.endswith(f"<!-- /results -->\nafter\n{other}")
    assert "former numbers" not in text
    assert "PRESET=emodb" in text
    results.write_into(page, result(), Project(preset.parent))
    assert page.read_text() == text


@pytest.mark.parametrize(
    "content",
    [None, "no markers\n", "<!-- results:emodb-4 -->\n", PAGE.replace("emodb-4", "emodb-7")],
)
def test_a_page_without_the_place_for_the_table_is_refused_and_left_alone(
    tmp_path, preset, content
):
    page = tmp_path / "README.md"
    if content is not None:
        page.write_text(content)
    with pytest.raises(LineageError, match="it needs the lines <!-- results:emodb-4 -->"):
        results.write_into(page, result(), Project(preset.parent))
    assert (page.read_text() if page.exists() else None) == content


def test_params_that_are_no_preset_have_no_command_to_name(tmp_path, preset):
    (tmp_path / "params.yaml").write_text("corpus: mine\n")
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    with pytest.raises(LineageError, match="save it there as a preset"):
        results.write_into(page, result(), Project(preset.parent))
    assert page.read_text() == PAGE


def test_the_paragraph_for_a_paper_ends_with_the_commit_that_recorded_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    project = Project(tmp_path)
    project.reports.mkdir()
    project.breakdown("methods").write_text("One cell was trained.\n")
    lock = "stages: {compare: {outs: [{path: reports/methods.txt, md5: a1}]}}"
    project.lock.write_text(lock)
    assert results.methods(project) == "One cell was trained."
    commit = commit_all(tmp_path)
    commit_all(tmp_path)
    assert results.methods(project) == f"One cell was trained. Recorded by commit {commit[:12]}."
