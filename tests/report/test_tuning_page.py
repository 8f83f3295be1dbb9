"""The page of the searches."""

import re
from dataclasses import replace

import pytest

from ser.project import Project
from ser.report import html, tuning_page
from tests.report.support import NOTHING_TUNED, card_of, png, split_of

CAPTIONS = ("Trials in order", "Margin against scale")
FOLDS = (1, 2, 10)


@pytest.fixture
def drawn(tmp_path):
    """What Optuna drew of one cell, another picture for every file."""
    found = {}
    for fold in FOLDS:
        found[fold] = {}
        for number, caption in enumerate(CAPTIONS):
            path = tmp_path / f"{fold}-{number}.png"
            path.write_bytes(png((4 + fold, 2 + number)))
            found[fold][caption] = path
    return replace(NOTHING_TUNED, figures={"lstm-aam": found, "lstm-ccc": {}})


def page_of(root, tuning, *, is_synthetic=False):
    project = Project(root)
    card, split = card_of(is_synthetic=is_synthetic), split_of(speaker_independent=True)
    tuning_page.write(project, tuning, card, split)
    return (root / "reports" / "tuning.html").read_text("utf-8")


def test_one_fold_is_open_the_others_folded_and_all_pictures_inside(tmp_path, drawn):
    page = page_of(tmp_path, drawn)
    blocks = re.findall(r"<details( open)?><summary>lstm-aam, fold (\d+)</summary>", page)
    assert blocks == [(" open", "1"), ("", "2"), ("", "10")]
    pictures = [path for found in drawn.figures["lstm-aam"].values() for path in found.values()]
    positions = [page.index(html.image(path)) for path in pictures]
    assert positions == sorted(positions)
    assert 'alt="Margin against scale: tuning of lstm-aam, fold 10"' in page
    assert "lstm-ccc" not in page  # nothing was drawn of it


def test_it_leads_back_and_names_the_corpus(tmp_path, drawn):
    page = page_of(tmp_path, drawn)
    assert '<a href="index.html#tuning">the report</a>' in page
    assert "protocol session" in page


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_synthetic_speech_is_called_so(tmp_path, drawn, is_synthetic):
    page = page_of(tmp_path, drawn, is_synthetic=is_synthetic)
    assert ("Synthetic speech: these numbers prove" in page) == is_synthetic


def test_where_nothing_was_tuned_it_says_so(tmp_path):
    assert "<p>Nothing was tuned: every cell has" in page_of(tmp_path, NOTHING_TUNED)
