import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest

from ser.evaluation import grid_table, published
from ser.evaluation.mistakes import SurestMistakes
from ser.project import Project
from ser.report import html, mistakes
from ser.report import page as pages
from ser.report.footer import SYNTHETIC_NOTICE
from ser.report.functional_rows import WHY_ABSENT
from tests.report.support import PNG, make_report, section, text_of


def of_iemocap(made, *, protocol="session"):
    """The report as if its corpus were IEMOCAP, of which there are published numbers."""
    card = made.card.model_copy(update={"name": "iemocap"})
    split = made.split.model_copy(update={"protocol": protocol})
    table = published.table(made.grid, card, split)
    evidence = replace(made.evidence, published=table)
    return replace(made, card=card, split=split, evidence=evidence)


def test_every_number_of_the_grid_is_on_the_page(tmp_path):
    made = make_report(tmp_path)
    page = text_of(pages.render(made))
    for row in made.grid.to_dict("records"):
        for name in ("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high", "macro_f1", "ece"):
            assert f"{100 * row[name]:.1f}" in page, name
        assert f"{row['mcc']:.3f}" in page
    for shown in made.cells:
        assert shown.name in page
        for recall in shown.summary.recall.values():
            assert f"{100 * recall:.1f}" in page


def test_the_baselines_stand_below_the_best_cell_of_each_model(tmp_path):
    made = make_report(tmp_path)
    page = pages.render(made)
    shown = section(page, "baselines")
    best, other = made.grid["loss"]
    assert f"lstm trained with {best}" in shown
    assert f"trained with {other}" not in shown
    assert shown.index(best) < shown.index("majority") < shown.index("mfcc_svm")
    assert "25.0 25.0 to 25.0 31.1 28.8 to 34.4 11.9" in shown
    assert "30.1 29.2 to 31.8 32.6 30.3 to 35.7 30.7" in shown
    assert page.count('<tr class="baseline') == 2
    assert "the commonest &lt;emotion&gt;" in page


def test_rows_that_need_opensmile_are_named_as_absent_with_the_cure_and_the_licence(tmp_path):
    page = pages.render(make_report(tmp_path))
    shown = section(page, "baselines")
    assert "Left out: egemaps_svm and compare_svm. They need the package opensmile" in shown
    assert "nothing failed. Its licence allows research, and no use in products" in shown
    commands = re.findall(r"<li><code>(.*)</code></li>", page)
    assert commands == [
        ".venv/bin/pip install -c constraints.txt -e '.[opensmile]'",
        'export PATH="$PWD/.venv/bin:$PATH"',
        "dvc repro --force --single-item baselines",
        "make repro",
    ]
    # The log of the stage names the same commands.
    assert re.findall(r"`([^`]+)`", WHY_ABSENT) == commands
    assert "were computed by openSMILE" not in shown


def test_rows_that_opensmile_made_stand_with_its_version_and_licence(tmp_path):
    made = make_report(tmp_path)
    computed = made.functionals.model_copy(update={"opensmile": "2.6.0"})
    shown = section(pages.render(replace(made, functionals=computed)), "baselines")
    said = "The functionals of egemaps_svm and compare_svm were computed by openSMILE 2.6.0. Its"
    assert said in shown
    assert "research, and no use in products" in shown
    assert "not installed" not in shown


def test_a_page_whose_params_ask_for_no_functionals_is_silent_about_them(tmp_path):
    made = make_report(tmp_path)
    nothing = made.functionals.model_copy(update={"asked": ()})
    for version in (None, "2.6.0"):
        one = nothing.model_copy(update={"opensmile": version})
        page = pages.render(replace(made, functionals=one))
        assert "opensmile" not in page.lower()


def test_cells_that_are_not_clearly_better_than_the_baselines_are_named(tmp_path):
    made = make_report(tmp_path)
    made.grid.loc[:, "uar_low"] = [0.302, 0.301]
    named = f"reaches down to the baselines' highest UAR: lstm-{made.grid['loss'][1]}."
    assert named in section(pages.render(made), "baselines")
    made.grid.loc[:, "uar_low"] = [0.302, float("nan")]
    assert named in section(pages.render(made), "baselines")
    made.grid.loc[:, "uar_low"] = 0.302
    shown = section(pages.render(made), "baselines")
    assert "Not clear" not in shown
    assert "The interval of every cell begins above the highest UAR of the baselines." in shown


