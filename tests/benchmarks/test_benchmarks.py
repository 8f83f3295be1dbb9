import gc
import json
import mmap
import runpy
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import __main__ as program
from benchmarks import (
    bilstm,
    equality,
    memory,
    recordings,
    report,
    ssl_training,
    timing,
    training_setup,
)
from benchmarks.cases import (
    feature_caching,
    frozen_training,
    mfcc,
    padding,
    single_cell,
    start_up,
    trainer,
)
from benchmarks.equality import DifferentResultError
from benchmarks.measurement import Measurement
from ser import components
from ser.errors import CorpusError
from ser.training import fold
from ser.workflow.preset import Preset

ROOT = Path(__file__).parents[2]
CONTRACT = ["name", "value", "unit", "alternative", "alternative_value", "ratio", "threads"]


@pytest.fixture(autouse=True)
def demo_corpus(monkeypatch):
    """The small corpus, made in a moment."""
    monkeypatch.setenv("SER_EMODB", "")
    # The program sets it for its own process; this brings the test's back.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def training(tmp_path):
    corpus = recordings.load(quick=True)
    with timing.torch_threads(1):
        setup = training_setup.prepare(corpus)
        store = training_setup.extract(corpus, tmp_path / "mfcc")
        yield setup, setup.dataset(store, "train"), setup.dataset(store, "dev")


def measurement(**changes):
    values = {
        "name": "reading",
        "value": 2.0,
        "unit": "seconds",
        "better": "lower",
        "alternative": "decoding",
        "alternative_value": 3.0,
        "threads": 1,
    }
    return Measurement(**{**values, **changes})


def run(*arguments):
    return program.main([*map(str, arguments)])


@pytest.mark.stage
def test_quick_run_writes_the_rows_of_the_contract(tmp_path, capsys):
    out = tmp_path / "reports" / "bench.json"
    assert run("--quick", "--only", "padding", "feature_store", "intake", "--out", out) == 0
    rows = json.loads(out.read_text(encoding="utf-8"))
    names = " ".join(row["name"] for row in rows)
    assert all(word in names for word in ("padding waste", "reading features", "taking a corpus"))
    for row in rows:
        assert list(row) == CONTRACT
        assert row["threads"] >= 1
        better = {"(higher is better)": True, "(lower is better)": False}
        (is_higher,) = (said for words, said in better.items() if row["unit"].endswith(words))
        quotient = row["value"] / row["alternative_value"]
        assert row["ratio"] == pytest.approx(quotient if is_higher else 1 / quotient)
    printed = capsys.readouterr().out
    assert "data: demo (synthetic speech)" in printed
    assert report.markdown(rows) in printed


def test_every_case_can_be_run():
    names = components.names("benchmarks.cases")
    assert {"mfcc", "logmel", "bilstm", "trainer", "padding", "feature_store"} <= set(names)
    assert {"finetuning", "frozen_training", "start_up", "memory", "matmul_share"} <= set(names)
    assert {"orchestration", "single_cell"} <= set(names)
    for name in names:
        assert callable(components.load_module("benchmarks.cases", name).run)


def test_unknown_case_is_refused_with_the_names_there_are(tmp_path, capsys):
    assert run("--only", "pading", "--out", tmp_path / "bench.json") == 1
    assert "padding" in capsys.readouterr().err
    assert not (tmp_path / "bench.json").exists()


@pytest.mark.stage
def test_case_with_another_result_is_not_reported_and_the_others_are(tmp_path, monkeypatch, capsys):
    honest = mfcc.with_librosa
    monkeypatch.setattr(mfcc, "with_librosa", lambda waveform: honest(waveform) * 1.001)
    out = tmp_path / "bench.json"
    assert run("--quick", "--only", "mfcc", "padding", "--out", out) == 1
    assert {row["name"].split(",")[0] for row in report.read(out)} == {"padding waste"}
    assert "error: mfcc: MFCC: result 0 differs" in capsys.readouterr().err


@pytest.mark.parametrize(("better", "ratio"), [("higher", 2 / 3), ("lower", 1.5)])
def test_ratio_above_one_says_that_ours_is_better(better, ratio):
    assert measurement(better=better).row()["ratio"] == pytest.approx(ratio)
    assert measurement(better=better).row()["unit"] == f"seconds ({better} is better)"


@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_number_that_makes_no_ratio_is_refused(number):
    with pytest.raises(ValueError, match="above zero"):
        measurement(value=number)
    with pytest.raises(ValueError, match="above zero"):
        measurement(alternative_value=number)


