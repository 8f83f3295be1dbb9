"""Many processes that meet a store at the same moment: forked from one that has imported it all.

python -m tests.servers.at_once WORK ADDRESS
"""

import multiprocessing
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ser.contracts import RunSpec
from ser.registry import alone, versions
from ser.tracking.mlflow_tracker import open_experiment
from ser.tuning import storage as storages
from tests.tuning.support import bowl, fill, study_plan

NUM_PROCESSES = 24

#: Folders that the processes work in, as if on a host each.
NUM_HOSTS = 4
MODEL = "ser-demo-session"

#: Whoever registers last has waited for all the others, on a machine that tests keep busy.
_PATIENCE_S = 300.0


def record_and_register(number: int, uri: str) -> None:
    """Record a run of its own and a version of the model of all, on one of several hosts."""
    root = Path(f"host-{number % NUM_HOSTS}")
    experiment = open_experiment(
        "ser/demo/session", note="n", tags={"a": "b"}, tracking_uri=uri, root=root
    )
    with experiment.run(RunSpec(f"run {number}", f"key-{number}", {}, {"lr": 0.1})) as tracker:
        tracker.log_metrics({"dev/uar": number / 32}, step=1)
    alone.TIMEOUT_S = _PATIENCE_S
    run = experiment.client.get_run(experiment.run_id(f"key-{number}"))
    versions.open_registry(root, uri).register(
        MODEL,
        source=run.info.artifact_uri,
        run_id=run.info.run_id,
        tags={"ser.bundle_sha256": f"bundle-{number}"},
        description="A card",
        about="A model",
    )


def fill_a_study(_number: int, url: str) -> None:
    """Make the database's tables and the study of all, and fill its slots together."""
    plan = study_plan(num_trials=NUM_PROCESSES, sampler="random", pruner="none")
    storage = storages.connect(url)
    fill(plan, storage, url, partial(bowl, epochs=1))
    storage.engine.dispose()


def run(work: Callable[[int, str], None], address: str) -> list[int]:
    """Let processes do the same at once; return their exit statuses."""
    context = multiprocessing.get_context("fork")
    all_there = context.Barrier(NUM_PROCESSES)

    def be(number: int) -> None:
        all_there.wait()
        work(number, address)

    started = [context.Process(target=be, args=(number,)) for number in range(NUM_PROCESSES)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [int(process.exitcode or 0) for process in started]


if __name__ == "__main__":
    sys.exit(any(run(globals()[sys.argv[1]], sys.argv[2])))
