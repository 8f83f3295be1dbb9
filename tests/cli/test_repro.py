"""The main job: in which order, and what is left out."""

import pytest

from ser.cli import checks, grid, repro, runs
from ser.errors import PipelineError
from ser.workflow import dvc_runs


@pytest.fixture
def parts(monkeypatch):
    """Replace what the job consists of; give the list of what was called, and what DVC says."""
    called, dvc = [], {"up to date": True, "ran": True}

    def replace(module, name, answer=None):
        def call(*arguments, **options):
            called.append((name, *arguments[1 if module is dvc_runs else 0 :], options))
            return answer() if answer else None

        monkeypatch.setattr(module, name, call)

    replace(checks, "doctor")
    replace(dvc_runs, "is_up_to_date", lambda: dvc["up to date"])
    replace(grid, "grid")
    replace(dvc_runs, "repro", lambda: dvc["ran"])
    replace(runs, "restore_runs")
    replace(runs, "results")
    return called, dvc


def test_where_dvc_finds_nothing_changed_it_runs_nothing_and_that_is_said(ser, project, parts):
    called, _ = parts
    status, out, _ = ser("repro", "--jobs", "2")
    assert (status, out) == (0, "Data and pipelines are up to date.\n")
    assert called == [
        ("doctor", {"fix": True, "quiet": True}),
        ("is_up_to_date", {}),
        ("restore_runs", {"quiet": True}),
        ("results", {}),
    ]


@pytest.mark.parametrize("ran", [True, False])
def test_what_has_changed_is_made_by_the_grid_and_the_rest_by_dvc(ser, project, parts, ran):
    called, dvc = parts
    dvc["up to date"], dvc["ran"] = False, ran
    status, out, _ = ser("repro", "--jobs", "2")
    assert (status, "up to date" in out) == (0, not ran)
    assert called[2:4] == [("grid", 2, {}), ("repro", {})]
    assert [name for name, *_ in called[4:]] == ["restore_runs", "results"]


def test_what_fails_ends_the_job(ser, project, parts, monkeypatch):
    called, dvc = parts
    dvc["up to date"] = False

    def fail(_jobs):
        raise PipelineError("2 of 25 cells failed")

    monkeypatch.setattr(grid, "grid", fail)
    status, _, err = ser("repro")
    assert (status, err) == (1, "error: 2 of 25 cells failed\n")
    assert len(called) == 2


def test_the_words_are_dvcs_own():
    from dvc.commands.status import CmdDataStatus

    assert CmdDataStatus.UP_TO_DATE_MSG == repro._UP_TO_DATE