@pytest.mark.parametrize(
    ("ours", "alternative"),
    [([1.0, 2.1], [1.0, 2.0]), ([1.0], [1.0, 2.0]), ([1.0, np.nan], [1.0, 2.0])],
)
def test_results_that_differ_are_refused(ours, alternative):
    with pytest.raises(DifferentResultError, match="sums: result 0"):
        equality.require_close([(ours, alternative)], what="sums", relative=0.01)


def test_results_within_the_tolerance_pass_and_nothing_at_all_does_not():
    equality.require_close([([1.0, 2.015], [1.0, 2.0])], what="sums", relative=0.01)
    equality.require_close([([1.0], [1.1])], what="sums", absolute=0.11)
    with pytest.raises(DifferentResultError, match="nothing to compare"):
        equality.require_close([], what="sums", relative=0.01)
    with pytest.raises(DifferentResultError, match="counts"):
        equality.require_same([1], [2], what="counts")


def test_contenders_take_turns_after_a_warm_up_and_without_garbage_collection():
    calls = []
    medians = timing.alternate(
        lambda: calls.append(("A", gc.isenabled())),
        lambda: calls.append(("B", gc.isenabled())),
        repeats=2,
    )
    assert [name for name, _ in calls] == list("ABABAB")
    assert [is_enabled for _, is_enabled in calls[2:]] == [False] * 4
    assert gc.isenabled()
    assert len(medians) == 2


