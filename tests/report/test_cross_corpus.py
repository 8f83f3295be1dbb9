"""The section of other corpora: read from its table, shown with what must be said of it."""

from dataclasses import replace

import pytest

from ser import cross_folders, tables
from ser.errors import FileError
from ser.evaluation import cross_corpus as scores
from ser.project import Project
from ser.report import cross_corpus
from ser.report import page as pages
from tests.report.support import make_report, section


def row(trained_on, tested_on, uar, **changes):
    numbers = dict.fromkeys(scores.COLUMNS, 0.0)
    texts = {"model": "lstm", "loss": "focal", "trained_on": trained_on, "tested_on": tested_on}
    marks = {"classes": "angry sad", "transductive": False, "synthetic": False}
    within = {"within_corpus": "emodb", "within_uar": 0.913, "num_speakers": 24}
    return numbers | texts | marks | within | {"uar": uar} | changes


@pytest.fixture
def shown(tmp_path):
    """The section of a page whose table has such rows."""

    def render(rows):
        project = Project(tmp_path)
        tables.write_csv(cross_folders.table(project), scores.table(rows))
        found = cross_corpus.read(project)
        page = pages.render(replace(make_report(tmp_path), cross_corpus=found))
        return section(page, "cross_corpus")

    return render


def test_a_matrix_of_corpora_is_shown_with_the_grid_on_its_diagonal(shown):
    text = shown([row("emodb", "ravdess", 0.617), row("ravdess", "emodb", 0.724)])
    assert "lstm-focal, UAR&nbsp;% among angry, sad" in text
    assert "trained on tested on emodb tested on ravdess emodb 91.3 61.7 ravdess 72.4 –" in text  # noqa: RUF001
    assert "emodb ravdess 24" in text
    assert "never part of the grid" in text
    assert "SYNTHETIC" not in text
    assert "TRANSDUCTIVE" not in text


def test_synthetic_and_transductive_numbers_are_marked(shown):
    text = shown([row("emodb", "demo", 0.5, synthetic=True, transductive=True)])
    assert "SYNTHETIC" in text
    assert "TRANSDUCTIVE" in text


def test_other_classes_have_a_matrix_of_their_own(shown):
    rows = [row("emodb", "a", 0.5), row("emodb", "b", 0.6, classes="angry happy sad")]
    text = shown(rows)
    assert text.count("lstm-focal, UAR") == 2
    assert "among angry, happy, sad" in text


def test_where_nothing_was_asked_the_page_says_how_to_ask(shown):
    assert "ser cross-corpus lstm-focal --to ravdess" in shown([]).replace("cross_entropy", "focal")


def test_a_table_that_is_missing_or_another_one_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"cross_corpus\.csv: no such file; `dvc repro compare`"):
        cross_corpus.read(Project(tmp_path))
    tables.write_csv(
        cross_folders.table(Project(tmp_path)), scores.table([]).drop(columns=["uar", "synthetic"])
    )
    with pytest.raises(FileError, match="it lacks columns"):
        cross_corpus.read(Project(tmp_path))
