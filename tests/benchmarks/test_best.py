import numpy as np

from benchmarks import best, best_methods
from benchmarks.simulated_speakers import draw, shapes
from ser.evaluation import best as ours
from ser.evaluation.jackknife import Seeds


def trial(*gaps, seed=0):
    trials = draw(
        np.random.default_rng(seed), shapes()["emodb"], 1, uar=0.75, gaps=gaps,
        likeness=best.LIKENESS,
    )  # fmt: skip
    hits, spoken = trials.hits[:, 0], trials.spoken[0]
    none = Seeds(np.zeros(len(gaps)), np.ones(len(gaps)))
    return hits, spoken, ours.contest_of(hits, spoken, none)


def test_every_way_keeps_the_winner_and_drops_what_is_far_behind():
    hits, spoken, contest = trial(0.0, 0.1, 4.0, 4.5)
    resamples = best_methods.resample(np.random.default_rng(1), hits, spoken, 200)
    winner = contest.scores.argmax()
    for kept in (
        best_methods.holm_against_the_winner(contest),
        best_methods.bonferroni_against_all(contest),
        best_methods.confidence_set(contest.scores, resamples),
    ):
        assert kept[winner]
        assert not kept[2:].any()


def test_corrections_are_positive_among_equals_and_nothing_for_a_clear_winner():
    hits, spoken, contest = trial(*[0.0] * 8)
    clear, said, alone = trial(0.0, 4.0, 4.2, 4.4, 4.6)
    every = np.ones(8, dtype=bool)
    rng = np.random.default_rng(2)
    assert best_methods.drawn_optimism(best_methods.resample(rng, hits, spoken, 200)) > 0
    assert best_methods.shrunken_optimism(contest, every) > 0
    assert best_methods.left_out_optimism(clear, said) == 0
    assert abs(best_methods.drawn_optimism(best_methods.resample(rng, clear, said, 400))) < 0.02
    only = np.arange(5) == alone.scores.argmax()
    assert best_methods.shrunken_optimism(alone, only) == 0


def test_every_way_and_every_corpus_stands_between_the_marks_of_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(best, "NUM_CELLS", 4)
    monkeypatch.setattr(best, "GAPS", {"all alike": np.zeros(4), "at random": None})
    page = tmp_path / "page.md"
    page.write_text("before\n\n{}\nof another day\n{}\n\nafter\n".format(*best._MARKERS))
    assert best.main(["--trials", "2", "--into", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "of another day" not in text
    assert text.count(f"\n| {best.CHOSEN_SET}: ") == len(best.SETTINGS)
    assert text.count(f"\n| {best.CHOSEN_OPTIMISM} |") == 2
    for title in ("CREMA-D, 91; 2 seeds", "IEMOCAP, 10; 5 seeds"):
        assert f"\n| {title} |" in text
