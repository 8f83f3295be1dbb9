import hashlib
import json
from pathlib import Path

import pytest

from ser.errors import RegistryError
from ser.promotion import decision, measuring
from ser.promotion.measuring import Workplace
from ser.registry import versions
from ser.registry.gate_params import GateParams
from ser.registry.tags import BUNDLE
from ser.registry.version import model_name
from ser.registry.versions import CHAMPION
from tests.promotion.support import known_version
from tests.registry.support import FAILING, GOOD

PARAMS = GateParams()


@pytest.fixture
def place(trained):
    return Workplace(versions.open_registry(Path()), Path(), allow_synthetic=True)


@pytest.fixture
def name(place, request):
    """A registered model of this test alone, with two versions."""
    found = model_name("csv", hashlib.sha256(request.node.name.encode()).hexdigest()[:16])
    source = known_version("lstm-aam")
    for number in (1, 2):
        place.registry.register(
            found,
            source=source.source,
            run_id=source.run_id,
            tags={**source.tags, BUNDLE: f"bundle {number}"},
            description="",
        )
    return found


def decided(name, place, reference="challenger", params=PARAMS):
    return decision.decide(name, reference, params=params, place=place)


def test_good_evidence_makes_a_champion(name, place, evidence):
    evidence()
    result = decided(name, place)
    assert result.failed == ()
    assert place.registry.require(name, CHAMPION).number == 2


@pytest.mark.parametrize("gate", FAILING)
def test_one_failed_gate_moves_nothing_and_is_named(gate, name, place, evidence):
    evidence()
    decided(name, place, reference=1)
    evidence(**FAILING[gate])
    result = decided(name, place)
    assert result.failed == (gate,)
    assert place.registry.require(name, CHAMPION).number == 1
    assert place.registry.require(name, 2).tags["ser.failed_gates"] == gate


def test_either_decision_is_tracked_with_its_reasons(name, place, evidence, tmp_path):
    for changes, said in ((FAILING["calibration"], "refused"), ({}, "promoted")):
        evidence(**changes)
        decided(name, place)
        tags = place.registry.require(name, 2).tags
        assert tags["ser.decision"] == said
        run = place.registry.client.get_run(tags["ser.decision_run_id"])
        assert run.info.status == "FINISHED"
        assert run.info.run_name.startswith(f"{said} version 2")
        path = place.registry.client.download_artifacts(
            run.info.run_id, "decision.json", str(tmp_path)
        )
        content = json.loads(Path(path).read_text())
        assert content["decision"] == said
        verdicts = {verdict["gate"]: verdict["passed"] for verdict in content["verdicts"]}
        assert verdicts["calibration"] is (said == "promoted")
        assert content["limits"]["max_ece"] == PARAMS.max_ece


def test_a_new_line_is_recorded_with_its_reason_where_it_is_begun(name, place, evidence, tmp_path):
    evidence()
    decided(name, place, reference=1)
    begun = {"difference_low": None, "shared": None, "new_line": "recorded anew"}
    for changes in (FAILING["calibration"], {}):
        evidence(**begun, **changes)
        result = decided(name, place)
        version = place.registry.require(name, 2)
        client = place.registry.client
        run = client.get_run(version.tags["ser.decision_run_id"])
        assert run.data.tags["ser.new_line"] == "recorded anew"
        path = client.download_artifacts(run.info.run_id, "decision.json", str(tmp_path))
        assert json.loads(Path(path).read_text())["evidence"]["new_line"] == "recorded anew"
        # A version that is refused begins nothing.
        assert version.tags.get("ser.new_line") == (None if changes else "recorded anew")
    assert result.failed == ()
    assert place.registry.require(name, CHAMPION).number == 2
    place.registry.rollback(name)
    assert place.registry.require(name, CHAMPION).number == 1


