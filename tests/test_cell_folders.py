from pathlib import Path

import pytest

from ser.cell_folders import CellFolder, TrainedFold
from tests.places import assert_own_names


def test_the_folds_of_a_cell_are_found_in_order(tmp_path):
    cell = CellFolder(tmp_path)
    made = [cell.fold(fold, seed) for fold, seed in ((2, 0), (1, 1), (1, 0))]
    for fold in made:
        fold.folder.mkdir(parents=True)
    assert cell.folds() == [made[2], made[1], made[0]]
    assert made[0] == TrainedFold(tmp_path / "fold-2" / "seed-0")


@pytest.mark.parametrize("folder", [TrainedFold(Path("x")), CellFolder(Path("x"))])
def test_every_file_of_a_folder_lies_in_it_under_a_name_of_its_own(folder):
    assert_own_names(folder, Path("x"))
