import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser.errors import FileError, LineageError
from ser.evaluation import tuning_gain
from ser.project import Project
from ser.report import page as pages
from ser.report import tuning as tuning_section
from tests.report.support import make_report, png, section

AAM = {
    "model": "lstm", "loss": "aam", "num_trials": 20, "dev_uar_constants": 0.701,
    "dev_uar_tuned": 0.802, "test_uar_constants": 0.603, "test_uar_tuned": 0.654,
    "difference": 0.051, "low": 0.012, "high": 0.093, "p": 0.0214,
}  # fmt: skip
FOCAL = AAM | {"loss": "focal", "num_trials": 0, "difference": 0.0, "low": 0.0, "high": 0.0}
VALUES = {"loss.margin_rad": 0.123456, "learning_rate": 0.000321, "loss.warmup_epochs": 5}
ENTRY = {
    str(fold): {
        "params": VALUES | {"loss.margin_rad": 0.1 * fold},
        "study": f"lstm-aam/fold-{fold}/abc",
        "num_trials": 20,
        "dev_uar": 0.80 + 0.01 * fold,
    }
    for fold in (10, 2, 1)
}
KEPT = {"1": {"params": {}, "study": None, "num_trials": 0, "dev_uar": None}}
FIGURES = ("contour", "history")


def picture(fold, name):
    """Another content for every file, so that the page tells which one it shows."""
    return png((4 + fold, 2 + FIGURES.index(name)))


@pytest.fixture
def places(tmp_path):
    """What the stages tune and gain write for one tuned cell."""
    project = Project(tmp_path)
    paths = project.tuning_gain, project.tuned("mfcc"), project.tuning_figures("mfcc")
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    table([AAM]).to_csv(paths[0], index=False)
    paths[1].write_text(json.dumps({"lstm": {"aam": ENTRY, "focal": KEPT}}))
    for fold in (2, 10, 1):
        folder = paths[2] / "lstm-aam" / f"fold-{fold}"
        folder.mkdir(parents=True)
        for name in FIGURES:
            (folder / f"{name}.png").write_bytes(picture(fold, name))
    return paths


def table(rows):
    return pd.DataFrame(rows, columns=list(tuning_gain.COLUMNS))


def read(places):
    """The section of a project whose cell is that of AAM."""
    return tuning_section.read(Project(places[0].parents[1]), {"lstm-aam": "mfcc"})


@pytest.fixture(scope="module")
def untuned(tmp_path_factory):
    """A report to put the section into."""
    return make_report(tmp_path_factory.mktemp("report"))


def shown(untuned, places):
    return pages.render(replace(untuned, tuning=read(places)))


def test_folds_and_figures_are_in_order(places):
    found = read(places)
    assert [row["fold"] for row in found.chosen["lstm-aam"]] == [1, 2, 10]
    assert list(found.figures["lstm-aam"]) == [1, 2, 10]
    for fold, pictures in found.figures["lstm-aam"].items():
        folder = places[2] / "lstm-aam" / f"fold-{fold}"
        assert list(pictures.items()) == [
            ("Trials in order", folder / "history.png"),
            ("Margin against scale", folder / "contour.png"),
        ]


def test_the_table_holds_every_number_and_the_verdict_in_words(places, untuned):
    text = section(shown(untuned, places), "tuning")
    assert "lstm-aam 20 70.1 80.2 60.3 65.4 5.1 1.2 to 9.3" in text
    assert "tuning beat the constants on test" in text
    assert "Nothing was tuned" not in text


def test_p_stands_in_the_table(places, untuned):
    table([AAM]).to_csv(places[0], index=False)
    text = section(shown(untuned, places), "tuning")
    assert "1.2 to 9.3 0.021 tuning beat" in text
    assert "paired test over speakers" in text


def test_the_values_of_every_fold_are_shown_with_their_digits(places, untuned):
    text = section(shown(untuned, places), "tuning")
    assert "fold trials best dev UAR&nbsp;% loss.margin_rad learning_rate loss.warmup" in text
    for row in ("1 20 81.0 0.1 0.000321 5", "2 20 82.0 0.2 0.000321 5", "10 20 90.0 1 0.000321 5"):
        assert f" {row} " in text


def test_the_searches_are_a_page_of_their_own_that_the_report_links(places, untuned):
    text = section(shown(untuned, places), "tuning")
    assert '<a href="tuning.html">' in shown(untuned, places)
    assert "The searches as Optuna draws them" in text
    assert "data:" not in shown(untuned, places).split('id="tuning"')[1].split("</section>")[0]


def test_without_figures_the_values_are_shown_alone(places, untuned, tmp_path):
    places[2].rename(tmp_path / "aside")
    page = shown(untuned, places)
    assert "tuning.html" not in page
    assert "0.000321" in section(page, "tuning")


@pytest.mark.parametrize("rows", [[], [FOCAL]])
def test_where_nothing_was_tuned_one_sentence_says_so(places, untuned, rows):
    table(rows).to_csv(places[0], index=False)
    text = section(shown(untuned, places), "tuning")
    assert text.endswith(
        "Did tuning pay? Nothing was tuned: every cell has the values of params.yaml ."
    )


def test_a_cell_without_trials_beside_a_tuned_one_is_named_and_not_judged(places, untuned):
    table([FOCAL, AAM]).to_csv(places[0], index=False)
    text = section(shown(untuned, places), "tuning")
    assert "Without a trial, so with the values of params.yaml : lstm-focal." in text
    assert text.count("lstm-focal") == 1
    assert "no difference" not in text
    table([AAM]).to_csv(places[0], index=False)
    assert "Without a trial" not in section(shown(untuned, places), "tuning")


def test_one_speaker_allows_no_interval_and_no_verdict(places, untuned):
    table([AAM | {"low": np.nan, "high": np.nan}]).to_csv(places[0], index=False)
    text = section(shown(untuned, places), "tuning")
    assert "5.1 – to –" in text  # noqa: RUF001
    assert "one speaker allows no verdict" in text


@pytest.mark.parametrize(
    "content",
    [
        {"lstm": {"focal": KEPT}},
        {"lstm": {"aam": {}}},
        {"lstm": {"aam": None}},
        {"lstm": {"aam": {"one": ENTRY["1"]}}},
        {"lstm": {"aam": KEPT}},
        {"lstm": {"aam": ENTRY | {"2": KEPT["1"]}}},
        [],
    ],
)
def test_what_was_chosen_must_fit_the_table(places, content):
    places[1].write_text(json.dumps(content))
    cure = r"mfcc\.json.*lstm\.aam.*`dvc repro tune"
    with pytest.raises((FileError, LineageError), match=cure):
        read(places)


@pytest.mark.parametrize("text", ["", "model,loss\nlstm,aam\n", None])
def test_a_table_that_is_none_is_refused(places, text):
    places[0].unlink()
    if text is not None:
        places[0].write_text(text)
    with pytest.raises(FileError, match=r"tuning\.csv: .*`dvc repro gain`"):
        read(places)


def test_a_table_of_words_is_refused(places):
    table([AAM | {"difference": "much"}]).to_csv(places[0], index=False)
    with pytest.raises(FileError, match="much"):
        read(places)


def test_a_missing_outcome_of_tuning_is_named(places):
    places[1].unlink()
    with pytest.raises(FileError, match=r"mfcc\.json: no such file"):
        read(places)


def test_a_table_of_another_presets_cells_is_refused(places):
    with pytest.raises(
        LineageError, match=r"tells of lstm-aam, .*params\.yaml; run `dvc repro gain`"
    ):
        tuning_section.read(Project(places[0].parents[1]), {"hubert-aam": "hubert"})
