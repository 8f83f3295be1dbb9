from pathlib import Path

import pytest

from ser.corpus_folders import DownloadFolder, ShippedCorpus


@pytest.mark.parametrize("folder", [DownloadFolder(Path("x"), "a.zip"), ShippedCorpus(Path("x"))])
def test_everything_lies_in_the_folder_under_a_name_of_its_own(folder):
    found = [
        getattr(folder, name)
        for name, value in vars(type(folder)).items()
        if isinstance(value, property)
    ]
    assert {path.parent for path in found} == {Path("x")}
    assert len({path.name for path in found}) == len(found) >= 3


def test_nothing_half_fetched_has_the_name_of_the_archive():
    place = DownloadFolder(Path("x"), "a.zip")
    assert place.archive.name == "a.zip"
    assert place.part.name == "a.zip.part"
