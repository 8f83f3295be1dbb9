import json
import os
from pathlib import Path

import pandas as pd
import pytest

from ser.errors import AudioInputError, FileError
from ser.serving import many_recordings
from ser.serving.audio_input import InputLimits
from ser.serving.predictor import Predictor
from tests.serving.support import encoded, limit, speech, write_bundle


@pytest.fixture
def predictor(trained, tmp_path):
    return Predictor.load(write_bundle("lstm-aam", tmp_path / "bundle")[0])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    (folder / "deep").mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.wav").write_bytes(encoded(speech(0.5, seed=number)))
    (folder / "deep" / "long.FLAC").write_bytes(encoded(speech(2.0), kind="FLAC"))
    (folder / "broken.wav").write_bytes(b"no")
    (folder / "notes.txt").write_text("not a recording")
    return folder


def test_a_folder_is_searched_to_its_depths(folder):
    names = [path.name for path in many_recordings.find(folder)]
    assert names == ["0.wav", "1.wav", "2.wav", "3.wav", "4.wav", "broken.wav", "long.FLAC"]


def test_hidden_files_are_passed_over_and_counted(folder, caplog):
    many_recordings.find(folder)
    assert caplog.text == ""
    for name in ("._0.wav", "deep/._long.FLAC", "._notes.txt"):
        (folder / name).write_bytes(b"twin")
    assert len(many_recordings.find(folder)) == 7
    assert "2 hidden files are passed over" in caplog.text


def test_the_ending_says_what_is_written_and_who_answered(predictor, folder, tmp_path):
    registered = {"model_name": "ser-csv-session", "model_version": 3}
    paths = [folder / "1.wav", folder / "broken.wav"]
    for ending in ("parquet", "csv", "jsonl"):
        out = tmp_path / f"a.{ending}"
        many_recordings.predict(paths, predictor, out=out, model="m", registered=registered)
        assert many_recordings.is_answers(out)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for row in rows:
        assert (row["name"], row["version"], row["cell"]) == ("ser-csv-session", "3", "lstm-aam")
        assert row["synthetic"] is True
    assert rows[0]["windows"][0]["start_s"] == 0.0
    assert rows[1]["windows"] is None
    with pytest.raises(FileError, match=r"\.parquet, \.csv, \.jsonl"):
        many_recordings.predict(paths, predictor, out=tmp_path / "a.xls", model="m")


def test_a_recording_may_be_longer_than_a_request_may_be(predictor, folder, tmp_path):
    predictor.limits = InputLimits(max_duration_s=1.0, max_bytes=1024)
    paths = [folder / "deep" / "long.FLAC"]
    table = many_recordings.predict(paths, predictor, out=tmp_path / "a.parquet", model="m")
    assert table["error"].isna().all()
    assert table["duration_s"].tolist() == [2.0]


def test_a_table_names_paths_from_its_own_folder(folder):
    (folder / "list.csv").write_text("path,note\n1.wav,a\ndeep/long.FLAC,b\n")
    assert many_recordings.find(folder / "list.csv") == [
        folder / "1.wav",
        folder / "deep/long.FLAC",
    ]


