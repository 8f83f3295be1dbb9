import dataclasses

import pytest

from ser import lineage, provenance
from ser.grid import inputs, specs
from ser.tracking import recording
from ser.training.recipe import TrainingParams
from tests import synthetic
from tests.grid.support import make_soft_plan, make_vad_plan, write_inputs
from tests.training.support import make_plan


@pytest.fixture
def data(paths):
    return inputs.load(paths, "mfcc", feature_params={})


def key(data, plan=None, *, fold=1, seed=0, source="source", **machine):
    decisive = specs.decisive(
        plan or make_plan(),
        data,
        fold=fold,
        seed=seed,
        source_sha256=source,
        machine={"device": "cpu", "num_processes": 1, **machine},
    )
    return specs.run_key(decisive)


def with_digest(data, name):
    return dataclasses.replace(data, digests={**data.digests, name: "0" * 64})


def with_model(plan, **changes):
    return dataclasses.replace(plan, model_params=plan.model_params.model_copy(update=changes))


def test_the_key_is_the_same_for_the_same_and_fits_a_file_name(data):
    assert key(data) == key(data)
    assert len(key(data)) == 32
    assert key(data).isalnum()


def test_everything_that_decides_the_result_changes_the_key(data, monkeypatch):
    plan = make_plan()
    keys = {
        "nothing": key(data),
        "fold": key(data, fold=2),
        "seed": key(data, seed=1),
        "source": key(data, source="other"),
        "device": key(data, device="cuda"),
        "processes": key(data, num_processes=2),
        "manifest": key(with_digest(data, "manifest")),
        "split": key(with_digest(data, "split")),
        "features": key(with_digest(data, "features")),
        "recipe": key(data, make_plan(learning_rate=0.02)),
        "balance": key(data, make_plan(TrainingParams(balance="none"))),
        "threads": key(data, make_plan(TrainingParams(num_threads=2))),
        "refit": key(data, make_plan(TrainingParams(refit=True))),
        "mixup": key(data, make_plan(mixup=0.2)),
        "normalisation": key(data, make_plan(normalisation="speaker")),
        "precision": key(data, make_plan(TrainingParams(precision="bfloat16"))),
        "model": key(data, with_model(plan, dropout=0.5)),
        "model's name": key(data, dataclasses.replace(plan, model="other")),
        "targets": key(data, make_vad_plan()),
        "loss' name": key(data, dataclasses.replace(plan, loss="other")),
        "emotions": key(data, dataclasses.replace(plan, emotions=("angry", "sad"))),
    }
    versions = {**lineage.package_versions(lineage.DECISIVE_PACKAGES), "torch": "1.0"}
    monkeypatch.setattr(lineage, "package_versions", lambda _names: versions)
    keys["torch"] = key(data)
    assert len(set(keys.values())) == len(keys)


def test_soft_targets_are_in_the_key_with_their_shares_and_hard_ones_leave_it_as_it_was(root):
    utterances = synthetic.corpus(num_sessions=3, voted=True)
    paths = write_inputs(root / "voted", utterances)
    data = inputs.load(paths, "mfcc", feature_params={})
    first = utterances[0].id
    moved = dataclasses.replace(data.votes, counts_of={**data.votes.counts_of, first: (1, 1, 1, 1)})
    other = dataclasses.replace(data, votes=moved)
    keys = [key(data), key(data, make_soft_plan()), key(other, make_soft_plan())]
    assert len(set(keys)) == 3
    # What is learnt of hard targets does not depend on votes.
    assert key(other) == key(data)
    assert "targets" not in specs._deciding(make_plan().params())["training"]
    assert specs._deciding(make_soft_plan().params())["training"]["targets"] == "soft"
    assert specs.data_of(make_plan(), data) == dict(data.digests)


def test_what_else_is_trained_or_kept_does_not_change_the_key(data):
    others = TrainingParams(seeds=(0, 1, 2), keep_weights="best")
    assert key(data, make_plan(others)) == key(data)


def test_the_key_of_a_cell_is_that_of_its_folds_in_any_order():
    assert specs.cell_key({(1, 0): "a", (2, 0): "b"}) == specs.cell_key({(2, 0): "b", (1, 0): "a"})
    assert specs.cell_key({(1, 0): "a"}) != specs.cell_key({(1, 0): "a", (2, 0): "b"})
    # A cell of one fold is no fold.
    assert specs.cell_key({(1, 0): "a"}) != "a"


def test_what_a_corpus_maps_is_one_value_whatever_its_names_are(data):
    mapped = {"genders": {"ann": "female"}, "label_map": {"joy (acted)": "happy"}, "name": "csv"}
    data = dataclasses.replace(data, card=data.card.model_copy(update={"params": mapped}))
    spec = specs.fold_spec(make_plan(), data, key="k", shared={}, fold=1, seed=0)
    flat = recording.flatten(spec.params)
    assert {key: flat[key] for key in flat if key.startswith("corpus.")} == {
        "corpus.genders": '{"ann": "female"}',
        "corpus.label_map": '{"joy (acted)": "happy"}',
        "corpus.name": "csv",
    }


