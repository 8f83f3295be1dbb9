"""A report of two cells, and what its page says."""

import copy
import functools
import io
import re
from dataclasses import replace

import pandas as pd
from PIL import Image

from ser.evaluation import breakdown, evidence, grid_table, summary, tuning_gain
from ser.evaluation import mistakes as wrong
from ser.evaluation.mistakes import SurestMistakes
from ser.evaluation.ranks import Ranking
from ser.report import mistakes
from ser.report.functional_rows import FunctionalRows
from ser.report.page import CellSection, Report
from ser.report.robustness import RobustnessSection
from ser.report.tuning import Tuning
from tests import synthetic
from tests.evaluation.support import cell, records_of


def png(size=(3, 2)):
    """The bytes of a picture: a blue dot on white."""
    file, image = io.BytesIO(), Image.new("RGB", size, "white")
    image.putpixel((1, 1), (0, 114, 178))
    image.save(file, format="PNG")
    return file.getvalue()


PNG = png()
METHODS = "Two cells were <compared>."
FOLD = synthetic.fold_report(num_utterances={"train": 101, "dev": 102, "test": 103}).model_dump()
FOLD["shared"]["train-test"]["sentences"]["share_of_second_part"] = 0.123

BASELINES = pd.DataFrame(
    [
        ("majority", "the commonest <emotion>", 5, 0.25, 0.25, 0.25, 0.311, 0.288, 0.344, 0.119),
        ("mfcc_svm", "linear SVM", 5, 0.301, 0.292, 0.318, 0.326, 0.303, 0.357, 0.307),
    ],
    columns=["name", "description", "num_folds", "uar", "uar_low", "uar_high", "wa", "wa_low",
             "wa_high", "macro_f1"],
)  # fmt: skip
SHORTCUT = {
    "unanswered": None,
    "num_utterances": {"improvised": 172, "scripted": 149},
    "detector": {"uar": 0.817, "uar_low": 0.791, "uar_high": None, "wa": 0.823},
    "knows_kind_only": {"uar": 0.337, "uar_low": 0.309, "uar_high": 0.363},
    "chance": 0.25,
    "cramers_v": 0.187,
    "emotions": [
        {"emotion": "angry", "improvised": 39, "share_of_improvised": 0.227, "scripted": 58,
         "share_of_scripted": 0.389, "cramers_v": 0.176, "explained": 0.031},
    ],
}  # fmt: skip
FUNCTIONALS = FunctionalRows(asked=("egemaps_svm", "compare_svm"), opensmile=None)

NO_COPIES = RobustnessSection({}, {"mfcc": ["lstm"]}, {}, {})
NOTHING_TUNED = Tuning(tuning_gain.table([], {}), (), {}, {})


def card_of(*, is_synthetic):
    return synthetic.card(
        synthetic=is_synthetic,
        licence="Free <of> charge.",
        citation="Nobody & Co.",
        num_used=321,
        num_speakers=10,
        num_sessions=5,
        num_rejected=7,
        duration_s=7200.0,
    )


def split_of(*, speaker_independent):
    return synthetic.split_report(speaker_independent=speaker_independent, folds=[FOLD])


def make_report(tmp_path, *, is_synthetic=True, speaker_independent=True, num_seeds=2, voted=False):
    """A report of two cells, to be changed at will."""
    found_before = _numbers(num_seeds, is_synthetic, speaker_independent, voted)
    summaries, grid, found, parts = copy.deepcopy(found_before)
    card = card_of(is_synthetic=is_synthetic)
    split = split_of(speaker_independent=speaker_independent)
    picture = tmp_path / "figure.png"
    picture.write_bytes(PNG)
    sections = [
        CellSection(
            "-".join(key),
            summaries[key],
            {"recipe": {"num_epochs": 17}, "seed": 0, "loss": {"name": key[1]}},
            {"Learning curves": picture},
        )
        for key in zip(grid["model"], grid["loss"], strict=True)
    ]
    provenance = {"commit": "0123abc"}
    figures = {"heat_map": picture, "grid": picture, "ranks": picture, "layers": picture}
    pictures = (figures, {"lstm-focal": picture}, {"lstm": picture})
    none_wrong = mistakes.section("lstm-focal", SurestMistakes((), 0, 120, num_seeds), None)
    told = (NOTHING_TUNED, none_wrong, NO_COPIES, parts, METHODS)
    sections_and_more = (sections, provenance, *told)
    rows = (grid, BASELINES, FUNCTIONALS, SHORTCUT)
    return Report(card, split, *rows, found, *pictures, *sections_and_more)


@functools.cache  # resampling takes a second, and nearly every test wants the same numbers
def _numbers(num_seeds, is_synthetic, speaker_independent, voted):
    """Summaries, table and evidence of two cells; must not be changed."""
    frames, summaries = {}, {}
    for seed, loss in enumerate(("cross_entropy", "focal")):
        frame, speaker_of = cell(seed=seed, num_seeds=num_seeds)
        frames["lstm", loss] = frame
        origin = f"nobody/tiny@{seed}abc"
        summaries["lstm", loss] = summary.summarise(frame, speaker_of, origin=origin)
    grid = grid_table.table(summaries)
    card = card_of(is_synthetic=is_synthetic)
    split = split_of(speaker_independent=speaker_independent)
    utterances = records_of(frames["lstm", "focal"], voted=voted)
    found = evidence.gather(frames, summaries, grid, utterances, card=card, split=split)
    # The evidence of three losses would fill the page; two have no ranking, so one is given.
    ranking = Ranking({"focal": 1.2, "cross_entropy": 1.8}, 10, 0.043, 0.62)
    parts = {
        "folds": breakdown.by_fold(frames),
        "speakers": breakdown.by_speaker(frames, speaker_of),
        "confusions": wrong.pairs_table(frames),
    }
    return summaries, grid, replace(found, ranking=ranking), parts


def text_of(page):
    """The page without tags, style and script, spaces collapsed."""
    body = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def section(page, name):
    """The text of one section of the page."""
    return text_of(page[page.index(f'id="{name}"') - 4 :].split("<h2", 2)[1])
