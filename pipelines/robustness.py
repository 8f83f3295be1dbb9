"""Stage robustness: predictions under the copies -> reports/robustness.csv, without_copies.csv."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ser import stage_program, tables
from ser.cell_folders import CellFolder
from ser.data import manifest
from ser.errors import LineageError
from ser.evaluation import robustness
from ser.evaluation.robustness import UnderCopies
from ser.grid import variants
from ser.grid.params import CellParams, RobustnessParams
from ser.params import StageParams
from ser.project import Project, Words
from ser.tracking import cells


class Params(StageParams):
    """Sections read: cells, robustness."""

    cells: Mapping[str, CellParams]
    robustness: RobustnessParams = RobustnessParams()


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the cells, with and without copies, and who spoke."""
    return [
        project.manifest,
        project.splits,
        project.trained("").folder,
        project.trained("", variants.WITHOUT_COPIES).folder,
    ]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the tables."""
    return [project.robustness, project.copies_gain]


def run(params: Params, project: Project) -> None:
    """Score every cell under every copy of its feature, and those trained without beside them."""
    speaker_of = {u.id: u.speaker for u in manifest.read(project.manifest)}
    twins = [project.trained(n, variants.WITHOUT_COPIES) for n in params.robustness.without_copies]
    for folder in [*map(project.trained, params.cells), *twins]:
        cells.require_data(folder, project)
    found = {
        (cell.model, cell.loss): by_copy
        for name, cell in params.cells.items()
        if (by_copy := robustness.read(project.trained(name))) is not None
    }
    tables.write_csv(project.robustness, robustness.table(found, speaker_of))
    pairs = {
        (cell.model, cell.loss): (
            _read(project.trained(name)),
            _read(project.trained(name, variants.WITHOUT_COPIES)),
        )
        for name, cell in params.robustness.without_copies.items()
    }
    tables.write_csv(project.copies_gain, robustness.pairs_table(pairs, speaker_of))


def _read(cell: CellFolder) -> UnderCopies:
    """Return the predictions by copy of a cell whose feature has copies."""
    found = robustness.read(cell)
    if found is None:
        raise LineageError(f"{cell.copies}: no such file; `dvc repro` makes it")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