def test_speakers_are_shown_in_a_note_and_never_read_as_markup(data):
    record = data.split.folds[0].model_copy(
        update={"speakers": {"train": ("<b>",), "dev": ("a|b",), "test": ("*c*",)}}
    )
    data = dataclasses.replace(data, split=data.split.model_copy(update={"folds": (record,)}))
    note = specs.fold_spec(make_plan(), data, key="k", shared={}, fold=1, seed=0).note
    assert "Test speakers: \\*c\\*; dev: a\\|b; train: &lt;b&gt;." in note


def test_a_nested_run_names_fold_seed_and_speakers_and_holds_no_list_of_seeds(data):
    plan = make_plan(TrainingParams(seeds=(0, 3)))
    spec = specs.fold_spec(plan, data, key="k", shared={"ser.model": "lstm"}, fold=2, seed=3)
    assert spec.name == "lstm-cross_entropy/fold-2/seed-3"
    assert spec.tags == {
        "ser.model": "lstm", "ser.fold": "2", "ser.seed": "3", "ser.tuned": "false",
    }  # fmt: skip
    assert "Test speakers: Ses02F, Ses02M; dev: Ses03F, Ses03M" in spec.note
    assert (spec.params["fold"], spec.params["seed"]) == (2, 3)
    assert "seeds" not in spec.params["training"]
    assert {dataset.name: dataset.digest for dataset in spec.datasets} == {
        "manifest": data.digests["manifest"],
        "split": data.digests["split"],
    }


def test_a_cells_run_has_the_params_of_every_stage_before_it(data):
    plan = make_plan(TrainingParams(seeds=(0, 3)))
    spec = specs.cell_spec(plan, data, key="k", shared={})
    assert spec.name == "lstm-cross_entropy"
    assert spec.tags == {"ser.fold": "all", "ser.seed": "all", "ser.tuned": "false"}
    assert spec.params["training"]["seeds"] == [0, 3]
    assert spec.params["corpus"] == {"name": "demo"}
    assert spec.params["split"]["protocol"] == "session"
    assert spec.params["feature"] == {"name": "mfcc", "sampling_rate": 16000}
    assert "Synthetic speech" in spec.note


def test_the_note_of_a_cell_speaks_of_ratings_where_it_rates(data):
    def note(plan):
        return specs.cell_spec(plan, data, key="k", shared={}).note

    assert "`test/ccc_<dimension>`" in note(make_vad_plan())
    assert "ccc_" not in note(make_plan())


def test_runs_say_how_folds_are_trained_where_that_is_not_the_usual_way(data):
    def said(plan):
        tags = specs.tags(plan, data, source_sha256="source")
        cell = specs.cell_spec(plan, data, key="k", shared={}).note
        fold = specs.fold_spec(plan, data, key="k", shared={}, fold=2, seed=0).note
        return tags["ser.refit"], tags["ser.transductive"], cell, fold

    *tags, cell, fold = said(make_plan())
    assert tags == ["false", "false"]
    assert not any(word in cell + fold for word in ("Refitted", "Transductive"))
    refit, transductive, cell, fold = said(make_plan(TrainingParams(refit=True)))
    assert (refit, transductive) == ("true", "false")
    assert all("**Refitted**: once dev had chosen the epoch" in note for note in (cell, fold))
    refit, transductive, cell, fold = said(make_plan(normalisation="session"))
    assert (refit, transductive) == ("false", "true")
    assert all("**Transductive**: inputs are normalised per session" in n for n in (cell, fold))


def test_an_experiment_is_named_after_corpus_and_protocol_and_says_what_it_is_not(data, root):
    assert specs.experiment_name(data) == "ser/demo/session"
    note = specs.experiment_note(data)
    assert "Synthetic speech" in note
    assert "Speaker-dependent" not in note
    paths = write_inputs(root / "other", synthetic.corpus(), protocol="random", num_folds=2)
    other = inputs.load(paths, "mfcc", feature_params={})
    real = dataclasses.replace(other, card=other.card.model_copy(update={"synthetic": False}))
    assert specs.experiment_name(real) == "ser/demo/random"
    titled = {"name": "csv", "params": {"name": "csv", "title": "helpline"}}
    table = dataclasses.replace(other, card=other.card.model_copy(update=titled))
    assert specs.experiment_name(table, "tuning") == "ser/csv-helpline/random/tuning"
    two = dataclasses.replace(
        data, card=data.card.model_copy(update={"emotions": ("angry", "sad")})
    )
    assert specs.experiment_name(two) == "ser/demo-2-angry-sad/session"
    assert "Speaker-dependent" in specs.experiment_note(real)
    assert "Synthetic" not in specs.experiment_note(real)


def test_tags_lead_back_to_data_code_and_versions_and_not_to_a_machine(data):
    tags = specs.tags(make_plan(), data, source_sha256="source")
    assert tags["ser.split_sha256"] == data.digests["split"]
    assert tags["ser.features_sha256"] == data.digests["features"]
    assert tags["ser.source_sha256"] == "source"
    assert tags["ser.upstream_stages"] == "prepare,split,extract@mfcc"
    assert tags["ser.torch"] == lineage.package_versions(["torch"])["torch"]
    assert not tags.keys() & {*provenance.UNKNOWN, "ser.dvc_lock_sha256"}


def test_data_are_named_as_in_every_checkout(data):
    spec = specs.cell_spec(make_plan(), data, key="k", shared={})
    assert [found.source for found in spec.datasets] == ["data/manifest.jsonl", "data/splits.csv"]
