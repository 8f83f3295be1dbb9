"""Which cells are trained on which corpus and tested on which, and where that is."""

from ser import cross_folders
from ser.cross_folders import Crossing, Side
from ser.data.card import CorpusCard
from ser.grid import variants
from ser.grid.params import CrossCorpusParams
from ser.project import CellFolder, Project


def own_side(project: Project) -> Side:
    """Return the corpus of params.yaml, by the name of its parser, or of its table.

    Raises:
        FileError: Its card is missing or damaged.
    """
    card = CorpusCard.read(project.corpus_card)
    return Side(str(card.params.get("title") or card.name), project)


def of_cell(
    cell: str, feature: str, section: CrossCorpusParams, project: Project
) -> list[Crossing]:
    """Return what a cell is trained and tested on: from and to every corpus of the section.

    Args:
        cell: `<model>-<loss>`.
        feature: Which feature it reads.
        section: `cross_corpus` of params.yaml.
        project: The checkout.
    """
    own = own_side(project)
    others = [Side(name, cross_folders.other(project, name)) for name in section.corpora]
    return [
        Crossing(cell, feature, *sides)
        for other in others
        for sides in ((own, other), (other, own))
    ]


def of_section(section: CrossCorpusParams, project: Project) -> list[Crossing]:
    """Return those of all cells of `cross_corpus` of params.yaml."""
    return [
        crossing
        for name, cell in section.cells.items()
        for crossing in of_cell(name, cell.feature, section, project)
    ]


def upstream(crossing: Crossing, project: Project) -> tuple[str, ...]:
    """Return the stages that a crossing stands on: no split, and of the other corpus its own.

    Args:
        crossing: The cell and the corpora.
        project: The checkout. A corpus that a command has prepared has no stage.
    """
    found: list[str] = []
    for side in (crossing.trained_on, crossing.tested_on):
        if side.project == project:
            found += ["prepare", f"extract@{crossing.feature}"]
        elif side.project == cross_folders.other(project, side.name):
            found.append(f"cross_data@{side.name}")
    return tuple(sorted(found))


def trained(folder: Project, cell: str) -> CellFolder:
    """Return where training leaves a crossing: below its joined corpora, or below what is kept."""
    return folder.trained(cell, variants.CROSS_CORPUS)
