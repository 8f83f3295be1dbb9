"""Tables for a paper."""

import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser.cli.runs import Format
from ser.errors import SerError
from ser.grid.procedure import Procedure
from ser.report import paper
from ser.report.footer import SYNTHETIC_NOTICE
from ser.report.results import Result
from tests import synthetic
from tests.evaluation.support import grid
from tests.report.support import BASELINES

CARD = synthetic.card(name="emodb", synthetic=False, num_used=339, num_speakers=10)
SPLIT = synthetic.split_report(folds=[synthetic.fold_report(number) for number in range(1, 6)])
ORIGINS = dict.fromkeys(("lstm-cross_entropy", "lstm-focal"), "from scratch")
PROCEDURES = dict.fromkeys(ORIGINS, Procedure())


def result(**card):
    card = CARD.model_copy(update=card)
    return Result(grid(), BASELINES, ORIGINS, PROCEDURES, card, SPLIT)


def rows_of(table):
    """The rows of a LaTeX table, each a list of cells."""
    body = table[table.index(r"\toprule") : table.index(r"\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in lines]


def test_latex_has_the_rules_of_booktabs_and_as_many_cells_in_every_row_as_columns():
    table = paper.as_latex(result())
    for begin, end in re.findall(r"\\(begin)\{(\w+)\}", table) and [("tabular", "table")]:
        assert table.count(rf"\begin{{{begin}}}") == table.count(rf"\end{{{begin}}}") == 1
        assert table.count(rf"\begin{{{end}}}") == table.count(rf"\end{{{end}}}") == 1
    assert [table.count(rf"\{name}rule") for name in ("top", "mid", "bottom")] == [1, 2, 1]
    (columns,) = re.findall(r"\\begin\{tabular\}\{(\w+)\}", table)
    rows = rows_of(table)
    assert {len(row) for row in rows} == {len(columns)}
    assert len(rows) == 1 + 2 + 2  # names, cells, baselines
    assert table.count("{") == table.count("}")


def test_latex_escapes_names_and_marks_what_is_not_told_apart():
    found = result()
    found.grid["tied_with_best"] = [True, False]
    first, second, *baselines = rows_of(paper.as_latex(found))[1:]
    names = [found.grid["loss"][n].replace("_", r"\_") for n in (0, 1)]
    assert [first[1], second[1]] == names
    assert first[2] == f"{100 * found.grid['uar'][0]:.1f}" + r"\textsuperscript{\textdagger}"
    assert second[2] == f"{100 * found.grid['uar'][1]:.1f}"
    assert [row[1] for row in baselines] == ["majority", r"mfcc\_svm"]
    assert not re.search(r"(?<!\\)[%#_$&^~](?!.* & )", first[1] + second[1])


def test_tables_of_two_tasks_or_protocols_have_two_labels_and_fit_the_page():
    params = {"title": "calls"}
    tables = [
        paper.as_latex(result()),
        paper.as_latex(result(params=params)),
        paper.as_latex(replace(result(), split=SPLIT.model_copy(update={"protocol": "text"}))),
    ]
    labels = [re.search(r"\\label\{(.+)\}", table)[1] for table in tables]
    assert labels == ["tab:ser-emodb-session", "tab:ser-emodb-calls-session", "tab:ser-emodb-text"]
    # Compiled once: 63 points too wide in the size of the text.
    assert tables[0].index(r"\footnotesize") < tables[0].index(r"\begin{tabular}")


def test_every_letter_that_latex_reads_is_escaped():
    assert paper.escaped("a < b > c | d") == (r"a \textless{} b \textgreater{} c \textbar{} d")
    assert paper.escaped("a_b & 5 % {x} $1 #2 ~ ^") == (
        r"a\_b \& 5 \% \{x\} \$1 \#2 \textasciitilde{} \textasciicircum{}"
    )
    assert paper.escaped("\\") == r"\textbackslash{}"


def test_markdown_has_the_intervals_and_the_marks():
    found = result()
    lines = paper.as_markdown(found).splitlines()
    row = found.grid.to_dict("records")[0]
    low, high = (100 * row[f"uar_{end}"] for end in ("low", "high"))
    assert (
        f"| lstm | {row['loss']} | {100 * row['uar']:.1f}† | {low:.1f} to {high:.1f} |" in lines[2]
    )
    assert {line.count("|") for line in lines if line.startswith("|")} == {8}
    assert "339 utterances of 4 emotions, 10 speakers, 5 folds" in lines[-1]


def test_csv_is_read_back_in_percent_with_the_baselines_below():
    found = result()
    table = pd.read_csv(io.StringIO(paper.as_csv(found)))
    np.testing.assert_allclose(table["uar"][:2], 100 * found.grid["uar"], atol=0.006)
    assert table["model"].tolist()[2:] == ["baseline", "baseline"]
    assert table["tied_with_best"].isna().tolist() == [False, False, True, True]
    assert {"uar_low", "uar_high", "wa_low", "wa_high", "macro_f1"} <= set(table)


def test_an_interval_that_is_not_known_says_so():
    found = result()
    found.grid[["uar_low", "uar_high"]] = np.nan
    assert "| not known |" in paper.as_markdown(found)
    assert "nan" not in paper.as_latex(found).lower()


@pytest.mark.parametrize("name", ["latex", "markdown"])
def test_what_is_not_as_usual_and_synthetic_speech_are_said(name):
    usual = paper.FORMATS[name](result())
    assert "Refitted" not in usual
    assert SYNTHETIC_NOTICE not in usual
    refitted = {**PROCEDURES, "lstm-focal": Procedure(refit=True)}
    said = paper.FORMATS[name](replace(result(synthetic=True), procedures=refitted))
    assert "Refitted (lstm-focal)" in said
    assert SYNTHETIC_NOTICE in said


def test_the_command_offers_the_formats_that_there_are():
    assert {one.value for one in Format} == set(paper.FORMATS)


def test_a_corpus_without_classes_is_refused_by_name():
    with pytest.raises(SerError, match="the corpus emodb has no classes"):
        paper.table(result(emotions=()), "latex")
    assert paper.table(result(), "csv") == paper.as_csv(result())
