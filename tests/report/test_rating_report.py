"""The page of a corpus without classes; tests/test_own_corpus.py walks the way to it."""

from dataclasses import replace

import pandas as pd
import pytest

from ser.contracts import RunSpec
from ser.evaluation import rating_comparison, rating_summary
from ser.grid.params import Cell
from ser.report import rating_report
from ser.report.rating_report import RatedCell, RatingReport
from ser.tracking.cells import CellRecord, RunRecord
from tests import synthetic
from tests.evaluation.rated import rated
from tests.report.support import PNG, section, split_of, text_of

BASELINES = pd.DataFrame(
    [("mean", "the <mean>", 3, 0.001, -0.01, 0.02, 0.81, 0.72, 0.93)],
    columns=[
        "name",
        "description",
        "num_folds",
        "ccc",
        "ccc_low",
        "ccc_high",
        "mae",
        "mae_low",
        "mae_high",
    ],
)


@pytest.fixture
def report(tmp_path):
    picture = tmp_path / "figure.png"
    picture.write_bytes(PNG)
    found: dict[Cell, RatedCell] = {}
    for seed, model in enumerate(("lstm", "vggish")):
        frame, speaker_of = rated(seed=seed)
        name, spec = (
            f"{model}-ccc",
            RunSpec(f"{model}-ccc", "key", {}, {"recipe": {"num_epochs": 17}}),
        )
        record = CellRecord("ser/demo-0-ratings/session", "", {}, RunRecord(spec), ())
        summary = rating_summary.summarise(frame, speaker_of)
        found[model, "ccc"] = RatedCell(name, record, frame, summary, {"Ratings": picture})
    summaries = {cell: one.summary for cell, one in found.items()}
    grid = rating_comparison.table(summaries)
    order = list(zip(grid["model"], grid["loss"], strict=True))
    sliced = rating_comparison.slices_table(found[order[0]].frame, {"speaker": speaker_of})
    card = synthetic.card(emotions=(), counts={}, num_used=120, num_sessions=0)
    return RatingReport(
        card, split_of(speaker_independent=True), ("valence", "arousal", "dominance"), grid,
        BASELINES, rating_comparison.pairs_table(summaries), sliced, picture,
        [found[cell] for cell in order], {"commit": "abc"},
    )  # fmt: skip


def test_every_number_of_the_table_is_on_the_page(report):
    page = text_of(rating_report.render(report))
    for row in report.grid.to_dict("records"):
        for name in ("ccc", "ccc_low", "ccc_high", "mae", "ccc_valence", "ccc_dominance_high"):
            assert f"{row[name]:.3g}" in page, name
    assert "0.001 -0.01 to 0.02 0.81 0.72 to 0.93" in page
    for row in report.slices.to_dict("records"):
        assert f"{row['value']} {row['num_utterances']} {row['ccc']:.3g} {row['mae']:.3g}" in page


def test_the_page_says_what_it_lacks_and_what_the_corpus_does_not_say(report):
    page = rating_report.render(report)
    said = text_of(page)
    assert (
        "ratings and no classes, so the page has no confusion, no recalls, no calibration" in said
    )
    assert "The corpus does not say the gender or the session" in section(page, "slices")
    assert "UAR" not in said
    assert "the &lt;mean&gt;" in page
    assert "num_epochs" in page


def test_synthetic_and_speaker_dependent_results_are_named(report):
    page = text_of(rating_report.render(report))
    assert "Synthetic speech" in page
    assert "Speaker-dependent" not in page
    real = replace(
        report,
        card=report.card.model_copy(update={"synthetic": False}),
        split=split_of(speaker_independent=False),
    )
    page = text_of(rating_report.render(real))
    assert "Synthetic speech" not in page
    assert "Speaker-dependent protocol" in page
