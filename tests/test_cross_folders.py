from pathlib import Path

from ser import cross_folders
from ser.cross_folders import CorpusFolder, Crossing, Side
from ser.project import Project

CELL = "lstm-focal"


def test_another_corpus_has_its_usual_files_in_a_folder_of_its_own():
    other, own = cross_folders.other(Project(), "ravdess"), Project()
    assert other.manifest == Path("data/cross/ravdess/manifest.jsonl")
    assert other.features("mfcc") == Path("data/cross/ravdess/features/mfcc")
    assert other.trained(CELL, "x").folder == Path("data/cross/ravdess/x") / CELL
    assert other.kept_folds == own.kept_folds
    assert other.kept_copies("mfcc") != own.kept_copies("mfcc")


def test_stages_and_commands_share_copies_that_are_extracted_and_no_artefact():
    stage, command = (
        f(Project(), "demo") for f in (cross_folders.other, cross_folders.unversioned)
    )
    assert stage.kept_copies("mfcc") == command.kept_copies("mfcc")
    assert stage.manifest != command.manifest
    assert command.manifest.parts[0] == "work"


def test_a_crossing_is_named_by_both_corpora_in_order():
    sides = [Side(name, Project()) for name in ("emodb", "demo")]
    assert Crossing(CELL, "mfcc", *sides).pair == "emodb-to-demo"
    assert Crossing(CELL, "mfcc", *sides[::-1]).pair == "demo-to-emodb"


def test_the_data_of_a_run_are_those_of_its_corpus_or_of_its_pair():
    assert cross_folders.of_run({"ser.corpus": "emodb"}) == Project()
    assert cross_folders.of_run({}) == Project()
    found = cross_folders.of_run({"ser.corpus": "emodb-to-demo"})
    assert found == cross_folders.joined(Project(), "emodb-to-demo")


def test_pairs_that_are_trained_are_found_and_the_placeholder_is_none(tmp_path):
    project = Project(tmp_path)
    for name in ("none", f"{CELL}/emodb-to-demo", f"{CELL}/demo-to-emodb"):
        (tmp_path / "data/crossed" / name).mkdir(parents=True)
    assert [folder.folder.name for folder in cross_folders.trained_pairs(project)] == [
        "demo-to-emodb",
        "emodb-to-demo",
    ]
    assert cross_folders.trained(project, CELL, "demo-to-emodb") == CorpusFolder(
        tmp_path, folder=tmp_path / "data/crossed" / CELL / "demo-to-emodb"
    )
