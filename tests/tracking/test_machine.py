import threading
import time

from ser.contracts import RunSpec
from ser.tracking import machine, store
from ser.tracking.mlflow_tracker import open_experiment


def recorded(root, monkeypatch, **options):
    """Metrics of a parent and a nested run between which some samples are taken."""
    monkeypatch.setattr(machine, "SAMPLE_EVERY_S", 0.05)
    experiment = open_experiment("ser/demo/session", note="n", tags={}, root=root, **options)
    client = store.connect(store.default_uri(root))
    cell, fold = RunSpec("cell", "cell", {}, {}), RunSpec("fold", "fold", {}, {})
    with experiment.run(cell), experiment.run(fold, parent_key="cell"):
        end = time.monotonic() + 20.0
        while time.monotonic() < end:
            time.sleep(0.2)
            known = client.get_run(experiment.run_id("cell")).data.metrics
            if known or not options:
                break
    return [client.get_run(experiment.run_id(key)).data.metrics for key in ("cell", "fold")]


def test_a_parent_run_has_the_load_of_the_machine_and_a_nested_run_none(root, monkeypatch):
    cell, fold = recorded(root, monkeypatch, is_training=True)
    assert cell["system/cpu_utilization_percentage"] >= 0.0
    assert cell["system/system_memory_usage_megabytes"] > 0.0
    assert not fold
    assert "SystemMetricsMonitor" not in {thread.name for thread in threading.enumerate()}


def test_what_is_not_asked_for_is_not_recorded(root, monkeypatch):
    assert recorded(root, monkeypatch) == [{}, {}]
