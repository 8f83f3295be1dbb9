import pytest
import yaml

from benchmarks.metering import Taken
from benchmarks.scale import __main__ as program
from benchmarks.scale import corpus, drawn_features, project, results
from benchmarks.scale.results import Results
from benchmarks.stages import Measured
from ser.data import manifest, preparation, splits
from ser.data.corpora import csv
from ser.data.protocols import SplitParams
from ser.features.store import FeatureStore
from ser.project import Project
from ser.utterance import used_of

SIZES = (1_000, 10_000, 100_000)


def measured(cpu_s, memory=10**9):
    return Measured(Taken(cpu_s, cpu_s, 2 * 10**9, memory), 10**9)


@pytest.mark.parametrize(("power", "start_up"), [(1.0, 0.0), (1.0, 40.0), (2.0, 3.0), (1.5, 3.0)])
def test_growth_is_that_of_the_part_that_grows(power, start_up):
    seconds = [start_up + 10 * (size / SIZES[0]) ** power for size in SIZES]
    assert results.exponent(SIZES, seconds) == pytest.approx(power)


def test_growth_within_the_noise_of_a_start_up_is_not_said():
    assert results.exponent(SIZES, [5.0, 5.2, 9.0]) is None
    assert results.exponent(SIZES, [5.0, 9.0, 8.0]) is None


def test_table_says_growth_and_the_stage_that_holds_most():
    found = Results("a machine", False, {})
    for size in SIZES:
        seconds = 2 + size / 1000
        found.sizes[size] = {"split": measured(seconds), "score": measured(seconds, 3 * 10**9)}
    table = results.as_markdown(found)
    assert "| `split` | 3.0 | 12.0 | 102.0 | 1.00 | 1.00 | 1.00 | 1.00 | 2.00 | 1.00 |" in table
    said = " ".join(table.split())
    assert "is 3.00 GB (`score`), within the limit of 4 GB" in said
    assert "15, 150 and 1,500 speakers" in said
    found.sizes[100_000]["score"] = measured(9.0, 5 * 10**9)
    assert "is 5.00 GB (`score`), **beyond** the limit" in " ".join(
        results.as_markdown(found).split()
    )


def test_what_a_run_that_was_cut_off_has_not_measured_is_said():
    found = Results("a machine", False, {size: {"split": measured(1.0)} for size in SIZES[:2]})
    found.sizes[1_000]["score"] = measured(2.0)
    table = results.as_markdown(found)
    assert "| `score` | 2.0 | not measured |" in table
    assert "The run was cut off" in " ".join(table.split())
    del found.sizes[1_000]["score"]
    assert "cut off" not in results.as_markdown(found)


def test_results_are_read_as_written_and_those_of_a_quick_look_stay_out_of_pages(tmp_path, capsys):
    page, out = tmp_path / "page.md", tmp_path / "r.json"
    page.write_text("a\n{}\nold\n{}\nb\n".format(*program._MARKERS), encoding="utf-8")
    found = Results("a machine", False, {200: {"split": measured(1.0)}})
    found.write(out)
    assert Results.read(out) == found
    words = ["--show", "--out", str(out), "--into", str(page)]
    assert program.main(words) == 0
    assert "| `split` | 1.0 |" in page.read_text("utf-8")
    found.is_quick = True
    found.write(out)
    assert program.main(words) == 1
    assert "a quick look measures nothing" in capsys.readouterr().err


@pytest.mark.parametrize("sizes", [["100"], ["1000", "300"], ["300", "300"]])
def test_sizes_that_cannot_be_are_refused(sizes, capsys):
    assert program.main(["--utterances", *sizes]) == 1
    assert "expected ascending numbers, each at least 200" in capsys.readouterr().err


def test_stages_run_in_order_and_two_of_them_again():
    names = [stage.name for stage in project.stages()]
    assert names[3:5] == ["extract@mfcc", "extract@mfcc, again"]
    assert len(names) == len(set(names))
    cells = [f"train@{name}" for name in project.params()["cells"]]
    assert [name for name in names if name.startswith("train@")] == [
        cells[0],
        f"{cells[0]}, again",
        cells[1],
    ]


def test_corpus_is_taken_in_whole_split_and_given_frames_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made, content = Project(tmp_path), project.params()
    made.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    corpus.write(made.raw(corpus.NAME), 200)
    params = csv.Params(**content["corpus"])
    card = preparation.prepare(params, made, recordings=made.raw(corpus.NAME))
    assert (card.num_utterances, card.num_rejected) == (200, 0)
    assert card.synthetic
    utterances = used_of(manifest.read(made.manifest))
    folds = splits.split(utterances, SplitParams(**content["split"]))
    assert len(folds) == project.NUM_FOLDS
    assert len({u.speaker for u in utterances}) == corpus.num_speakers(200)

    drawn_features.main([])
    store = FeatureStore(made.features(project.FEATURE))
    assert len(store) == 200
    shard = made.features(project.FEATURE) / "shard-00000.npy"
    first = shard.stat()
    drawn_features.main([])
    assert shard.stat().st_ino == first.st_ino  # found, not made anew
