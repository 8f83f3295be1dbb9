import ast
from pathlib import Path

from ser.cell_folders import CellFolder, TrainedFold
from ser.corpus_folders import ShippedCorpus
from ser.project import Project
from tests.places import places_of

CELL = "lstm-focal"


def test_paths_are_relative_where_the_root_is():
    assert Project().corpus_card == Path("data/corpus.json")
    assert Project(Path("/a")).corpus_card == Path("/a/data/corpus.json")


def test_no_two_artefacts_share_a_place():
    project = Project()
    places = places_of(project)
    places += [project.trained(CELL).folder, project.run(CELL).folder, project.raw("demo")]
    places += [project.features("mfcc"), project.checkpoint("tiny"), project.download("demo")]
    places += [project.shipped("demo").folder]
    assert len(set(places)) == len(places) > 15


def test_another_protocol_has_its_own_folds_over_the_same_corpus():
    project = Project(folds=Path("work/random"))
    assert project.splits == Path("work/random/splits.csv")
    assert project.split_report == Path("work/random/split_report.json")
    assert project.manifest == Project().manifest


def test_a_variant_of_a_cell_lies_beside_it():
    assert Project().trained(CELL).folder == Path("data/trained") / CELL
    assert Project().trained(CELL, "untuned").folder == Path("data/untuned") / CELL
    assert Project().trained(CELL, "without_copies").folder == Path("data/without_copies") / CELL


#: Written by people, and named on the command lines of stages: no artefact.
BY_HAND = {"params.yaml"}

#: File -> names that it may spell, and why: they are not the project's artefacts there.
SPELT_ELSEWHERE = {
    # Files of a bundle, which is no folder of the checkout.
    "ser/registry/bundle.py": {"model.safetensors", "statistics.safetensors"},
    # Hugging Face's names for the files of a checkpoint.
    "ser/pretrained/checkpoint_files.py": {"model.safetensors"},
    # A file of the server's own page, which is part of the package.
    "ser/serving/page_files.py": {"index.html"},
}


def artefacts():
    """The names of all files that `Project` gives a place."""
    found = set()
    for kind in (Project, CellFolder, TrainedFold, ShippedCorpus):
        paths = places_of(kind(Path("x")))
        found |= {path.name for path in paths if isinstance(path, Path) and path.suffix}
    return found - BY_HAND


def literals(path):
    """The texts of a file, without docstrings and the help of options."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    helps = [
        word.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "help"
    ]
    left_out = {id(part) for text in helps for part in ast.walk(text)}
    left_out |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in left_out
    }


def test_names_of_artefacts_are_spelt_in_one_file_only(project):
    names = artefacts()
    assert {"predictions.parquet", "split_report.json", "grid.csv", "facts.json"} <= names
    spelt = {}
    for folder in ("ser", "pipelines"):
        for path in sorted((project / folder).rglob("*.py")):
            found = {text.rpartition("/")[2] for text in literals(path)} & names
            if found:
                spelt[path.relative_to(project).as_posix()] = found
    places = ("ser/project.py", "ser/cell_folders.py", "ser/corpus_folders.py")
    assert set.union(*(spelt.pop(place) for place in places)) == names
    assert spelt == SPELT_ELSEWHERE