def test_median_of_the_measured_runs_is_what_counts(monkeypatch):
    # Start and end of each run: 1, 9 and 2 seconds.
    clock = iter([0.0, 1.0, 10.0, 19.0, 20.0, 22.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    assert timing.alternate(lambda: None, repeats=3) == [2.0]


def test_number_of_threads_holds_inside_the_block_only():
    before = torch.get_num_threads()
    with timing.torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_bilstm_with_the_same_weights_passes_and_with_others_is_refused():
    torch.manual_seed(0)
    ours, packed = bilstm.OurLayers(), bilstm.PackedLstm()
    bilstm.copy_weights(ours, packed)
    task = bilstm.build_task([7, 3, 12], torch.device("cpu"))
    bilstm.require_same_answers(ours, packed, [task])
    with torch.no_grad():
        packed.lstm.bias_hh_l1_reverse[0] += 0.1
    with pytest.raises(DifferentResultError, match="BiLSTM outputs"):
        bilstm.require_same_answers(ours, packed, [task])


def test_bare_loop_ends_with_the_weights_of_the_trainer(training):
    trainer.require_same_weights(*training)


def test_trainings_that_end_differently_are_refused(training, monkeypatch):
    setup, train, dev = training
    weights, dev_uar = trainer.bare_epoch(setup, train, dev)
    others = {name: tensor * 1.0001 for name, tensor in weights.items()}
    monkeypatch.setattr(trainer, "bare_epoch", lambda *_: (others, dev_uar))
    with pytest.raises(DifferentResultError, match="weights after an epoch"):
        trainer.require_same_weights(setup, train, dev)


def test_frames_in_memory_are_those_of_the_store(training):
    _, train, _ = training
    in_memory = feature_caching.FramesInMemory(recordings.load(quick=True))
    assert in_memory.num_bins == train.store.num_bins
    for id_ in train.ids[:3]:
        assert in_memory.num_frames(id_) == train.store.num_frames(id_)
        np.testing.assert_array_equal(in_memory[id_], train.store[id_])


def test_lengths_follow_the_percentiles_of_iemocap():
    seconds = np.array(padding.iemocap_lengths()) * 0.02
    assert len(seconds) == 5531
    found = np.percentile(seconds, [5, 25, 50, 75, 95])
    np.testing.assert_allclose(found, [1.39, 2.32, 3.58, 5.77, 11.06], rtol=0.06)
    assert seconds.min() >= 0.58
    assert seconds.max() <= 34.16


@pytest.mark.stage
def test_library_s_log_mel_frames_are_ours(tmp_path):
    out = tmp_path / "bench.json"
    assert run("--quick", "--only", "logmel", "--out", out) == 0
    assert {row["name"] for row in report.read(out)} == {"log-mel extraction (demo)"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process holds")
def test_memory_that_work_held_at_its_peak_is_seen():
    def work():
        # Not from the heap, which may keep what other tests have freed.
        fresh = mmap.mmap(-1, 2**26, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # 64 MiB
        held = np.frombuffer(fresh, dtype=np.float64)
        held[:] = 1.0
        time.sleep(0.05)
        return held.sum()

    grown = memory.peak_growth(work)
    assert 60 * 2**20 < grown < 120 * 2**20


def test_repeated_corpus_has_every_recording_as_other_utterances():
    corpus = recordings.load(quick=True)
    tripled = memory.repeated(corpus, 3).utterances
    assert len({u.id for u in tripled}) == len(tripled) == 3 * len(corpus.utterances)
    assert {u.audio for u in tripled} == {u.audio for u in corpus.utterances}


def test_losses_and_folds_pay_the_upstream_once_or_whenever_an_utterance_is_heard():
    costs = frozen_training.Costs(extraction_s=2.0, alone_s=3.0, padded_s=4.0, head_s=0.5)
    learnt = 5 * 5 * 12 * 0.6 * 10  # losses, folds, epochs, train share, utterances
    # The dev part is heard in every epoch, too, and the test part at the end.
    heard = 5 * 5 * (12 * 0.8 + 0.2) * 10
    assert costs.cached_s(10) == pytest.approx(10 * 2.0 + learnt * 0.5)
    assert costs.in_every_step_s(10, costs.padded_s) == pytest.approx(heard * 4.0 + learnt * 0.5)


def test_sample_of_an_epoch_weighs_every_batch_alike():
    lengths = [10, 20, 30, 40, 50, 60, 70, 80]
    batches = [[0, 1], [2, 3], [4, 5], [6, 7]]
    chosen = ssl_training.sample(batches, lengths, count=2)
    assert chosen.batches == [[2, 3], [6, 7]]
    # Four batches at a mean of 3 s: 12 s for 8 utterances.
    assert chosen.utterances_per_second([2.0, 4.0]) == pytest.approx(8 / 12)


def test_saved_measurements_are_shown_as_a_table_without_measuring(tmp_path, capsys):
    out = tmp_path / "bench.json"
    report.write(out, [measurement(), measurement(name="decoding", value=1234.5)])
    assert run("--markdown", "--out", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[2] == "| reading | 2 | decoding | 3 | seconds (lower is better) | **1.50** | 1 |"
    assert lines[3].startswith("| decoding | 1234 |")


@pytest.mark.parametrize("content", [None, "{", "{}", '[{"name": "reading"}]', "[1]"])
def test_table_that_is_not_there_or_damaged_is_refused(content, tmp_path, capsys):
    out = tmp_path / "bench.json"
    if content is not None:
        out.write_text(content, encoding="utf-8")
    assert run("--markdown", "--out", out) == 1
    assert "make bench" in capsys.readouterr().err


def test_folder_that_is_not_emodb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_EMODB", str(tmp_path))
    with pytest.raises(CorpusError, match="SER_EMODB"):
        recordings.load(quick=True)


@pytest.mark.emodb
def test_real_recordings_are_those_that_ship_unless_others_are_named(emodb_root, monkeypatch):
    monkeypatch.setenv("SER_EMODB", str(emodb_root))
    assert recordings.emodb_root() == emodb_root
    monkeypatch.delenv("SER_EMODB")
    found = recordings.load(quick=True)
    assert found.root == ROOT / "data" / "shipped" / "emodb"
    assert found.name == "emodb"
    assert "real speech" in found.description
    cells = {(u.session, u.emotion) for u in found.utterances}
    assert len(cells) == 5 * 4
    assert len(found.utterances) == 2 * len(cells)


def test_start_up_is_compared_with_the_programs_of_stages_and_nothing_else():
    _, _, statement = start_up.EVERY_STAGE
    modules = statement.removeprefix("import ").split(", ")
    assert {"pipelines.prepare", "pipelines.train", "pipelines.compare"} <= set(modules)
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in modules)


def test_a_cell_is_measured_beside_the_fits_that_a_clock_was_put_around(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert callable(fold.train_fold)  # what a cell calls, and what the clock is put around
    module = tmp_path / "fold.py"
    module.write_text(
        f"import time\ndef train_fold(s, _): time.sleep(s); return 'it'\n{single_cell._CLOCK}"
    )
    train_fold = runpy.run_path(str(module))["train_fold"]
    assert [train_fold(seconds, "data") for seconds in (0.02, 0.05)] == ["it"] * 2
    fits = [float(line) for line in (tmp_path / single_cell._FITS).read_text().split()]
    assert len(fits) == 2
    assert fits[0] >= 0.02
    assert fits[1] >= 0.05
    assert single_cell.Taken(1.0, fits).beside_s == pytest.approx(1 - sum(fits))


def test_the_cell_that_is_measured_is_one_of_a_preset_that_is_valid():
    params = single_cell._params(recordings.load(quick=True), quick=True)
    assert list(Preset.model_validate(params).cells) == [single_cell._FIRST, single_cell._CELL]
    assert params["models"].keys() == {"whisper"}
