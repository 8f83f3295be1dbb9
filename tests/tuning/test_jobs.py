"""What a worker is sent, and the proof that nothing of the test part reaches a study."""

import dataclasses
import json
import pickle

import numpy as np
import pandas as pd
import pytest

from ser.errors import StaleFeaturesError
from ser.grid import tuned
from ser.tuning import jobs as job_making
from ser.tuning import study as studies
from ser.tuning import workers
from tests import synthetic
from tests.grid.support import write_inputs
from tests.tuning.support import load_inputs, make_job, tiny_cell, told


def learning_job(paths, root):
    """A job whose trials learn and differ: at chance, no label would make a difference."""
    return make_job(
        paths, root, num_trials=4, cell=tiny_cell(num_epochs=5, learning_rate=0.05), pruner="none"
    )


def outcome_bytes(job, url, storage, tmp_path):
    """Tune for real; return what training would read of it, and all trials."""
    workers.run([job], url, num_workers=1, report=lambda: None)
    study = studies.load(job.study, storage)
    found = dataclasses.replace(studies.outcome(job.study, study), study=None)
    tuned.write(tmp_path / "tuned.json", {("lstm", "focal"): {1: found}})
    return (tmp_path / "tuned.json").read_bytes(), told(job.study, study)


def test_a_job_holds_nothing_of_the_test_part(paths, root):
    data = load_inputs(paths)
    fold = data.folds[0]
    job = make_job(paths, root, data=data)
    known = {*fold.train, *fold.dev}
    assert job.label_of.keys() == job.rating_of.keys() == known
    assert {f.name for f in dataclasses.fields(job)} == {
        "study", "train", "dev", "features", "label_of", "rating_of", "group_of",
        "share_of", "decided_by",
    }  # fmt: skip
    sent = pickle.dumps(job)
    assert [id_ for id_ in known if id_.encode() not in sent] == []
    assert [id_ for id_ in fold.test if id_.encode() in sent] == []
    store = job.data().store
    assert len(store) == len(known)
    for id_ in fold.test:
        assert id_ not in store
        with pytest.raises(StaleFeaturesError, match="no features of utterance"):
            store[id_]


def test_a_job_of_soft_targets_holds_the_shares_of_train_and_dev_and_another_key(root):
    utterances = synthetic.corpus(num_sessions=3, voted=True)
    data = load_inputs(write_inputs(root / "voted", utterances))
    cell = tiny_cell()
    training = cell.training.model_copy(update={"targets": "soft"})
    soft = make_job(
        data.project, root, data=data, cell=dataclasses.replace(cell, training=training)
    )
    hard = make_job(data.project, root, data=data, cell=cell)
    known = {*data.folds[0].train, *data.folds[0].dev}
    shares = synthetic.share_of(utterances)
    assert soft.share_of == {id_: shares[id_] for id_ in known}
    assert soft.data().share_of == soft.share_of
    assert hard.share_of is None
    assert soft.study.key != hard.study.key


def test_the_copies_of_a_jobs_features_hold_nothing_of_the_test_part_either(tmp_path):
    utterances = synthetic.corpus()
    synthetic.feature_store(tmp_path / "mfcc", utterances, copies=["speed_0.9"])
    visible = [u.id for u in utterances[:5]]
    store = job_making.PartialStore(tmp_path / "mfcc", visible)
    assert store.of_copy("clean") is store
    copy = store.of_copy("speed_0.9")
    assert len(copy) == 5
    assert copy.num_frames(visible[0]) == store.num_frames(visible[0]) + 2
    with pytest.raises(StaleFeaturesError, match="no features of utterance"):
        copy[utterances[5].id]


def without_test_labels(paths, fold):
    """Every test utterance of a fold gets another emotion, in the manifest itself."""
    wrong = {"angry": "sad", "happy": "angry", "neutral": "happy", "sad": "neutral"}
    lines = []
    for line in paths.manifest.read_text().splitlines():
        row = json.loads(line)
        if row["id"] in fold.test:
            row["emotion"] = wrong[row["emotion"]]
        lines.append(json.dumps(row))
    paths.manifest.write_text("\n".join(lines) + "\n")
    # The report pins the manifest by its digest; here it is to be believed.
    report = json.loads(paths.split_report.read_text())
    report["manifest_sha256"] = job_making.lineage.sha256_file(paths.manifest)
    paths.split_report.write_text(json.dumps(report))


