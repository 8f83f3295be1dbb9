import base64
import re
from pathlib import Path

import pandas as pd
import pytest

from ser.evaluation import grid_table, report, summary
from ser.evaluation.report import SYNTHETIC_NOTICE, CellSection, Report
from tests.evaluation.test_summary import cell

PNG = b"\x89PNG not really"
FOLD = {
    "fold": 1,
    "speakers": {"test": ["Ses01F"], "dev": ["Ses02F"], "train": ["Ses03F"]},
    "num_utterances": {"train": 101, "dev": 102, "test": 103},
    "shared": {"train-test": {"sentences": {"share_of_second_part": 0.123}}},
}


def make_report(tmp_path, *, synthetic=True, speaker_independent=True, num_seeds=2):
    summaries = {}
    for seed, loss in enumerate(("cross_entropy", "focal")):
        frame, speaker_of = cell(seed=seed, num_seeds=num_seeds)
        summaries["lstm", loss] = summary.summarise(frame, speaker_of)
    grid = grid_table.table(summaries)
    picture = tmp_path / "figure.png"
    picture.write_bytes(PNG)
    card = {
        "name": "demo",
        "synthetic": synthetic,
        "licence": "Free <of> charge.",
        "citation": "Nobody & Co.",
        "emotions": ["angry", "happy", "neutral", "sad"],
        "num_used": 321,
        "num_speakers": 10,
        "num_sessions": 5,
        "num_rejected": 7,
        "duration_s": 7200.0,
    }
    split = {
        "protocol": "session",
        "speaker_independent": speaker_independent,
        "folds": [FOLD],
    }
    sections = [
        CellSection(
            "-".join(key),
            summaries[key],
            {"recipe": {"num_epochs": 17}, "seed": 0},
            {"Confusion matrix": picture},
        )
        for key in zip(grid["model"], grid["loss"], strict=True)
    ]
    return Report(card, split, grid, picture, sections, {"commit": "0123abc"})


def text_of(page):
    """The page without tags and style, spaces collapsed."""
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_every_number_of_the_grid_is_on_the_page(tmp_path):
    made = make_report(tmp_path)
    page = text_of(report.render(made))
    for row in made.grid.to_dict("records"):
        for name in ("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high", "macro_f1", "ece"):
            assert f"{100 * row[name]:.1f}" in page, name
        assert f"{row['mcc']:.3f}" in page
    for section in made.cells:
        assert section.name in page
        for recall in section.summary.recall.values():
            assert f"{100 * recall:.1f}" in page


def test_an_unknown_interval_is_a_dash(tmp_path):
    made = make_report(tmp_path)
    made.grid.loc[:, ["uar_low", "uar_high"]] = float("nan")
    page = report.render(made)
    assert "– to –" in page  # noqa: RUF001
    assert not re.search(r"\bnan\b", text_of(page))


def test_the_page_loads_nothing_from_anywhere(tmp_path):
    page = report.render(make_report(tmp_path))
    links = re.findall(r"(?:src|href|action|data)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert links
    assert [link[:40] for link in links if not link.startswith("data:image/png;base64,")] == []
    assert not re.search(r"url\(|@import|<script|<link|<iframe|https?://", page)


def test_the_pictures_are_inside(tmp_path):
    page = report.render(make_report(tmp_path))
    encoded = base64.b64encode(PNG).decode()
    assert page.count(f"data:image/png;base64,{encoded}") == 3


def test_synthetic_speech_is_named_and_real_speech_is_not_called_so(tmp_path):
    page = report.render(make_report(tmp_path, synthetic=True))
    assert SYNTHETIC_NOTICE in page
    assert "SYNTHETIC" in page
    assert "demo (synthetic)" in page
    page = report.render(make_report(tmp_path, synthetic=False))
    assert SYNTHETIC_NOTICE not in page
    assert "ynthetic" not in page.replace("real speech", "")
    assert "eal speech" in page


def test_a_speaker_dependent_protocol_is_named_and_an_independent_one_is_not_called_so(tmp_path):
    page = report.render(make_report(tmp_path, speaker_independent=False))
    assert "Speaker-dependent protocol" in page
    assert "SPEAKER-DEPENDENT" in page
    assert "No test speaker was heard" not in page
    page = report.render(make_report(tmp_path, speaker_independent=True))
    assert "peaker-dependent" not in page
    assert "No test speaker was heard" in page


def test_one_seed_is_said_to_show_no_spread(tmp_path):
    notice = "single seed"
    assert notice in text_of(report.render(make_report(tmp_path, num_seeds=1)))
    assert notice not in text_of(report.render(make_report(tmp_path, num_seeds=2)))


def test_data_folds_params_and_provenance_are_shown(tmp_path):
    page = text_of(report.render(make_report(tmp_path)))
    for shown in (
        "321", "2.00 h", "10 speakers in 5 sessions", "Recordings refused: 7", "Ses01F", "Ses02F",
        "101", "102", "103", "12.3 %", "recipe.num_epochs 17", "0123abc", "25.0 %",
    ):  # fmt: skip
        assert shown in page, shown


def test_texts_of_others_cannot_become_markup(tmp_path):
    page = report.render(make_report(tmp_path))
    assert "Free &lt;of&gt; charge." in page
    assert "Nobody &amp; Co." in page


@pytest.mark.parametrize(
    ("synthetic", "independent", "line"),
    [
        (True, True, "corpus x (SYNTHETIC speech), protocol superb"),
        (False, False, "corpus x (real speech), protocol superb, SPEAKER-DEPENDENT"),
    ],
)
def test_the_line_below_figures_says_what_speech_and_protocol(synthetic, independent, line):
    card = {"name": "x", "synthetic": synthetic}
    split = {"protocol": "superb", "speaker_independent": independent}
    assert report.foot(card, split) == line


@pytest.mark.parametrize(("dirty", "said"), [("true", True), ("false", False)])
def test_provenance_admits_uncommitted_changes(dirty, said):
    names = ("manifest", "split", "features", "source", "dvc_lock")
    tags = {f"ser.{name}_sha256": name * 2 for name in names}
    tags |= {"ser.git_commit": "abc", "ser.git_dirty": dirty}
    packages = dict.fromkeys(("torch", "torchaudio", "numpy", "mlflow", "dvc"), "1.0")
    found = report.provenance(
        tags, {"python": "3.11", "platform": "Linux", "num_cpus": 2, "packages": packages}
    )
    assert found["commit"] == ("abc (with uncommitted changes)" if said else "abc")
    for name in names:
        assert name * 2 in found.values()
    assert found["versions"].startswith("Python 3.11, torch 1.0")


def test_pictures_are_found_by_name_in_a_fixed_order():
    found = report.pictures(Path("figures"))
    assert list(found.values()) == [
        Path("figures/confusion.png"),
        Path("figures/learning_curves.png"),
    ]


def test_a_grid_may_come_back_from_its_file(tmp_path):
    made = make_report(tmp_path)
    grid_table.write(tmp_path, made.grid)
    back = pd.read_csv(tmp_path / "grid.csv")
    again = Report(made.card, made.split, back, made.overview, made.cells, made.provenance)
    assert text_of(report.render(again)) == text_of(report.render(made))
