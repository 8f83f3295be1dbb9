from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from ser.errors import RegistryError
from ser.promotion import rollback
from ser.registry import versions
from ser.registry.versions import CHAMPION
from tests.promotion.support import NAME, known_version


def runs_of(registry, decision):
    """Runs of the registry's experiment with that decision."""
    experiment = registry.client.get_experiment_by_name("ser/csv/session/registry")
    return registry.client.search_runs(
        [experiment.experiment_id], filter_string=f"tags.\"ser.decision\" = '{decision}'"
    )


def test_a_rollback_is_a_run_and_a_refused_one_has_failed(trained):
    registry = versions.open_registry(Path())
    first, second = (known_version("lstm-aam", fold=fold) for fold in (1, 2))
    for version in (first, second):
        registry.promote(version, expected=registry.resolve(NAME, CHAMPION))
    before = {run.info.run_id for run in runs_of(registry, "rolled back")}
    left, now = rollback.go_back(NAME, registry, root=Path())
    assert (left.number, now.number) == (second.number, first.number)
    (run,) = (r for r in runs_of(registry, "rolled back") if r.info.run_id not in before)
    assert run.info.status == "FINISHED"
    assert run.data.tags["ser.model_version"] == f"{NAME}/{second.number}"
    assert run.data.tags["ser.champion"] == f"{NAME}/{first.number}"
    for _ in versions.champions_before(registry.require(NAME, CHAMPION)):
        rollback.go_back(NAME, registry, root=Path())
    with pytest.raises(RegistryError, match="is the first champion"):
        rollback.go_back(NAME, registry, root=Path())
    assert {run.info.status for run in runs_of(registry, "rollback")} == {"FAILED"}


@pytest.mark.parametrize("moment", ["before the alias moves", "after it has moved"])
def test_a_rollback_that_is_cut_short_is_ended_by_the_same_command(trained, monkeypatch, moment):
    registry = versions.open_registry(Path())
    first, second = (known_version("lstm-aam", fold=fold) for fold in (1, 2))
    for version in (first, second):
        registry.promote(version, expected=registry.resolve(NAME, CHAMPION))
    before = {run.info.run_id for run in registry.client.search_runs([experiment_of(registry)])}
    place = (
        (versions.Registry, "_make_champion")
        if moment == "before the alias moves"
        else (rollback, "_say_done")
    )
    with monkeypatch.context() as patch:
        patch.setattr(*place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            rollback.go_back(NAME, registry, root=Path())
    left, now = rollback.go_back(NAME, registry, root=Path())
    assert (left.number, now.number) == (second.number, first.number)
    assert registry.require(NAME, CHAMPION).number == first.number
    runs = registry.client.search_runs([experiment_of(registry)])
    (run,) = (run for run in runs if run.info.run_id not in before)
    assert run.info.status == "FINISHED"
    assert run.data.tags["ser.decision"] == "rolled back"
    assert run.data.tags["ser.champion"] == f"{NAME}/{first.number}"


def test_rollbacks_of_one_version_in_one_second_are_runs_of_their_own(trained, monkeypatch):
    registry = versions.open_registry(Path())
    first, second = (known_version("lstm-aam", fold=fold) for fold in (1, 2))
    monkeypatch.setattr(versions, "datetime", Clock)
    before = {run.info.run_id for run in runs_of(registry, "rolled back")}
    for _ in range(3):
        for version in (first, second):
            registry.promote(version, expected=registry.resolve(NAME, CHAMPION))
        rollback.go_back(NAME, registry, root=Path())
    assert len({run.info.run_id for run in runs_of(registry, "rolled back")} - before) == 3


class Clock(datetime):
    """A clock that goes on by ten milliseconds whenever it is read."""

    reads = count()

    @classmethod
    def now(cls, tz=None):
        """Return a time within the first second of the year, a hundred reads long."""
        return datetime(2026, 1, 1, tzinfo=tz) + next(cls.reads) * timedelta(milliseconds=10)


def interrupted(*_):
    raise KeyboardInterrupt


def experiment_of(registry):
    return registry.client.get_experiment_by_name("ser/csv/session/registry").experiment_id