def without_test_features(paths, fold):
    """Every test utterance of a fold loses its frames: those on disk are no numbers."""
    index = pd.read_parquet(paths.features("mfcc") / "index.parquet")
    for shard, rows in index.groupby("shard"):
        file = paths.features("mfcc") / f"shard-{shard:05}.npy"
        frames = np.load(file)
        for row in rows[rows["utterance_id"].isin(fold.test)].itertuples():
            frames[row.start : row.start + row.num_frames] = np.nan
        np.save(file, frames)
    index[~index["utterance_id"].isin(fold.test)].to_parquet(
        paths.features("mfcc") / "index.parquet", index=False
    )


@pytest.mark.stage
def test_without_test_labels_and_test_features_the_outcome_is_the_same_to_the_byte(
    paths, root, url, storage, tmp_path
):
    first = learning_job(paths, root)
    expected = outcome_bytes(first, url, storage, tmp_path)
    fold = load_inputs(paths).folds[0]
    without_test_labels(paths, fold)
    without_test_features(paths, fold)
    second = learning_job(paths, root)
    assert second.study.name != first.study.name
    assert outcome_bytes(second, url, storage, tmp_path) == expected
    assert b'"loss.gamma"' in expected[0]
    assert len({trial.value for trial in expected[1]}) > 1


@pytest.mark.stage
def test_dev_labels_do_change_the_outcome(paths, root, url, storage, tmp_path):
    """The proof above could not fail if no labels were read at all."""
    job = learning_job(paths, root)
    expected = outcome_bytes(job, url, storage, tmp_path)
    wrong = {id_: (label + (id_ in job.dev)) % 4 for id_, label in job.label_of.items()}
    other = dataclasses.replace(
        job, label_of=wrong, study=dataclasses.replace(job.study, key="o" * 32)
    )
    assert outcome_bytes(other, url, storage, tmp_path) != expected


def test_everything_that_decides_a_study_is_in_its_key(paths, root):
    data = load_inputs(paths)
    key = make_job(paths, root, data=data).study.key
    moved = dataclasses.replace(data, digests={**data.digests, "features": "0" * 64})
    others = {
        "fold": make_job(paths, root, fold=1, data=data),
        "features": make_job(paths, root, data=moved),
        "recipe": make_job(paths, root, data=data, cell=tiny_cell(learning_rate=0.5)),
        "sampler": make_job(paths, root, data=data, sampler="random"),
        "pruner": make_job(paths, root, data=data, pruner="none"),
        "seed": make_job(paths, root, data=data, seed=1),
    }
    keys = {name: job.study.key for name, job in others.items()}
    assert [name for name, other in keys.items() if other == key] == []
    assert len(set(keys.values())) == len(keys)


def test_how_many_trials_and_where_is_not_in_the_key(paths, root):
    data = load_inputs(paths)
    key = make_job(paths, root, data=data).study.key
    for changes in ({"num_trials": 9}, {"num_workers": 4}, {"storage": "sqlite:///other.db"}):
        assert make_job(paths, root, data=data, **changes).study.key == key


def test_whether_cells_are_refitted_is_not_in_the_key(paths, root):
    """No trial refits, so a preset that begins to does not tune anew."""
    data, cell = load_inputs(paths), tiny_cell()
    training = cell.training.model_copy(update={"refit": True})
    refitted = dataclasses.replace(cell, training=training)
    plain, other = (make_job(paths, root, data=data, cell=found) for found in (cell, refitted))
    assert other.study == plain.study
    assert not other.study.cell.training.refit


def test_a_job_knows_the_speakers_of_its_own_parts_where_inputs_are_normalised_by_them(paths, root):
    data = load_inputs(paths)
    fold = data.folds[0]
    assert make_job(paths, root, data=data).group_of is None
    job = make_job(paths, root, data=data, cell=tiny_cell(normalisation="speaker"))
    known = {*fold.train, *fold.dev}
    assert job.group_of == {id_: data.speaker_of[id_] for id_ in known}
    assert job.data().group_of == job.group_of
