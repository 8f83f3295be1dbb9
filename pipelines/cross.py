"""Stage cross: corpora and features -> data/crossed/<model>-<loss>, trained here, tested there."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ser import components, cross_folders, runtime
from ser.errors import ParamsError
from ser.grid import cross_corpus, crossings
from ser.grid.params import CrossCorpusParams
from ser.grid.plans import CellSections
from ser.params import read
from ser.project import Project, Words

logger = logging.getLogger("cross")


class Params(CellSections):
    """Sections read: cross_corpus, and those of the cell."""

    cross_corpus: CrossCorpusParams


#: What is found by name: the family -> the word of dvc.yaml that names the component.
COMPONENTS = {components.MODELS: "item.model", components.LOSSES: "item.loss"}


def reads(project: Project, words: Words) -> list[Path]:
    """Return manifest and feature of the corpus of params.yaml, and those of the others."""
    own = [project.manifest, project.corpus_card, project.features(words["item.feature"])]
    return [*own, cross_folders.all_others(project)]


def writes(project: Project, words: Words) -> list[Path]:
    """Return the folder of the cell: a folder for each pair of corpora."""
    return [cross_folders.trained(project, words["key"]).folder]


def run(params_file: Path, name: str, project: Project) -> None:
    """Train a cell of the section on every corpus; test it on every other.

    Raises:
        ParamsError: The section has no such cell; or it learns ratings or votes, and a corpus
            that it is to be trained on has none.
    """
    section = read(params_file, Params).cross_corpus
    if name not in section.cells:
        known = ", ".join(section.cells) or "none"
        raise ParamsError(f"{params_file}: cross_corpus.cells has no {name!r}; there are: {known}")
    # All are made before any runs: what one of them cannot learn is refused at once.
    runners = [
        (crossing, cross_corpus.runner(params_file, crossing, project, section))
        for crossing in crossings.of_cell(name, section.cells[name].feature, section, project)
    ]
    for crossing, made in runners:
        said = f"{name} {crossing.pair}"
        cross_corpus.train(
            made,
            crossing,
            project,
            lambda jobs, said=said: tqdm(jobs, desc=said, unit="fold", disable=None),
        )
        logger.info("%s: trained and tested", said)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", help="one of cross_corpus.cells in params.yaml")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    options = parser.parse_args(argv)
    return runtime.run_main(lambda: run(options.params, options.cell, Project()))


if __name__ == "__main__":
    raise SystemExit(main())
