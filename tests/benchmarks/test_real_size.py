import sys
from collections import Counter

import pytest

from benchmarks import metering, pages
from benchmarks.metering import Taken
from benchmarks.real_size import __main__ as program
from benchmarks.real_size import corpus, project, results
from benchmarks.real_size.results import Results
from benchmarks.stages import Measured
from ser.data.corpora import iemocap
from ser.errors import SerError

_FOUR = ("ang", "hap", "exc", "neu", "sad")


def measured(wall_s, epoch_s=None):
    return Measured(Taken(wall_s, wall_s, 2 * 10**9, 10**9), 10**9, epoch_s)


def test_turns_have_the_counts_of_the_release():
    planned = corpus.turns()
    labels = [(f"Ses0{turn.session}", turn.label) for turn in planned]
    assert iemocap.PUBLISHED.differences(labels) == []
    scripted = Counter(
        f"Ses0{turn.session}"
        for turn in planned
        if turn.label in _FOUR and "_script" in turn.dialogue
    )
    assert scripted == corpus.SCRIPTED
    assert len({turn.id for turn in planned}) == corpus.NUM_UTTERANCES


def test_tree_is_read_by_the_parser_of_iemocap(tmp_path):
    planned = corpus.turns(100)
    corpus.write(tmp_path, planned, tempo=4.0)
    parsed = iemocap.build(iemocap.Params(allow_partial=True)).parse(tmp_path)
    assert not parsed.rejections
    assert {item.id for item in parsed.annotations} == {turn.id for turn in planned}


def test_hours_are_cells_times_fits_times_epochs_and_the_rest():
    cell = "train@hubert-cross_entropy"
    found = Results("a machine", corpus.NUM_UTTERANCES, results.NUM_USED, 2, False)
    found.stages = {"extract@hubert": measured(3600.0), cell: measured(72.0, epoch_s=30.0)}
    # 5 cells x 15 fits x (12 epochs x 30 s + 12 s) = 7.75 h
    table = results.as_markdown(found)
    assert "| hubert, trained | 5 | 75 | 12 | 30.0 | 12.0 | 7.8 |" in table
    # Models that were not trained are named, and the sum is not the whole preset's.
    assert "| lstm, trained: **not measured** |" in table
    assert "| **what was measured** | | | | | | **8.8** |" in table
    assert "**all**" not in table
    assert "a part of the corpus" not in " ".join(table.split())


def test_where_every_model_was_trained_the_sum_is_that_of_all():
    models = ("hubert", "lstm", "vggish", "wav2vec2", "whisper")
    found = Results("a machine", corpus.NUM_UTTERANCES, results.NUM_USED, 2, False)
    found.stages = {
        f"train@{model}-cross_entropy": measured(72.0, epoch_s=30.0) for model in models
    }
    table = results.as_markdown(found)
    assert "not measured" not in table
    assert "| **all** |" in table


def test_part_of_the_corpus_is_said_and_scaled():
    found = Results("a machine", 1000, results.NUM_USED // 2, 2, False)
    found.stages = {"train@hubert-cross_entropy": measured(72.0, epoch_s=30.0)}
    table = results.as_markdown(found)
    assert "a part of the corpus" in " ".join(table.split())
    assert "| hubert, trained | 5 | 75 | 12 | 60.0 | 12.0 |" in table


def test_results_are_read_as_written(tmp_path):
    found = Results("a machine", 1000, 500, 2, True, {"split": measured(1.0)})
    found.write(tmp_path / "r.json")
    assert Results.read(tmp_path / "r.json") == found


def test_table_is_written_into_the_page_but_not_that_of_a_quick_look(tmp_path, capsys):
    page, out = tmp_path / "page.md", tmp_path / "r.json"
    page.write_text("a\n{}\nold\n{}\nb\n".format(*program._MARKERS), encoding="utf-8")
    found = Results("a machine", 1000, 500, 2, False, {"split": measured(1.0)})
    words = ["--show", "--out", str(out), "--into", str(page)]
    found.write(out)
    assert program.main(words) == 0
    assert "| `split` | 1.0 |" in page.read_text("utf-8")
    found.is_quick = True
    found.write(out)
    assert program.main(words) == 1
    assert "a quick look measures nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "1"], "take 2 or more"),
        (["--utterances", "0"], "1 to 10039"),
        (["--cells", "hubert-focl"], "no cell 'hubert-focl'"),
    ],
)
def test_options_that_cannot_be_are_refused(words, said, capsys):
    assert program.main(words) == 1
    assert said in capsys.readouterr().err


def test_cut_has_one_cell_of_each_model_and_its_features():
    cut = project.Cut(project.chosen_cells([]))
    assert {name.partition("-")[0] for name in cut.cells} == set(project.preset()["models"])
    names = [stage.name for stage in project.stages(cut)]
    assert names.index("extract@hubert") < names.index("train@hubert-cross_entropy")
    assert not project.params(cut)["corpus"]["allow_partial"]


def test_pages_without_marks_are_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(SerError, match="no marks"):
        pages.write_between(page, *program._MARKERS, "x")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds")
def test_program_is_metered_and_its_failure_is_said(tmp_path):
    (tmp_path / "big.py").write_text(
        "def main(words):\n    held = bytearray(200_000_000)\n    return len(words)\n"
    )
    taken = metering.run("big", [], tmp_path)
    assert 200_000_000 < taken.resident < 600_000_000
    assert taken.wall_s > 0
    with pytest.raises(SerError, match="big word: ended with 1"):
        metering.run("big", ["word"], tmp_path)
