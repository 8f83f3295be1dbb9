"""The section of changed recordings: with and without copies, with and without a twin."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from ser.errors import FileError
from ser.evaluation import robustness
from ser.grid.params import CellParams
from ser.report import html
from ser.report import page as pages
from ser.report import robustness as robustness_section
from tests.report.support import make_report, section

FOOT = "corpus demo (SYNTHETIC speech), protocol session"
CELLS = {
    f"{model}-{loss}": CellParams(model=model, loss=loss, feature=feature)
    for model, loss, feature in (
        ("lstm", "focal", "mfcc"),
        ("lstm", "aam", "mfcc"),
        ("hubert", "aam", "hubert"),
    )
}
ORDER = [("hubert", "aam"), ("lstm", "aam"), ("lstm", "focal")]


def scored(model, loss, copy, uar, stability):
    ends = {
        "uar_low": uar - 0.0511,
        "uar_high": uar + 0.0322,
        "stability_low": stability - 0.0133,
        "stability_high": stability,
        "uar_change": uar - 0.9,
        "uar_change_low": uar - 0.9123,
        "uar_change_high": uar - 0.8456,
        "num_seeds": 1,
    }
    return {
        "model": model, "loss": loss, "copy": copy, "uar": uar, "stability": stability, **ends,
    }  # fmt: skip


SCORES = [
    scored("lstm", "focal", "clean", 0.9, 1.0),
    scored("lstm", "focal", "noise_20db", 0.8014, 0.8127),
    scored("lstm", "focal", "noise_0db", 0.4012, 0.5128),
    scored("lstm", "focal", "telephone", 0.7016, 0.4129),
    scored("lstm", "aam", "clean", 0.9, 1.0),
    scored("lstm", "aam", "telephone", 0.8617, 0.9131),
]


def compared(copy, difference, *, significant):
    return {
        "model": "lstm", "loss": "focal", "copy": copy, "num_speakers": 10, "uar_with": 0.8234,
        "uar_without": 0.8234 - difference, "difference": difference, "low": difference - 0.0219,
        "high": difference + 0.0317, "effect_size": 0.9, "p": 0.0021, "p_holm": 0.0042,
        "significant": significant,
    }  # fmt: skip


PAIRS = [
    compared("clean", 0.0141, significant=False),
    compared("noise_20db", 0.0742, significant=True),
    compared("telephone", -0.0643, significant=True),
]


@pytest.fixture
def shown(tmp_path):
    """Writes the tables, and gives the section and the page."""

    def show(scores=SCORES, pairs=()):
        scores = pd.DataFrame(scores, columns=list(robustness.COLUMNS))
        scores.to_csv(tmp_path / "robustness.csv", index=False)
        pairs = pd.DataFrame(pairs, columns=list(robustness.PAIR_COLUMNS))
        pairs.to_csv(tmp_path / "pairs.csv", index=False)
        found, ordered = robustness_section.read(
            tmp_path / "robustness.csv", tmp_path / "pairs.csv", CELLS, ORDER
        )
        drawn = robustness_section.draw(tmp_path, ordered, chance=0.25, footer=FOOT)
        found = replace(found, figures=drawn)
        return found, pages.render(replace(make_report(tmp_path), robustness=found))

    return show


def test_every_change_of_a_cell_is_a_row_with_its_level_and_all_numbers(shown):
    text = section(shown()[1], "robustness")
    assert "telephone 70.2 65.0 to 73.4 -19.8 -21.1 to -14.4 41.3 40.0 to 41.3" in text
    assert "white noise 0 dB 40.1 35.0 to 43.3 -49.9" in text
    assert "clean 90.0 84.9 to 93.2 white noise 20 dB 80.1" in text


def test_the_cells_stand_in_the_order_of_the_grid_with_their_worst_changes(shown):
    text = section(shown()[1], "robustness")
    first = "lstm-aam 90.0 86.2 telephone 91.3 telephone"
    second = "lstm-focal 90.0 40.1 white noise 0 dB 41.3 telephone"
    assert f"{first} {second}" in text


def test_curves_and_squares_are_on_the_page(shown):
    found, page = shown()
    assert set(found.figures) == {"snr", "stability"}
    for path in found.figures.values():
        assert f'src="{html.image(path)}"' in page
        assert path.with_suffix(".svg").is_file()


def test_without_noise_at_several_levels_there_are_no_curves(shown):
    found, page = shown(SCORES[-2:])
    assert set(found.figures) == {"stability"}
    assert "signal-to-noise" not in section(page, "robustness")


def test_a_feature_without_copies_is_named_with_what_to_write(shown):
    found, page = shown()
    assert found.without == {"hubert": ["hubert"]}
    text = section(page, "robustness")
    assert "Some features were extracted without copies" in text
    assert "hubert (hubert). To know it, name changes in params.yaml" in text
    assert "features: hubert: copies: [clean, noise_20db, noise_10db, telephone]" in text


def test_where_no_feature_has_copies_the_section_says_so_and_how_to_get_them(shown):
    found, page = shown(scores=[])
    assert (found.rows, found.figures) == ({}, {})
    text = section(page, "robustness")
    assert "The features of this comparison were extracted without copies" in text
    assert "mfcc (lstm), hubert (hubert)." in text
    assert text.count("copies: [clean, noise_20db") == 2
    assert "interval" not in text


def test_what_is_to_be_written_into_params_names_copies_that_there_are(shown):
    from ser.features.copies import change_of

    _, page = shown(scores=[])
    (named,) = set(re.findall(r"copies: \[(.*?)\]", page))
    for copy in named.split(", "):
        assert change_of(copy)


def test_a_twin_without_copies_stands_beside_its_cell_with_the_paired_test(shown):
    text = section(shown(pairs=PAIRS)[1], "robustness")
    assert "lstm-focal: did training on copies pay?" in text
    assert "clean 82.3 80.9 1.4 -0.8 to 4.6 0.004 not told apart" in text
    assert "white noise 20 dB 82.3 74.9 7.4 5.2 to 10.6 0.004 better with copies" in text
    assert "telephone 82.3 88.8 -6.4 -8.6 to -3.3 0.004 worse with copies" in text
    assert "paired test over 10 speakers, corrected after Holm" in text


def test_without_a_twin_nothing_is_said_of_one(shown):
    assert "did training on copies pay" not in section(shown()[1], "robustness")


@pytest.mark.parametrize("name", ["robustness.csv", "pairs.csv"])
def test_a_table_that_is_not_the_stage_s_is_named_with_the_cure(shown, tmp_path, name):
    shown()
    paths = (tmp_path / "robustness.csv", tmp_path / "pairs.csv", CELLS, ORDER)
    (tmp_path / name).write_text("a,b\n1,2\n")
    with pytest.raises(FileError, match=f"{name}: it lacks columns .*`dvc repro robustness`"):
        robustness_section.read(*paths)
    (tmp_path / name).unlink()
    with pytest.raises(FileError, match=f"{name}: no such file; `dvc repro robustness` makes it"):
        robustness_section.read(*paths)
