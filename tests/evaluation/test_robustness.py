"""Scores under copies: identities, numbers computed by hand, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from ser import predictions
from ser.cell_folders import CellFolder
from ser.emotion import EMOTIONS
from ser.evaluation import comparison, robustness, statistics, summary
from ser.features import copies, store
from tests.evaluation.support import cell

CELL = ("lstm", "focal")


def shifted(frame, ids, by=1):
    """Predictions that name the next emotion for some utterances."""
    order = dict(zip(EMOTIONS, (*EMOTIONS[by:], *EMOTIONS[:by]), strict=True))
    other = frame["prediction"].map(order)
    return frame.assign(prediction=frame["prediction"].mask(frame["utterance_id"].isin(ids), other))


def copies_of(frame, **changed):
    """The table of copies: name -> the test predictions under it."""
    test = frame[frame["part"] == "test"]
    return predictions.of_copies({name: make(test) for name, make in changed.items()})


def as_it_is(test):
    return test


def row_of(table, copy):
    (row,) = table[table["copy"] == copy].to_dict("records")
    return row


def test_a_copy_equal_to_clean_keeps_every_decision_and_the_uar():
    frame, speaker_of = cell()
    by_copy = robustness.under_copies(frame, copies_of(frame, telephone=as_it_is))
    table = robustness.table({CELL: by_copy}, speaker_of)
    clean, other = row_of(table, "clean"), row_of(table, "telephone")
    assert {**other, "copy": "clean"} == clean
    # Nothing changed, and still not everything is known of other speakers.
    assert (clean["stability"], clean["stability_high"], clean["uar_change"]) == (1.0, 1.0, 0.0)
    assert clean["stability_low"] == pytest.approx(120 / (120 + norm.ppf(0.975) ** 2))
    assert clean["uar_change_high"] == -clean["uar_change_low"]
    assert clean["uar_change_high"] == pytest.approx(t.ppf(0.975, 2) / 120 / np.sqrt(2))
    scores = summary.summarise(frame, speaker_of)
    assert clean["uar"] == scores.scores["uar"]
    ends = scores.intervals["uar"]
    assert (clean["uar_low"], clean["uar_high"], clean["num_seeds"]) == (ends.low, ends.high, 2)


def by_hand(num_speakers=2):
    """Two seeds, each emotion once by every speaker, all right as clean."""
    ids = [f"s{number % num_speakers}u{number}" for number in range(4 * num_speakers)]
    truth = np.arange(len(ids)) // num_speakers
    frames = [
        predictions.table(
            ids=ids,
            truth=truth,
            probabilities=np.eye(4)[truth],
            emotions=EMOTIONS,
            fold=1,
            seed=seed,
            part="test",
        )
        for seed in (0, 1)
    ]
    return pd.concat(frames, ignore_index=True), {id_: id_[:2] for id_ in ids}


def test_stability_and_uar_are_means_over_seeds_as_counted_by_hand():
    frame, speaker_of = by_hand()
    first = frame["seed"] == 0

    def changed(test):
        # Under the first seed one angry and one sad utterance are lost, under the second none.
        return pd.concat([shifted(test[first], ["s0u0", "s1u7"]), test[~first]])

    by_copy = robustness.under_copies(frame, copies_of(frame, noise_20db=changed))
    row = row_of(robustness.table({CELL: by_copy}, speaker_of), "noise_20db")
    assert row["stability"] == pytest.approx(14 / 16)
    # Recalls of the first seed: 1/2, 1, 1, 1/2.
    assert row["uar"] == pytest.approx((3 / 4 + 1) / 2)
    assert row["uar_change"] == pytest.approx(-1 / 8)
    # Seeds are averaged: each speaker kept three and a half of four utterances.
    ends = statistics.share_interval(np.array([3.5, 3.5]), np.array([4.0, 4.0]))
    assert (row["stability_low"], row["stability_high"]) == pytest.approx((ends.low, ends.high))
    assert robustness.as_metrics(by_copy) == {
        "test/uar_noise_20db": pytest.approx(7 / 8),
        "test/stability_noise_20db": pytest.approx(14 / 16),
    }


def test_decisions_may_change_while_the_uar_stays():
    frame, speaker_of = by_hand()
    wrong = shifted(frame, ["s0u0"])
    by_copy = robustness.under_copies(wrong, copies_of(frame, trimmed=as_it_is))
    row = row_of(robustness.table({CELL: by_copy}, speaker_of), "trimmed")
    assert row["stability"] == pytest.approx(7 / 8)
    assert row["uar_change"] == pytest.approx(1 / 8)
    # One speaker's four utterances, of which three stay, against all of the other's.
    ends = statistics.share_interval(np.array([3.0, 4.0]), np.array([4.0, 4.0]))
    assert (row["stability_low"], row["stability_high"]) == pytest.approx((ends.low, ends.high))


def test_the_order_of_rows_does_not_count_and_other_utterances_are_refused():
    frame, _ = cell()
    copies = copies_of(frame, telephone=as_it_is)
    mixed = copies.sample(frac=1.0, random_state=0)
    found = robustness.under_copies(frame, mixed)["telephone"]
    pd.testing.assert_frame_equal(found, robustness.under_copies(frame, copies)["telephone"])
    with pytest.raises(ValueError, match="under the copy 'telephone' other utterances"):
        robustness.under_copies(frame, copies.iloc[1:])


def test_one_speaker_has_no_intervals():
    frame, speaker_of = by_hand()
    by_copy = robustness.under_copies(frame, copies_of(frame, telephone=as_it_is))
    row = row_of(robustness.table({CELL: by_copy}, dict.fromkeys(speaker_of, "one")), "telephone")
    ends = ["uar_low", "stability_low", "stability_high", "uar_change_high"]
    assert np.isnan([row[end] for end in ends]).all()
    assert row["stability"] == 1.0


def test_the_tables_begin_with_the_columns_that_are_promised():
    empty = robustness.table({}, {})
    promised = ["model", "loss", "copy", "uar", "uar_low", "uar_high", "stability"]
    assert list(empty.columns)[:7] == promised
    assert list(robustness.pairs_table({}, {}).columns) == list(robustness.PAIR_COLUMNS)


def test_a_cell_with_copies_is_compared_with_its_twin_as_pairs_are():
    frame, speaker_of = cell()
    better, _ = cell(seed=1)
    pair = tuple(
        robustness.under_copies(
            own,
            copies_of(
                own,
                noise_20db=as_it_is,
                telephone=lambda test, ids=ids: shifted(test, ids),
            ),
        )
        for own, ids in ((frame, ["f1u000"]), (better, ["f2u001", "f3u002"]))
    )
    table = robustness.pairs_table({CELL: pair}, speaker_of)
    assert table["copy"].tolist() == ["clean", "noise_20db", "telephone"]
    for copy in table["copy"]:
        row = row_of(table, copy)
        counts = [summary.summarise(one[copy], speaker_of).by_seed for one in pair]
        found = comparison.compare(*counts)
        assert (row["difference"], row["p"], row["low"]) == (found.difference, found.p, found.low)
        assert row["difference"] == pytest.approx(row["uar_with"] - row["uar_without"])
    assert table["p_holm"].tolist() == comparison.holm(table["p"].to_numpy()).tolist()
    assert table["significant"].tolist() == (table["p_holm"] < 0.05).tolist()
    assert set(table["num_speakers"]) == {3}


def test_p_is_corrected_over_the_copies_of_the_cell():
    frame, speaker_of = by_hand(num_speakers=8)
    angry = [id_ for id_ in speaker_of if id_ in {f"s{n}u{n}" for n in range(8)}]

    def lost(test):
        return shifted(test, angry)

    with_ = robustness.under_copies(frame, copies_of(frame, noise_20db=as_it_is, trimmed=as_it_is))
    without = robustness.under_copies(frame, copies_of(frame, noise_20db=lost, trimmed=as_it_is))
    row = row_of(robustness.pairs_table({CELL: (with_, without)}, speaker_of), "noise_20db")
    # Every speaker loses one of four recalls, so only what is added, of one utterance of 32.
    assert row["difference"] == pytest.approx(1 / 4)
    p = 2 * t.sf((1 / 4) / (np.sqrt(1 / 2) / 32), 7)
    assert (row["p"], row["p_holm"]) == pytest.approx((p, 3 * p))
    assert row["significant"]
    assert row["num_speakers"] == 8


def test_a_twin_that_was_tested_under_other_copies_makes_no_pair():
    frame, speaker_of = cell()
    first, second = (
        robustness.under_copies(frame, copies_of(frame, **{name: as_it_is}))
        for name in ("telephone", "trimmed")
    )
    with pytest.raises(ValueError, match=r"lstm-focal was tested under clean, telephone with"):
        robustness.pairs_table({CELL: (first, second)}, speaker_of)


@pytest.mark.parametrize(
    ("difference", "significant", "said"),
    [
        (0.1, True, "better with copies"),
        (-0.1, True, "worse with copies"),
        (0.3, False, "not told apart"),
    ],
)
def test_only_what_the_test_shows_is_said(difference, significant, said):
    assert robustness.verdict(difference, significant=significant) == said


@pytest.mark.parametrize(
    ("copy", "name", "level", "is_snr"),
    [
        ("noise_20db", "white noise", "20 dB", True),
        ("pink_-5db", "pink noise", "-5 dB", True),
        ("gain_-6db", "gain", "-6 dB", False),
        ("speed_0.9", "speed", "0.9", False),
        ("reverb_0.5s", "reverb", "0.5 s", False),
        ("mp3_32k", "MP3", "32 kbit/s", False),
        ("pitch_-2st", "pitch", "-2 semitones", False),
        ("telephone", "telephone", "", False),
        ("clean", "clean", "", False),
    ],
)
def test_the_name_of_a_copy_is_told_in_words(copy, name, level, is_snr):
    change = robustness.parse_copy(copy)
    assert (change.name, change.level_text, change.is_snr) == (name, level, is_snr)


def test_copies_stand_kind_by_kind_with_clean_first_and_levels_falling():
    given = ["noise_0db", "telephone", "noise_20db", "clean", "gain_-6db", "noise_5db"]
    assert robustness.in_order(given) == [
        "clean", "gain_-6db", "noise_20db", "noise_5db", "noise_0db", "telephone",
    ]  # fmt: skip


def test_only_noise_at_several_levels_makes_a_curve():
    copies = ["noise_20db", "noise_0db", "pink_10db", "gain_-6db", "gain_6db", "noise_0db"]
    assert robustness.snr_kinds(copies) == ["noise"]
    assert robustness.snr_kinds(["pink_10db", "pink_10db"]) == []


def test_the_kinds_whose_level_is_a_ratio_to_noise_are_those_that_say_so():
    said = {kind for kind, found in copies.KINDS.items() if "<SNR>" in found.form}
    assert said == set(robustness.SNR_KINDS)


def test_the_recordings_as_they_are_have_one_name_in_the_store_and_here():
    assert robustness.CLEAN == store.CLEAN


def test_a_cell_whose_feature_has_no_copies_has_nothing_to_read(tmp_path):
    assert robustness.read(CellFolder(tmp_path)) is None
    frame, _ = cell()
    predictions.write(tmp_path / "predictions.parquet", frame)
    predictions.write(tmp_path / "copies.parquet", copies_of(frame, telephone=as_it_is))
    assert list(robustness.read(CellFolder(tmp_path))) == ["clean", "telephone"]
