"""Which cells are trained on which corpus and tested on which, and where that is."""

from ser import cross_folders
from ser.cell_folders import CellFolder
from ser.cross_folders import Crossing, Side
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.errors import LineageError
from ser.grid import variants
from ser.grid.params import CrossCorpusParams
from ser.project import Project


def own_side(project: Project) -> Side:
    """Return the corpus of params.yaml, by the name of its parser, or of its table.

    Raises:
        FileError: Its card is missing or damaged.
    """
    card = CorpusCard.read(project.corpus_card)
    return Side(str(card.params.get("title") or card.name), project)


def require_own(pair: Project, project: Project) -> None:
    """Refuse a pair that was joined of another corpus than the one of params.yaml is now.

    Args:
        pair: Where the pair is kept.
        project: The checkout.

    Raises:
        LineageError: Its utterances in the pair are other ones, or of other recordings.
        FileError, ManifestError: A manifest or card is missing or damaged.
    """
    own, classes = own_side(project).name, CorpusCard.read(pair.corpus_card).emotions
    now = {
        (f"{own}/{u.id}", u.sha256, u.emotion)
        for u in manifest.read(project.manifest)
        if u.emotion in classes
    }
    joined = manifest.read(pair.manifest)
    then = {(u.id, u.sha256, u.emotion) for u in joined if u.corpus == own and u.emotion}
    if now != then:
        raise LineageError(
            f"{pair.manifest}: it was joined of another corpus {own} than {project.manifest} "
            f"describes; run `dvc repro cross`"
        )


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