def test_the_shortcut_is_shown_in_numbers(tmp_path):
    shown = section(pages.render(of_iemocap(make_report(tmp_path, is_synthetic=False))), "shortcut")
    for part in (
        "tells scripted from improvised utterances at UAR 81.7 % ( 79.1 to –",  # noqa: RUF001
        "WA 82.3",
        "emotions at UAR 33.7 % ( 30.9 to 36.3 ; guessing: 25.0 )",
        "Of angry , the difference between scripted and improvised explains 3.1 %",
        "angry 39 22.7 58 38.9 0.176 3.1",
        "all 172 149 0.187",
        "HuBERT row",
    ):
        assert part.replace(" ", "") in shown.replace(" ", ""), part


def test_a_shortcut_without_an_answer_is_a_sentence_and_no_table(tmp_path):
    made = replace(make_report(tmp_path), shortcut={"unanswered": "All of it is <read>."})
    page = pages.render(made)
    shown = section(page, "shortcut")
    assert "All of it is &lt;read&gt;." in shown
    assert "Cramér" not in page


def test_a_corpus_with_one_kind_of_speech_has_no_word_about_the_shortcut(tmp_path):
    made = make_report(tmp_path)
    assert 'href="#shortcut"' in pages.render(made)
    page = pages.render(replace(made, shortcut=None))
    for word in ("hortcut", "scripted from", "Read and improvised"):
        assert word not in page


def test_a_corpus_without_published_numbers_has_no_word_about_the_study(tmp_path):
    made = make_report(tmp_path, is_synthetic=False)
    assert 'href="#published"' in pages.render(of_iemocap(made))
    for corpus in (made, make_report(tmp_path, is_synthetic=True)):
        text = text_of(pages.render(corpus))
        for word in ("ublished", "IEMOCAP", "HuBERT", "the study"):
            assert word not in text


def test_where_the_weights_of_a_model_came_from_stands_below_its_name(tmp_path):
    page = pages.render(make_report(tmp_path))
    for origin in ("nobody/tiny@0abc", "nobody/tiny@1abc"):
        assert f'lstm<span class="origin">{origin}</span>' in page


def test_an_unknown_interval_is_a_dash(tmp_path):
    made = make_report(tmp_path)
    made.grid.loc[:, ["uar_low", "uar_high"]] = float("nan")
    page = pages.render(made)
    assert "– to –" in page  # noqa: RUF001
    assert not re.search(r"\bnan\b", text_of(page))


