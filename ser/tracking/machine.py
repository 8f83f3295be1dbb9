"""What the machine does while a run is recorded: processor, memory, disk, network, accelerator."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

#: MLflow's own ten seconds are longer than many a cell takes.
SAMPLE_EVERY_S = 5.0


@contextmanager
def watching(run_id: str, uri: str) -> Iterator[None]:
    """Let MLflow record metrics `system/...` of a run, from a thread, while the block lasts.

    A block shorter than `SAMPLE_EVERY_S` leaves none. What the thread meets is logged and never
    raised: no training ends because its load could not be recorded.

    Args:
        run_id: MLflow's id of the run, which is open.
        uri: Tracking URI.
    """
    logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
    # A run that is taken up again goes on after its last sample.
    monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
        run_id, sampling_interval=SAMPLE_EVERY_S, resume_logging=True, tracking_uri=uri
    )
    monitor.start()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        monitor.finish()  # type: ignore[no-untyped-call]
