from dataclasses import replace

import numpy as np
import pytest

from benchmarks import coverage, intervals, paired_tests
from benchmarks.simulated_speakers import Likeness, draw, shapes


def test_the_simulated_scores_are_the_means_of_many_speakers():
    shape = shapes()["emodb-7"]
    trials = draw(np.random.default_rng(0), shape, 4000, uar=0.75, gaps=(0.0, 0.5))
    assert trials.uars[0] == pytest.approx(0.75)
    totals = trials.spoken.sum(axis=(0, 1))
    for hits, uar, wa in zip(trials.hits, trials.uars, trials.was, strict=True):
        of_classes = hits.sum(axis=(0, 1))
        assert (of_classes / totals).mean() == pytest.approx(uar, abs=0.005)
        assert of_classes.sum() / totals.sum() == pytest.approx(wa, abs=0.005)


def test_cells_that_share_all_their_luck_and_have_no_spread_decide_alike():
    alike = Likeness(shared=1.0, spread=0.0)
    shape = shapes()["six"]
    trials = draw(np.random.default_rng(1), shape, 50, uar=0.75, gaps=(0.0, 0.0), likeness=alike)
    np.testing.assert_array_equal(trials.hits[0], trials.hits[1])
    worse = draw(np.random.default_rng(1), shape, 50, uar=0.75, gaps=(0.0, 1.0), likeness=alike)
    assert (worse.hits[0] >= worse.hits[1]).all()


def test_speakers_who_are_less_alike_are_understood_less_alike():
    usual = replace(shapes()["iemocap"], speaker_spread=0.6)
    spreads = []
    for shape in (usual, replace(usual, speaker_spread=1.2)):
        trials = draw(np.random.default_rng(6), shape, 200, uar=0.75)
        assert trials.uars[0] == pytest.approx(0.75)
        spreads.append((trials.hits[0].sum(axis=2) / trials.spoken.sum(axis=2)).std())
    assert spreads[1] > 1.5 * spreads[0]


def test_speakers_say_as_much_as_those_of_the_corpora_do():
    rng = np.random.default_rng(2)
    emodb = draw(rng, shapes()["emodb-7"], 500, uar=0.75).spoken
    assert emodb.sum(axis=(1, 2)).mean() == pytest.approx(535, rel=0.03)
    assert (emodb == 0).any()  # a speaker without disgust
    iemocap = draw(rng, shapes()["iemocap"], 500, uar=0.75).spoken
    assert iemocap.sum(axis=(1, 2)).mean() == pytest.approx(5531, rel=0.03)


def test_every_shape_has_its_rows_between_the_marks_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(coverage, "UARS", (0.75, 0.985))
    page = tmp_path / "page.md"
    page.write_text("before\n\n{}\nof another day\n{}\n\nafter\n".format(*coverage._MARKERS))
    assert coverage.main(["--trials", "8", "--into", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "of another day" not in text
    for shape in shapes().values():
        assert text.count(f"\n| {shape.title} |") == 4
    for method in (*intervals.CLOSED, *intervals.RESAMPLED, *paired_tests.TESTS):
        assert f"\n| {method} |" in text