@pytest.mark.parametrize("text", ["file\na.wav\n", "path\n", "path,x\n,1\n"])
def test_a_table_without_paths_is_refused(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(AudioInputError, match="column `path`"):
        many_recordings.find(tmp_path / "list.csv")


def test_a_table_of_recordings_that_are_not_there_is_refused_before_the_work(folder, caplog):
    (folder / "list.csv").write_text("path\ngone.wav\n1.wav\nlost.wav\n")
    assert len(many_recordings.find(folder / "list.csv")) == 3
    assert "2 of 3 recordings are not there, e.g. " in caplog.text
    assert "gone.wav" in caplog.text
    (folder / "list.csv").write_text("path\ngone.wav\nlost\0.wav\n")
    with pytest.raises(
        AudioInputError, match=r"gone\.wav: there is no such file, nor any other of"
    ):
        many_recordings.find(folder / "list.csv")


def test_an_empty_folder_and_no_folder_are_refused(tmp_path):
    with pytest.raises(AudioInputError, match="holds no"):
        many_recordings.find(tmp_path)
    with pytest.raises(AudioInputError, match="neither a folder nor"):
        many_recordings.find(tmp_path / "none")


def test_what_is_no_speech_has_its_reason_and_no_emotion(predictor, folder, tmp_path):
    limit(predictor, min_speech_share=0.25)
    paths = [folder / "1.wav", folder / "broken.wav"]
    table = many_recordings.predict(paths, predictor, out=tmp_path / "a.parquet", model="m")
    heard, broken = table.to_dict("records")
    assert pd.isna(heard["emotion"])
    assert (heard["reason"], heard["speech_share"]) == ("no speech", 0.0)
    assert 0.0 < heard["familiarity"] <= 1.0
    assert pd.isna(broken["reason"])
    assert pd.isna(broken["speech_share"])
    written = pd.read_parquet(tmp_path / "a.parquet")
    assert written["reason"][0] == "no speech"
    assert written["emotion"].isna().all()


def test_every_recording_has_a_row(predictor, folder, tmp_path):
    out = tmp_path / "out" / "answers.parquet"
    out.parent.mkdir()
    table = many_recordings.predict(
        many_recordings.find(folder), predictor, out=out, model="models:/m@champion"
    )
    read = pd.read_parquet(out)
    assert len(read) == len(table) == 7
    broken = read[read["path"].str.endswith("broken.wav")].iloc[0]
    assert "not audio" in broken["error"]
    assert pd.isna(broken["emotion"])
    good = read[read["error"].isna()]
    assert good["synthetic"].tolist() == [True] * 6
    columns = [f"probability_{name}" for name in predictor.bundle.emotions]
    assert good[columns].sum(axis=1).tolist() == pytest.approx([1.0] * 6)
    long = read[read["path"].str.endswith("long.FLAC")].iloc[0]
    assert len(json.loads(long["windows"])) > 1
    assert list(out.parent.iterdir()) == [out]


def test_an_interrupted_batch_goes_on_where_it_was(predictor, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(many_recordings, "_CHUNK", 2)
    out, paths = tmp_path / "answers.parquet", many_recordings.find(folder)
    asked = []
    whole = predictor.predict

    def crash(waveform):
        asked.append(waveform)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return whole(waveform)

    monkeypatch.setattr(predictor, "predict", crash)
    with pytest.raises(KeyboardInterrupt):
        many_recordings.predict(paths, predictor, out=out, model="m")
    assert not out.exists()
    table = many_recordings.predict(paths, predictor, out=out, model="m")
    assert len(asked) == 4 + 4  # the first chunk of two is not asked again, nor the broken file
    again = many_recordings.predict(paths, predictor, out=tmp_path / "again.parquet", model="m")
    pd.testing.assert_frame_equal(table, again)


def test_other_recordings_start_over(predictor, folder, tmp_path, monkeypatch):
    out, paths = tmp_path / "answers.parquet", many_recordings.find(folder)
    partial = Path(f"{out}.partial")
    partial.mkdir()
    (partial / "000000.parquet").write_bytes(b"of another batch")
    assert len(many_recordings.predict(paths[:3], predictor, out=out, model="m")) == 3


def test_progress_counts_every_recording(predictor, folder, tmp_path):
    seen = []

    def progress(items):
        for item in items:
            yield item
            seen.append(item)

    paths = many_recordings.find(folder)
    many_recordings.predict(
        paths, predictor, out=tmp_path / "a.parquet", model="m", progress=progress
    )
    assert len(seen) == len(paths)


def test_linked_folders_are_searched_once_and_a_loop_ends(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.wav").write_bytes(encoded(speech(0.5)))
    (folder / "link").symlink_to(elsewhere, target_is_directory=True)
    (folder / "deep" / "back").symlink_to(folder, target_is_directory=True)
    names = [path.name for path in many_recordings.find(folder)]
    assert names.count("linked.wav") == names.count("1.wav") == 1


def test_what_is_no_regular_file_and_what_has_an_odd_name_has_a_row(predictor, folder, tmp_path):
    os.mkfifo(folder / "pipe.wav")
    (folder / "gone.wav").symlink_to(folder / "nowhere.wav")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/odd\xff.wav"))
    odd.write_bytes(encoded(speech(0.5)))
    broken = Path(os.fsdecode(os.fsencode(folder) + b"/broken\xff.wav"))
    broken.write_bytes(b"no")
    out = tmp_path / "a.parquet"
    many_recordings.predict(many_recordings.find(folder), predictor, out=out, model="m")
    errors = pd.read_parquet(out).set_index("path")["error"]
    assert "not a file" in errors[f"{folder}/pipe.wav"]
    assert "no such file" in errors[f"{folder}/gone.wav"]
    assert errors.isna()[f"{folder}/odd\\xff.wav"]
    assert "not audio" in errors[f"{folder}/broken\\xff.wav"]


def test_answers_are_known_from_other_tables(predictor, folder, tmp_path):
    many_recordings.predict([folder / "1.wav"], predictor, out=tmp_path / "a.parquet", model="m")
    pd.DataFrame({"path": ["x"]}).to_parquet(tmp_path / "other.parquet")
    assert many_recordings.is_answers(tmp_path / "a.parquet")
    assert not many_recordings.is_answers(tmp_path / "other.parquet")
    assert not many_recordings.is_answers(folder / "1.wav")
