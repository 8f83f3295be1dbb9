"""The command that shows and removes kept folds."""

from ser.project import Project


def test_folds_that_no_cell_uses_are_shown_then_removed(ser, trained):
    project = Project()
    kept = sorted(path.name for path in project.kept_folds.iterdir())
    status, out, _ = ser("kept-folds")
    assert status == 0
    assert f"work/folds: {len(kept)} folds" in out
    assert "do not use 0 of them, 0.0 MB" in out
    (project.kept_folds / "of-another-preset").mkdir()
    (project.kept_folds / "of-another-preset" / "model.safetensors").write_bytes(bytes(2_000_000))
    assert "do not use 1 of them, 2.0 MB" in ser("kept-folds")[1]
    assert "1 removed" in ser("kept-folds", "--remove")[1]
    assert sorted(path.name for path in project.kept_folds.iterdir()) == kept


def test_without_data_it_is_said_what_is_missing(ser, trained):
    splits = Project().splits
    aside = splits.rename(splits.with_suffix(".aside"))
    try:
        status, _, err = ser("kept-folds", "--remove")
    finally:
        aside.rename(splits)
    assert status == 1
    assert "data/splits.csv" in err
    assert "Traceback" not in err
