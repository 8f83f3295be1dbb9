"""The paragraph says what was done, and nothing that was not."""

from dataclasses import replace

import pytest

from ser.report import methods
from ser.report.footer import SYNTHETIC_NOTICE
from ser.report.tuning import Tuning
from tests.report.support import NOTHING_TUNED, card_of, make_report, split_of

TAGS = {"ser.source_sha256": "0123456789abcdef", "ser.torch": "2.11.0", "ser.numpy": "2.4.6"}
PARAMS = {"training": {"seeds": [0, 1], "balance": "none"}, "recipe": {}}


@pytest.fixture
def write(tmp_path):
    def paragraph(*, params=PARAMS, tuning=NOTHING_TUNED, num_seeds=2, tags=TAGS, **kinds):
        made = make_report(tmp_path, num_seeds=num_seeds, **kinds)
        cells = [replace(cell, params=params) for cell in made.cells]
        return methods.paragraph(made.card, made.split, made.grid, cells, tuning, tags=tags)

    return paragraph


def test_corpus_folds_selection_seeds_tests_and_versions_are_said(write):
    text = write(is_synthetic=False)
    card, split = card_of(is_synthetic=False), split_of(speaker_independent=True)
    for said in (
        "2 combinations of 1 model (lstm) and 2 losses (cross_entropy, focal)",
        f"{card.num_used} utterances (angry {card.counts['angry']}, ",
        "10 speakers from the corpus demo (Nobody & Co)",
        f"{len(split.folds)} folds (protocol session): in each of them the test part is one",
        "no test speaker is heard in training or in choosing",
        "under seeds 0, 1; the epoch with the highest unweighted average recall (UAR) on dev",
        "No hyperparameter was searched",
        "lstm, nobody/tiny@0abc",
        "average over seeds",
        "jackknife over speakers and seeds",
        "Hsu's procedure, one-sided at 5 % over speakers and seeds and all 2 cells",
        "corrected after Holm",
        "999 resamples of speakers and seeds (BBC-CV)",
        "Software: ser, training code 0123456789ab; numpy 2.4.6, torch 2.11.0.",
    ):
        assert said in text, said
    assert "dvc" not in text
    assert SYNTHETIC_NOTICE not in text


def test_one_seed_is_not_called_several(write):
    one = {**PARAMS, "training": {"seeds": [0]}}
    text = write(params=one, num_seeds=1)
    assert "under seed 0;" in text
    assert "and seeds" not in text
    assert "over seeds" not in text


def test_what_is_particular_is_said_and_for_which_cells(write):
    params = {
        "training": {"seeds": [0], "balance": "class_weights", "refit": True},
        "recipe": {"copies": {"clean": 0.5, "telephone": 0.5}, "normalisation": "fold"},
    }
    text = write(params=params, is_synthetic=True, speaker_independent=False)
    assert text.startswith(SYNTHETIC_NOTICE)
    assert "TEST SPEAKERS ARE HEARD IN TRAINING" in text
    assert "Classes were weighted in the loss by their inverse frequency" in text
    assert "one of its copies (clean, telephone), drawn at random" in text
    assert "Refitted (all cells)" in text
    usual = write()
    for said in ("weighted in the loss", "copies", "Refitted"):
        assert said not in usual


def test_tuned_cells_are_named_with_their_trials(write):
    gains = NOTHING_TUNED.gains.copy()
    gains.loc[0, ["model", "loss", "num_trials"]] = ["lstm", "aam", 20]
    text = write(tuning=Tuning(gains.astype({"num_trials": int}), (), {}, {}))
    assert "Hyperparameters of lstm-aam (20 trials) were searched with Optuna" in text
