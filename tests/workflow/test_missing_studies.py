import pytest

from ser.contracts import UnitOutcome
from ser.errors import PipelineError
from ser.tuning import study_units
from ser.tuning.study_units import StudyUnit
from ser.workflow import missing_studies
from ser.workflow.missing_stages import Missing


def test_studies_of_all_features_are_one_list_and_one_that_fails_is_named(monkeypatch):
    taken = []

    def missing(feature):
        for fold in (1, 2):
            yield StudyUnit(feature, f"{feature}-focal", fold, f"{feature}{fold}", 3, None, {})

    class Engine:
        def run(self, work, units):
            assert work is study_units.search
            for unit in units:
                yield UnitOutcome(unit, "it died" if unit.key == "b2" else None)

    monkeypatch.setattr(study_units, "missing", missing)
    monkeypatch.setattr(study_units, "take", lambda unit: taken.append(unit.key))
    stages = [Missing("tune@a", ""), Missing("tune@b", "")]
    with pytest.raises(PipelineError, match="tune@b: tune/b-focal/fold-2: it died"):
        missing_studies.search(stages, Engine())
    assert taken == ["a1", "a2", "b1"]
