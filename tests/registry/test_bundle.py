import json
from dataclasses import replace

import pytest

from ser import lineage
from ser.errors import BundleError, FileError, ParamsError
from ser.params import parse
from ser.project import Project
from ser.registry import bundle as bundles
from ser.registry import packing
from ser.registry.bundle import ServingParams
from ser.registry.packing import TrainedCell
from tests.registry.support import as_format_1


@pytest.fixture(scope="module")
def computed(trained_root):
    """It takes its time: all test recordings are listened to."""
    cell = TrainedCell(Project(trained_root), "lstm-aam")
    record = packing.choose(cell)
    return packing.source_of_fold(cell, record, params=ServingParams(), limits={})


@pytest.fixture
def source(computed, trained):
    return computed


@pytest.fixture
def packed(source, tmp_path):
    bundles.write(source, tmp_path / "bundle")
    return tmp_path / "bundle"


def test_what_is_written_is_read(source, tmp_path):
    written = bundles.write(source, tmp_path / "bundle")
    assert bundles.read(tmp_path / "bundle") == written
    assert set(written.files) == {
        "model.safetensors",
        "statistics.safetensors",
        "familiarity.safetensors",
        "drift_reference.json",
    }


def test_the_same_source_gives_the_same_digest_and_another_fold_another(source, tmp_path):
    first = bundles.write(source, tmp_path / "a")
    assert bundles.write(source, tmp_path / "b").sha256 == first.sha256
    cell = TrainedCell(Project(), "lstm-aam")
    other = next(r for r in cell.record.folds if r.fold != first.training.fold)
    again = packing.source_of_fold(cell, other, params=ServingParams(), limits={})
    assert bundles.write(again, tmp_path / "c").sha256 != first.sha256


def test_the_plan_is_that_of_the_tracked_params(packed):
    plan = bundles.read(packed).plan()
    assert plan.name == "lstm-aam"
    assert plan.model_params.hidden_size == 8
    assert plan.loss_params.warmup_epochs == 1
    assert plan.recipe.learning_rate == 0.01


@pytest.mark.parametrize("cell", ["lstm-aam", "wav2vec2-focal"])
def test_what_is_served_knows_nothing_of_the_copies_that_training_drew_from(
    trained, tmp_path, cell
):
    found = TrainedCell(Project(), cell)
    source = packing.source_of_fold(found, packing.choose(found), params=ServingParams(), limits={})
    bundle = bundles.write(source, tmp_path / "bundle")
    assert bundle.params["recipe"]["copies"]["clean"] == 0.5
    assert "copies" not in json.dumps([bundle.served, bundle.params["feature"]])
    assert [name for name in bundle.files if "copies" in name] == []
    assert bundle.feature_params(tmp_path / "bundle").copies == ("clean",)


FILES = ["model.safetensors", "statistics.safetensors", "familiarity.safetensors"]


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_by_name(packed, name):
    path = packed / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=name):
        bundles.read(packed)


def test_a_missing_and_an_additional_file_are_refused_by_name(packed):
    (packed / "model.safetensors").unlink()
    (packed / "note.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"model\.safetensors, note\.txt"):
        bundles.read(packed)


def test_a_folder_without_bundle_json_is_no_bundle(tmp_path):
    with pytest.raises(FileError, match=r"bundle\.json: no such file; download the bundle again"):
        bundles.read(tmp_path)


@pytest.mark.parametrize("change", [{"format": 3}, {"emotions": ["angry"]}, {"surprise": 1}])
def test_another_format_is_refused(packed, change):
    path = packed / bundles.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FileError, match=r"it is not the description of a bundle of this format"):
        bundles.read(packed)


def test_a_bundle_of_the_format_before_is_read_under_its_old_digest(packed):
    content = as_format_1(packed)
    bundle = bundles.read(packed)
    assert bundle.hearing is None
    # What the code of then computed, and registered it under.
    assert bundle.sha256 == lineage.sha256_text(lineage.canonical_json(content))


def test_limits_and_distances_are_part_of_the_digest(source, tmp_path):
    first = bundles.write(source, tmp_path / "a")
    stricter = source.bundle.hearing.model_copy(update={"min_speech_share": 0.5})
    changed = replace(source, bundle=source.bundle.model_copy(update={"hearing": stricter}))
    assert bundles.write(changed, tmp_path / "b").sha256 != first.sha256
    further = replace(source.reference, distances=source.reference.distances + 1)
    changed = replace(source, reference=further)
    assert bundles.write(changed, tmp_path / "c").sha256 != first.sha256


@pytest.mark.parametrize(
    "params",
    [
        {"false_alarm_rate": 1.0},
        {"false_alarm_rate": -0.1},
        {"min_speech_share": 1.5},
        {"min_speech_share": float("nan")},
    ],
)
def test_rates_and_shares_outside_of_their_range_are_refused(params):
    (name,) = params
    with pytest.raises(ParamsError, match=rf"serving is wrong in:\n  {name}: "):
        parse(params, ServingParams, where="serving")


def test_weights_that_were_not_kept_are_refused_with_the_cure(source, tmp_path):
    gone = bundles.Source(
        tmp_path / "model.safetensors", source.statistics, source.feature_meta, source.bundle
    )
    with pytest.raises(BundleError, match="dvc checkout"):
        bundles.write(gone, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_size_counts_every_file(packed):
    num_bytes = sum(path.stat().st_size for path in packed.iterdir())
    assert bundles.size_mib(packed) == pytest.approx(num_bytes / 2**20)


def test_the_drift_reference_is_read_and_an_older_bundle_is_refused_with_the_cure(packed, source):
    assert bundles.read_drift_reference(packed) == source.drift_reference
    (packed / "drift_reference.json").unlink()
    with pytest.raises(BundleError, match=r"no drift_reference\.json.*`ser register"):
        bundles.read_drift_reference(packed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"params": {}}, r"params\.model: expected a section, got None"),
        ({"served": {"model": {"name": "lstm"}, "feature": []}}, r"served\.feature: expected a se"),
        ({"served": {"model": {}, "feature": {}}}, r"served\.model: expected the name"),
        ({"tags": {"note": "\ud800"}}, ".*surrogates not allowed"),
    ],
)
def test_what_is_no_section_or_has_no_digest_is_refused_by_name(packed, change, said):
    path = packed / bundles.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BundleError, match=rf"bundle\.json: {said}.*`ser register"):
        bundles.read(packed)


@pytest.mark.parametrize("rate", [None, "16000", 0, -1, 1e9, 10**9, True, 16000.5])
def test_a_rate_that_no_model_has_is_refused(packed, rate):
    path = packed / bundles.FILE
    content = json.loads(path.read_text())
    content["served"]["feature"]["sampling_rate"] = rate
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"served\.feature\.sampling_rate: expected 1 to 768000"):
        bundles.read(packed)


def test_json_nested_too_deeply_is_one_sentence(packed):
    (packed / bundles.FILE).write_text("[" * 200_000)
    with pytest.raises(FileError, match=r"bundle\.json: it is not .* \(maximum recursion depth"):
        bundles.read(packed)