def test_a_champion_that_came_while_it_was_judged_stops_it(name, place, monkeypatch):
    registry = place.registry

    def measure(*_):
        registry.promote(registry.require(name, 1), expected=None)
        return GOOD

    monkeypatch.setattr(measuring, "measure", measure)
    with pytest.raises(RegistryError, match="nothing was moved"):
        decided(name, place)
    assert registry.require(name, CHAMPION).number == 1


def test_the_card_of_the_version_shows_how_steady_it_is(name, place, evidence, tmp_path):
    for field, changes in (("low", FAILING["stability"]), ("high", {})):
        evidence(**changes)
        decided(name, place)
        version = place.registry.require(name, 2)
        card = place.registry.description(version)
        assert card.count("## How steady it is") == 1
        shown = "79.0 %" if field == "low" else "95.0 % [90.0 %, 98.0 %]"
        assert shown in card
        run_id = version.tags["ser.decision_run_id"]
        found = place.registry.client.download_artifacts(run_id, "model_card.md", str(tmp_path))
        assert Path(found).read_text() == card
        metrics = place.registry.client.get_run(run_id).data.metrics
        assert metrics["robustness/uar_loss_telephone_high"] == 0.02
        assert ("79.0 %" in card) is (metrics["robustness/stability_telephone_low"] == 0.79)


def test_without_a_measurement_the_card_stays(name, place, evidence):
    before = place.registry.description(place.registry.require(name, 2))
    evidence(robustness=None, robustness_error="no weights")
    assert decided(name, place).failed == ("stability", "robust_uar")
    assert place.registry.description(place.registry.require(name, 2)) == before


def test_an_unknown_version_is_refused(name, place):
    with pytest.raises(RegistryError, match="no version 9"):
        decided(name, place, reference=9)


def runs_of(name, place):
    """The decisions about the model: name of the run, oldest first."""
    client = place.registry.client
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, order_by=["attributes.start_time"])
    return [
        run.info.run_name
        for run in runs
        if run.data.tags.get("ser.model_version", "").startswith(f"{name}/")
    ]


def test_a_promotion_that_was_cut_before_the_alias_moved_is_one_decision(
    name, place, evidence, monkeypatch
):
    def cut(*_, **__):
        raise KeyboardInterrupt

    evidence()
    with monkeypatch.context() as patch:
        patch.setattr(type(place.registry), "promote", cut)
        with pytest.raises(KeyboardInterrupt):
            decided(name, place)
    evidence(real_time_factor=0.02)  # what is measured in seconds is never the same
    decided(name, place)
    assert place.registry.require(name, CHAMPION).number == 2
    assert runs_of(name, place) == ["promoted version 2 (lstm-aam)"]


def test_a_promotion_that_was_cut_after_the_alias_moved_is_completed(name, place, evidence):
    evidence()
    decided(name, place)
    client = place.registry.client
    client.set_registered_model_alias(name, "challenger", "2")
    decided(name, place)
    assert place.registry.resolve(name, "challenger") is None
    assert runs_of(name, place) == ["promoted version 2 (lstm-aam)"]


def test_a_promotion_that_was_cut_before_its_run_says_so_is_given_again(
    name, place, evidence, monkeypatch
):
    def cut(*_):
        raise KeyboardInterrupt

    evidence()
    with monkeypatch.context() as patch:
        patch.setattr(decision._Record, "tell", cut)
        with pytest.raises(KeyboardInterrupt):
            decided(name, place)
    assert place.registry.require(name, CHAMPION).number == 2
    decided(name, place)
    assert place.registry.resolve(name, "challenger") is None
    assert runs_of(name, place) == ["promoted version 2 (lstm-aam)"]


def test_another_verdict_and_a_promotion_after_a_rollback_are_decisions_of_their_own(
    name, place, evidence
):
    evidence()
    decided(name, place, reference=1)
    evidence(**FAILING["calibration"])
    decided(name, place)
    evidence()
    for _ in range(2):
        decided(name, place, reference=2)
        place.registry.rollback(name)
    found = runs_of(name, place)
    assert [said.split()[0] for said in found] == ["promoted", "refused", "promoted", "promoted"]
