import dataclasses

from ser.data import left_out, splits
from ser.data.protocols import PARTS, SplitParams
from tests import synthetic


def reasons(utterances, protocol="session", **params):
    fold = splits.split(utterances, SplitParams(protocol=protocol, **params))[0]
    by_id = {u.id: u for u in utterances}
    parts = {part: [by_id[id_] for id_ in fold.part(part)] for part in PARTS}
    return left_out.by_reason(utterances, parts)


def test_a_fold_of_whole_sessions_leaves_nothing_out():
    assert reasons(synthetic.corpus()) == {}


def test_speakers_beside_the_tested_ones_are_left_out_by_their_session():
    utterances = [
        dataclasses.replace(u, session=f"group {int(u.session[-1]) % 2}")
        for u in synthetic.corpus(num_sessions=4)
    ]
    assert reasons(utterances, "speaker") == {"session of test": 16}


def test_what_the_corpus_gives_no_part_is_in_none():
    names = {"Ses01": "train", "Ses02": "dev", "Ses03": "test", "Ses04": "other", "Ses05": "other"}
    utterances = [dataclasses.replace(u, parts={"1": names[u.session]}) for u in synthetic.corpus()]
    assert reasons(utterances, "file", part_map={"other": None}) == {"no part": 32}


def test_what_no_fold_tests_is_named():
    utterances = synthetic.corpus(num_sessions=3)
    folds = splits.split(utterances, SplitParams())
    assert left_out.untested(utterances, folds) == ()
    assert left_out.untested(utterances, folds[1:]) == tuple(
        sorted(u.id for u in utterances if u.session == "Ses01")
    )
