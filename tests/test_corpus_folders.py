from pathlib import Path

import pytest

from ser.corpus_folders import DownloadFolder, ShippedCorpus
from tests.places import assert_own_names


@pytest.mark.parametrize("folder", [DownloadFolder(Path("x"), "a.zip"), ShippedCorpus(Path("x"))])
def test_everything_lies_in_the_folder_under_a_name_of_its_own(folder):
    assert_own_names(folder, Path("x"))


def test_nothing_half_fetched_has_the_name_of_the_archive():
    place = DownloadFolder(Path("x"), "a.zip")
    assert place.archive.name == "a.zip"
    assert place.part.name == "a.zip.part"