def test_the_page_loads_nothing_from_anywhere(tmp_path):
    page = pages.render(make_report(tmp_path))
    links = re.findall(r"(?:src|href|action|data)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert links
    inside = ("data:image/webp;base64,", "#")
    assert [link[:40] for link in links if not link.startswith(inside)] == []
    for link in links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page
    assert not re.search(r"url\(|@import|<script[^>]|<link|<iframe|https?://|fetch|import\(", page)


def test_the_pictures_are_inside(tmp_path):
    page = pages.render(make_report(tmp_path))
    (tmp_path / "again.png").write_bytes(PNG)
    # Four of the page, one of calibration, one of embeddings, one of each of two cells.
    assert page.count(f'src="{html.image(tmp_path / "again.png")}"') == 8


def test_synthetic_speech_is_named_and_real_speech_is_not_called_so(tmp_path):
    page = pages.render(make_report(tmp_path, is_synthetic=True))
    assert SYNTHETIC_NOTICE in page
    assert "SYNTHETIC" in page
    assert "demo (synthetic)" in page
    page = pages.render(make_report(tmp_path, is_synthetic=False))
    assert SYNTHETIC_NOTICE not in page
    assert "ynthetic" not in page.replace("real speech", "")
    assert "eal speech" in page


def test_a_speaker_dependent_protocol_is_named_and_an_independent_one_is_not_called_so(tmp_path):
    page = pages.render(make_report(tmp_path, speaker_independent=False))
    assert "Speaker-dependent protocol" in page
    assert "SPEAKER-DEPENDENT" in page
    assert "No test speaker was heard" not in page
    page = pages.render(make_report(tmp_path, speaker_independent=True))
    assert "peaker-dependent" not in page
    assert "No test speaker was heard" in page


def test_how_cells_were_trained_is_said_at_the_head_and_beside_their_scores(tmp_path):
    report = make_report(tmp_path)
    usual = text_of(pages.render(report)).lower()
    assert "refitted" not in usual
    assert "transductive" not in usual
    first, second = report.cells
    params = {**first.params, "training": {"refit": True}}
    params["recipe"] = {**params["recipe"], "normalisation": "speaker"}
    marked = replace(report, cells=[replace(first, params=params), second])
    text = pages.render(marked)
    head = text_of(text[: text.index("<nav")])
    assert f"Refitted ({first.name}): once dev had chosen" in head
    assert f"Transductive ({first.name}): inputs are normalised per speaker" in head
    assert text.count("refitted; transductive</span>") == 1
    assert "the final weights have seen dev" in section(text, "calibration")


def test_one_seed_is_said_to_show_no_spread(tmp_path):
    notice = "single seed"
    assert notice in text_of(pages.render(make_report(tmp_path, num_seeds=1)))
    assert notice not in text_of(pages.render(make_report(tmp_path, num_seeds=2)))


def test_sentences_of_no_other_part_are_named_where_they_are_dealt(tmp_path):
    usual = make_report(tmp_path)
    assert "test sentence was" not in text_of(pages.render(usual))
    split = usual.split.model_copy(update={"protocol": "text"})
    said = {split.folds[0].fold: ["Come in.", "Go <away>.", "Stay.", "Why?"]}
    page = pages.render(replace(usual, split=split, sentences=said))
    assert "no test sentence is in another part of its fold" in text_of(page[: page.index("<nav")])
    data = section(page, "data")
    assert "4: 'Come in.', 'Go &lt;away&gt;.', 'Stay.' and 1 more" in data.replace("&#39;", "'")
    assert "No test speaker was heard in training or in choosing. No test sentence was," in text_of(
        data
    )
    assert "What this protocol costs is not measured" in text_of(data)


def test_data_folds_params_and_provenance_are_shown(tmp_path):
    page = text_of(pages.render(make_report(tmp_path)))
    for shown in (
        "321", "2.00 h", "10 speakers in 5 sessions", "Recordings refused: 7", "Ses01F", "Ses02F",
        "101", "102", "103", "12.3 %", "recipe.num_epochs 17", "0123abc", "25.0 %",
    ):  # fmt: skip
        assert shown in page, shown


def test_texts_of_others_cannot_become_markup(tmp_path):
    page = pages.render(make_report(tmp_path))
    assert "Free &lt;of&gt; charge." in page
    assert "Nobody &amp; Co." in page


def test_provenance_is_the_same_wherever_the_report_is_made():
    names = ("manifest", "split", "features", "source")
    tags = {f"ser.{name}_sha256": name * 2 for name in names}
    tags |= {"ser.model": "lstm", "ser.loss": "aam", "ser.torch": "2.11.0", "ser.numpy": "2.4"}
    found = pages.provenance({**tags, "ser.git_commit": "abc", "ser.platform": "Linux"})
    assert found == pages.provenance(tags)
    for name in names:
        assert name * 2 in found.values()
    assert found["versions"] == "numpy 2.4, torch 2.11.0"
    assert "ser verify lstm-aam" in found["commit, machine"]


def test_pictures_are_found_by_name_in_a_fixed_order():
    found = pages.pictures(Path("figures"))
    assert list(found.values()) == [
        Path("figures/learning_curves.png"),
    ]


def test_a_grid_may_come_back_from_its_file(tmp_path):
    made = make_report(tmp_path)
    grid_table.write(Project(tmp_path), made.grid)
    project = Project(tmp_path)
    back = pd.read_csv(project.grid).merge(pd.read_csv(project.breakdown("best")))
    again = replace(made, grid=back)
    assert text_of(pages.render(again)) == text_of(pages.render(made))


def test_best_loss_stands_against_the_others_with_its_interval_and_p(tmp_path):
    made = make_report(tmp_path)
    shown = section(pages.render(made), "evidence")
    (pair,) = made.evidence.pairs.to_dict("records")
    assert f"{100 * abs(pair['difference']):.1f}" in shown
    assert f"{pair['p_holm']:.3f}" in shown
    assert "not told apart" in shown
    assert f"{100 * made.evidence.detectable:.1f} points" in shown
    assert "Friedman's test over all of them: p = 0.043" in shown.replace("&#39;", "'")


def test_calibration_before_and_after_stands_on_the_page(tmp_path):
    made = make_report(tmp_path)
    shown = section(pages.render(made), "calibration")
    for row in made.evidence.calibration.to_dict("records"):
        for name in ("temperature", "nll", "nll_scaled", "brier", "brier_scaled"):
            assert f"{row[name]:.2f}" in shown
        assert f"{100 * row['ece_scaled']:.1f}" in shown


def test_slices_of_the_best_cell_and_the_gaps_stand_on_the_page(tmp_path):
    made = make_report(tmp_path)
    best = made.grid["loss"][0]
    shown = section(pages.render(made), "slices")
    gaps = made.evidence.gaps("lstm", best)
    for name in ("gender_gap", "worst_speaker_uar", "worst_slice_uar"):
        assert f"{100 * gaps[name]:.1f}" in shown
    rows = made.evidence.slices[made.evidence.slices["loss"] == best]
    assert all(value in shown for value in rows["value"])


def test_cells_stand_beside_the_votes_and_one_rater(tmp_path):
    made = make_report(tmp_path, voted=True)
    page = pages.render(made)
    shown = section(page, "votes")
    assert f"{made.evidence.votes.statement}." in shown
    places = []
    for row in made.evidence.soft.to_dict("records"):
        name = f"{row['model']}-{row['loss']}" if row["loss"] else row["model"]
        entropy = "–" if pd.isna(row["soft_cross_entropy"]) else f"{row['soft_cross_entropy']:.2f}"  # noqa: RUF001
        places.append(shown.index(f"{name} {row['num_utterances']} {entropy}"))
        assert f"{row['soft_js_distance']:.2f}" in shown
        assert f"{100 * row['soft_macro_f1']:.1f}" in shown
    assert "above 0.25" in shown
    assert len(places) == 5
    assert "– to –" not in shown  # noqa: RUF001
    assert places == sorted(places)


def test_a_corpus_without_votes_says_so_in_a_line(tmp_path):
    page = pages.render(make_report(tmp_path))
    assert section(page, "votes").endswith(
        "The corpus has no votes of raters for these emotions, so there is nothing to compare "
        "probabilities with."
    )


def test_published_numbers_are_shown_and_the_invalid_ones_struck_through(tmp_path):
    page = pages.render(of_iemocap(make_report(tmp_path, is_synthetic=False)))
    assert "Nothing is comparable" in section(page, "published")
    assert "<s>81.3</s>" in page  # HuBERT with cross-entropy, on file names
    assert "<s>57.5</s>" not in page
    assert "ours %" not in page


def test_published_numbers_of_the_same_task_have_ours_beside_them(tmp_path):
    made = of_iemocap(make_report(tmp_path, is_synthetic=False), protocol="random")
    shown = section(pages.render(made), "published")
    assert "ours %" in shown
    assert "80.1 %" in shown  # what a rater agrees with


def test_the_answer_stands_first_with_its_interval_corrected_and_who_is_not_told_apart(tmp_path):
    made = make_report(tmp_path)
    page = pages.render(made)
    head = text_of(page[: page.index("<nav")])
    best, other = made.grid.to_dict("records")
    assert f"Best: lstm with {best['loss']}." in head
    for name in ("uar", "uar_low", "uar_high", "uar_corrected", "uar_corrected_low"):
        assert f"{100 * best[name]:.1f}" in head, name
    assert f"{100 * (best['uar'] - other['uar']):.1f}" in head
    for name in ("p_against_best", "p_corrected"):
        assert f"{other[name]:.3f}" in head
    assert f"Not told apart from it (1 of 1): lstm-{other['loss']}." in head
    assert "tied" not in text_of(page)
    made.grid.loc[1, ["tied_with_best", "p_corrected"]] = [False, 0.0004]
    told = pages.render(made)
    head = text_of(told[: told.index("<nav")])
    assert "All other 1 cells are told apart from it." in head
    assert "&lt; 0.001 " in head
    assert "worse" in head


def test_one_cell_is_the_best_without_a_contest(tmp_path):
    made = make_report(tmp_path)
    alone = replace(made, grid=made.grid[:1], cells=made.cells[:1])
    head = text_of(pages.render(alone).partition("<nav")[0])
    assert "Best: lstm with" in head
    assert "Corrected" not in head
    assert "Not told apart" not in head


def test_folds_and_speakers_stand_side_by_side_for_the_best_cell_of_every_model(tmp_path):
    made = make_report(tmp_path)
    shown = section(pages.render(made), "breakdown")
    best = made.grid["loss"][0]
    for name, key in (("folds", "fold"), ("speakers", "speaker")):
        table = made.breakdown[name]
        for row in table[table["loss"] == best].to_dict("records"):
            assert f"{row[key]} {row['num_utterances']} {100 * row['uar']:.1f}" in shown


def test_confused_pairs_name_their_surest_mistakes(tmp_path):
    made = make_report(tmp_path)
    some = SurestMistakes((), 3, 120, 2)
    section_ = mistakes.section("lstm-focal", some, None)
    shown = section(pages.render(replace(made, mistakes=section_)), "mistakes")
    pairs = made.breakdown["confusions"]
    row = pairs[pairs["loss"] == made.grid["loss"][0]].iloc[0]
    said = f"{row['truth']} {row['prediction']} {row['num_mistakes']} of {row['num_spoken']}"
    assert said in shown
    assert row["surest"].replace(" ", ", ") in shown


def test_the_methods_stand_on_the_page(tmp_path):
    page = pages.render(make_report(tmp_path))
    assert "Two cells were <compared>." in unescape(section(page, "methods"))


def test_params_that_all_cells_share_stand_once(tmp_path):
    page = pages.render(make_report(tmp_path))
    assert page.count("<code>recipe.num_epochs</code>") == 1
    assert page.count("<code>loss.name</code>") == 2


def test_the_confusion_matrix_of_a_cell_is_a_table_with_shares_and_counts(tmp_path):
    made = make_report(tmp_path)
    page = pages.render(made)
    counts = made.cells[0].summary.confusion
    shown = text_of(page[page.index('class="matrix"') - 20 :].partition("</table>")[0])
    share = 100 * counts[1, 2] / counts[1].sum()
    assert f"{share:.0f} % {counts[1, 2]}" in shown
    assert page.count('class="matrix"') == 2


@pytest.mark.parametrize(
    ("absent", "said"),
    [
        ((), None),
        (("gender",), "does not say the gender, so there is no such slice"),
        (("gender", "session"), "does not say the gender or the session, so"),
    ],
)
def test_what_the_corpus_does_not_say_of_its_speakers_is_named(tmp_path, absent, said):
    made = make_report(tmp_path)
    slices = made.evidence.slices
    left = replace(made.evidence, slices=slices[~slices["slice"].isin(absent)])
    shown = section(pages.render(replace(made, evidence=left)), "slices")
    assert ("does not say" in shown) == (said is not None)
    assert said is None or said in shown


def test_a_corpus_without_sessions_has_none_on_the_page(tmp_path):
    made = make_report(tmp_path)
    page = text_of(pages.render(made))
    assert "10 speakers in 5 sessions" in page
    card = made.card.model_copy(update={"num_sessions": 0})
    page = text_of(pages.render(replace(made, card=card)))
    assert "10 speakers" in page
    assert "sessions" not in page[: page.index("UAR of guessing")]
