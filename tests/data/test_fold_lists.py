import json

import pytest

from ser.data import fold_lists
from ser.errors import CorpusError
from ser.utterance import Parsed
from tests import synthetic

SAID = ("03a01Wa", "08a01Wa", "09a01Wa", "10a01Wa")


def parsed(*, root="wav", **changes):
    utterances = [synthetic.utterance(id_, audio=f"{root}/{id_}.wav", **changes) for id_ in SAID]
    return Parsed(tuple(utterances), ())


def line(id_, **changes):
    said = {"key": f"emodb-{id_}", "dataset": "emodb", "wav": f"downloads/emodb/wav/{id_}.wav"}
    return json.dumps({**said, "emo": "anger", **changes})


def write(folder, fold, part, ids, **changes):
    path = folder / f"fold_{fold}" / f"emodb_{part}_fold_{fold}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line(id_, **changes) + "\n" for id_ in ids))
    return path


def lists(folder, **changes):
    for fold in (1, 2):
        write(folder, fold, "train", SAID[2:] if fold == 1 else SAID[:2], **changes)
        write(folder, fold, "test", SAID[:2] if fold == 1 else SAID[2:], **changes)
    return folder


def parts(found):
    return {a.id: a.parts for a in found.annotations}


EXPECTED = {
    "03a01Wa": {"1": "test", "2": "train"},
    "08a01Wa": {"1": "test", "2": "train"},
    "09a01Wa": {"1": "train", "2": "test"},
    "10a01Wa": {"1": "train", "2": "test"},
}


def test_each_utterance_gets_its_part_in_every_fold(tmp_path):
    assert parts(fold_lists.assign(parsed(), lists(tmp_path))) == EXPECTED


def test_an_utterance_is_found_by_its_recording_where_its_key_is_another(tmp_path):
    lists(tmp_path, key="number 1", dataset="")
    assert parts(fold_lists.assign(parsed(root="emodb/wav"), tmp_path)) == EXPECTED


def test_a_part_to_choose_on_is_read_and_other_files_are_not(tmp_path):
    lists(tmp_path)
    write(tmp_path, 1, "train", SAID[2:3])
    write(tmp_path, 1, "valid", SAID[3:])
    (tmp_path / "fold_1" / "emodb_test_fold1.jsonl").write_text("stale\n")
    (tmp_path / "fold_1" / "emodb_test_fold_1.json").write_text("{}")
    (tmp_path / "label_map.json").write_text("{}")
    assert parts(fold_lists.assign(parsed(), tmp_path))["10a01Wa"] == {"1": "valid", "2": "test"}


def test_utterances_that_no_list_names_stay_without_a_part(tmp_path):
    for fold in (1, 2):
        write(tmp_path, fold, "train", SAID[1:2])
        write(tmp_path, fold, "test", SAID[:1])
    assert parts(fold_lists.assign(parsed(), tmp_path))["10a01Wa"] is None


def test_listed_utterances_that_the_corpus_lacks_are_named(tmp_path):
    write(lists(tmp_path), 2, "test", ["16a01Wa"])
    with pytest.raises(CorpusError, match="1 listed utterances are not in the corpus") as caught:
        fold_lists.assign(parsed(), tmp_path)
    assert "emodb_test_fold_2.jsonl: emodb-16a01Wa" in str(caught.value)


def in_folders(*paths):
    """Utterances of these recordings, with ids that no list knows."""
    names = [path.rpartition(".")[0].replace("/", "_") for path in paths]
    named = zip(names, paths, strict=True)
    return Parsed(tuple(synthetic.utterance(f"u_{n}", audio=path) for n, path in named), ())


def listed(folder, *wavs):
    write(folder, 1, "train", [])
    for wav in wavs:
        write(folder, 1, "test", ["any"], key="any", wav=wav)
    return folder


@pytest.mark.parametrize(
    ("paths", "wav", "said"),
    [
        (("a/x.wav", "b/x.wav"), "x.wav", "'u_a_x', 'u_b_x'"),
        (("x.wav", "b/x.wav"), "x.wav", "'u_b_x', 'u_x'"),
        (("x.wav", "b/x.wav"), "elsewhere/x.wav", "'u_b_x', 'u_x'"),
        (("a/x.wav", "a/x.flac"), "a/x.wav", "'u_a_x', 'u_a_x'"),
    ],
)
def test_a_name_that_several_recordings_have_is_refused_with_them(tmp_path, paths, wav, said):
    with pytest.raises(CorpusError) as refused:
        fold_lists.assign(in_folders(*paths), listed(tmp_path, wav))
    assert f"test_fold_1.jsonl:1: '{wav}' may be any of the utterances {said};" in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("paths", "wav", "id_"),
    [
        (("a/x.wav", "b/x.wav"), "corpora/b/x.wav", "u_b_x"),
        (("a/x.wav", "a/y.wav"), "x.wav", "u_a_x"),
        (("x.wav", "a/y.wav"), "elsewhere/x.wav", "u_x"),
    ],
)
def test_folders_tell_recordings_of_one_name_apart(tmp_path, paths, wav, id_):
    found = fold_lists.assign(in_folders(*paths), listed(tmp_path, wav))
    assert [a.id for a in found.annotations if a.parts] == [id_]


def test_a_recording_of_another_folder_is_not_taken_for_the_listed_one(tmp_path):
    with pytest.raises(CorpusError, match="1 listed utterances are not in the corpus"):
        fold_lists.assign(in_folders("a/x.wav"), listed(tmp_path, "b/x.wav"))


def test_an_utterance_that_a_fold_lists_twice_is_refused(tmp_path):
    write(lists(tmp_path), 2, "test", SAID[1:])
    with pytest.raises(CorpusError, match="'emodb-08a01Wa' is listed in fold 2 twice"):
        fold_lists.assign(parsed(), tmp_path)


@pytest.mark.parametrize(
    "text", ["no json", "[1]", '"text"', "{}", '{"key": 1}', '{"key": ""}', "null"]
)
def test_a_line_that_names_no_utterance_is_refused_with_its_place(tmp_path, text):
    path = write(lists(tmp_path), 1, "test", SAID[:1])
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(CorpusError, match=r"emodb_test_fold_1\.jsonl:2: "):
        fold_lists.assign(parsed(), tmp_path)


def test_a_fold_without_a_list_is_refused(tmp_path):
    write(tmp_path, 1, "train", SAID)
    with pytest.raises(CorpusError, match=r"no list <name>_test_fold_1\.jsonl"):
        fold_lists.assign(parsed(), tmp_path)


def test_two_lists_of_one_part_are_refused(tmp_path):
    (lists(tmp_path) / "fold_1" / "other_test_fold_1.jsonl").write_text("")
    with pytest.raises(CorpusError, match=r"emodb_test_fold_1\.jsonl and other_test"):
        fold_lists.assign(parsed(), tmp_path)


@pytest.mark.parametrize(
    ("name", "problem"), [("", "no folder fold_<k>"), ("x", "cannot be listed")]
)
def test_a_folder_without_lists_is_refused(tmp_path, name, problem):
    with pytest.raises(CorpusError, match=problem):
        fold_lists.assign(parsed(), tmp_path / name)


@pytest.mark.parametrize("own", [{"fold": "1"}, {"parts": {"1": "train"}}])
def test_a_corpus_that_says_it_itself_takes_no_lists(tmp_path, own):
    with pytest.raises(CorpusError, match="the corpus says itself who is tested"):
        fold_lists.assign(parsed(**own), lists(tmp_path))
