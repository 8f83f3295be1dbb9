"""Three tiers of tests, and the order in which worker processes take them.

The quick tier (`make test-fast`) is what has no mark `stage`; `make test` is what has no mark
`system`; `make test-systems` is the rest. A test has a mark if it says so itself, or if it asks for
a fixture that calls for it; and whatever starts a server, a node or a browser asks for the mark, by
whichever way a test has come to it. So no test gets into a tier because somebody forgot a line.
"""

from collections.abc import Iterable, Sequence

import pytest
from xdist.scheduler import LoadFileScheduling

#: Fixtures of real servers, clusters and browsers, and of whole programs in processes of their own.
SYSTEM_FIXTURES = frozenset({"chromium", "node", "python", "tracking_server", "team"})

#: Fixtures that run whole stages, train cells of a project or start servers.
STAGE_FIXTURES = SYSTEM_FIXTURES | {"trained_root", "trained", "project_with_params", "forking"}

#: Fixtures of servers that take ten seconds of a processor to start and to fill.
SERVER_FIXTURES = frozenset({"tracking_server", "team"})

#: Files that ask for them: one worker starts them, once.
WITH_SERVERS = frozenset(
    {
        "tests/cli/test_tracking_server.py",
        "tests/promotion/test_races.py",
        "tests/test_deployment.py",
        "tests/test_dvc_remote.py",
        "tests/test_server_restarts.py",
        "tests/test_team_servers.py",
    }
)

#: Files whose processes are forked from one that has the large packages: it takes some seconds of a
#: processor to import them, so one worker does.
WITH_FORKS = frozenset(
    {
        "tests/cli/test_registry.py",
        "tests/cli/test_runs.py",
        "tests/promotion/test_asking.py",
        "tests/promotion/test_measuring.py",
        "tests/promotion/test_refit.py",
        "tests/promotion/test_refitted_folds.py",
        "tests/promotion/test_stand_ins.py",
        "tests/tuning/test_study.py",
        "tests/workflow/test_protocol_gap.py",
    }
)

#: Files that take longest, longest first. Each runs on one worker: begun last, one of them would
#: keep a worker busy while the others have nothing left to do. Of files that share a worker the
#: first is enough.
LONGEST = (
    "tests/test_dvc_status.py",
    "tests/cli/test_tracking_server.py",
    "tests/promotion/test_measuring.py",
    "tests/docs/test_adding.py",
    "tests/engine/test_two_nodes.py",
    "tests/serving/test_workers.py",
    "tests/test_presets.py",
    "tests/test_odd_names.py",
    "tests/api/test_imports.py",
    "tests/grid/test_cell.py",
    "tests/promotion/test_registration.py",
    "tests/serving/test_page.py",
    "tests/test_contracts.py",
    "tests/serving/test_server.py",
    "tests/promotion/test_questioning.py",
    "tests/training/test_fit.py",
    "tests/pretrained/test_transformer.py",
    "tests/promotion/test_decision.py",
    "tests/test_code_dependencies.py",
    "tests/promotion/test_rollback.py",
    "tests/pipelines/test_compare.py",
    "tests/serving/test_mlflow_model.py",
    "tests/test_dvc.py",
    "tests/tuning/test_workers.py",
    "tests/registry/test_local.py",
    "tests/benchmarks/test_benchmarks.py",
    "tests/benchmarks/test_kills.py",
    "tests/test_own_corpus.py",
    "tests/models/test_speech_transformer.py",
    "tests/tracking/test_mlflow_tracker.py",
)


class FileByFile(LoadFileScheduling):
    """A worker takes a whole file; all files with servers are one to it, and all with forks."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return what a test has to share a worker with."""
    file = nodeid.partition("::")[0]
    if file in WITH_SERVERS:
        return "servers"
    return "forks" if file in WITH_FORKS else file


def mark(items: Iterable[pytest.Item]) -> None:
    """Give every test the marks that its fixtures call for; what is `system` is `stage`, too."""
    for item in items:
        asked = getattr(item, "fixturenames", ())
        if SYSTEM_FIXTURES.intersection(asked):
            item.add_marker(pytest.mark.system)
        if item.get_closest_marker("system") or STAGE_FIXTURES.intersection(asked):
            item.add_marker(pytest.mark.stage)


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests file by file: the longest files, then those with whole stages, the rest."""
    with_stages = {file_of(item) for item in items if item.get_closest_marker("stage")}
    rank = {name: number for number, name in enumerate(LONGEST)}

    def turn(item: pytest.Item) -> tuple[int, bool]:
        name = file_of(item)
        return rank.get(name, len(rank)), name not in with_stages

    return sorted(items, key=turn)


def file_of(item: pytest.Item) -> str:
    """Return the file of a test, from the root."""
    return item.nodeid.partition("::")[0]


def require_stage(item: pytest.Item) -> None:
    """Fail a test that runs whole stages without the mark, e.g. by `request.getfixturevalue`."""
    if item.get_closest_marker("stage") is None:
        pytest.fail(f"{item.nodeid} runs whole stages: give it the mark `stage`", pytrace=False)


class Starters:
    """Knows which test runs, and lets none without the mark `system` start what the mark is for."""

    def __init__(self) -> None:
        self._item: pytest.Item | None = None

    def begin(self, item: pytest.Item) -> None:
        """Note the test that runs from now on."""
        self._item = item

    def require_system(self, what: str) -> None:
        """Fail the test that runs, if there is one, unless it has the mark.

        Args:
            what: It is about to start, e.g. "a browser".
        """
        if self._item is not None and self._item.get_closest_marker("system") is None:
            said = f"{self._item.nodeid} starts {what}: give it the mark `system`"
            pytest.fail(said, pytrace=False)


#: Of this session.
starters = Starters()
