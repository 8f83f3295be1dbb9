import pytest

from ser.errors import FileError
from ser.report.functional_rows import FunctionalRows


@pytest.mark.parametrize("version", ["2.6.0", None])
def test_the_file_gives_back_what_was_written(tmp_path, version):
    rows = FunctionalRows(asked=("egemaps_svm",), opensmile=version)
    rows.write(tmp_path / "functionals.json")
    assert FunctionalRows.read(tmp_path / "functionals.json") == rows


def test_every_row_is_present_or_absent():
    with_package = FunctionalRows(asked=("a", "b"), opensmile="2.6.0")
    assert (with_package.present, with_package.absent) == (("a", "b"), ())
    without = FunctionalRows(asked=("a", "b"), opensmile=None)
    assert (without.present, without.absent) == ((), ("a", "b"))


def test_a_missing_file_names_the_stage_that_makes_it(tmp_path):
    with pytest.raises(FileError, match="`dvc repro baselines` makes it"):
        FunctionalRows.read(tmp_path / "functionals.json")
