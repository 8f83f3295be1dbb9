"""The command that runs what is missing, here or on a cluster."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser import runtime
from ser.cli import extras
from ser.errors import EngineError, SerError

if TYPE_CHECKING:
    from ser.contracts import Engine
    from ser.engine.ray_engine import RayEngine
    from ser.workflow.missing_stages import Missing
    from ser.workflow.units import Failures

    Nodes = Callable[[], RayEngine[Any]]


class GridPart(StrEnum):
    """Of the grid, what `--only` runs."""

    EXTRACT = "extract"
    TUNE = "tune"
    TRAIN = "train"


def grid(
    jobs: Annotated[int, typer.Option(min=1, help="Stages run at once here, a process each.")] = 1,
    only: Annotated[
        GridPart | None,
        typer.Option(help="Up to the features, tuning after it, or the cells and their scores."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of a Ray cluster, whose nodes extract, tune and train."),
    ] = None,
    cpus_per_unit: Annotated[
        float, typer.Option(min=0.1, help="Processors of a node that one unit gets.")
    ] = 1.0,
    gpus_per_unit: Annotated[
        float, typer.Option(min=0.0, help="GPUs that one unit gets; 0.5 puts two on one.")
    ] = 0.0,
    without_token: Annotated[
        bool,
        typer.Option("--without-token", help="Take a cluster that lets in whoever reaches it."),
    ] = False,
) -> None:
    """Run what is missing of features, cells and scores, several at once, with DVC's bookkeeping.

    First what they need, with features side by side, then the cells, then their scores;
    `dvc repro` has only the report left to make. The same as `dvc repro` alone, but packages
    are imported once a process and not once a stage. With a `launcher` of several processes
    no cell is trained here.

    With --address, the nodes of a cluster do the work, each in a project of its own: shards of
    features, studies of tuning, folds of cells. What they leave is put together and recorded here.
    A unit whose node dies is done again. What a node does is logged in work/logs.

    Example: ser grid --jobs 2 && dvc repro

    Example: ser grid --address head:6379 --gpus-per-unit 0.5
    """
    with runtime.importing():
        from ser.engine.launcher_params import DIRECTLY
        from ser.engine.local import LocalEngine
        from ser.params import read
        from ser.project import Project
        from ser.workflow import dvc_runs, missing_stages
        from ser.workflow.preset import Preset

    root = Path()
    preset = read(Project(root).params, Preset)
    launcher, is_crossed = preset.launcher, bool(preset.cross_corpus.corpora)
    if address is not None and launcher != DIRECTLY:
        raise EngineError(
            f"params.yaml: launcher is {launcher!r}, but on a cluster one process trains a fold; "
            f"write `launcher: {DIRECTLY}`, or train without --address"
        )
    cluster: AbstractContextManager[Nodes | None] = nullcontext()
    if address is not None:
        share = (cpus_per_unit, gpus_per_unit)
        cluster = _nodes(address, share, with_token=not without_token)
    # Joined before anything is done here, and also where nothing is missing; left before cells are
    # assembled, for whoever loses a cluster while being joined to it is ended by Ray.
    with cluster as nodes:
        # Processes stay from one group of stages to the next, with what they have imported; but
        # tuning has the machine, or its accelerator, to itself.
        if only in (None, GridPart.EXTRACT):
            features = (Project(root).features(name) for name in preset.extracted)
            imports = () if all(map(Path.exists, features)) else missing_stages.PROGRAMS_OF_FEATURES
            with LocalEngine(jobs, imports=imports) as engine:
                missing_stages.make_sources(engine, root)
                _extract_on(nodes, root)
                missing_stages.make_features(engine, root, is_crossed=is_crossed)
        if only == GridPart.TUNE:
            dvc_runs.repro(root, *missing_stages.BEFORE_TUNING)
        if only in (None, GridPart.TUNE):
            _search_on(nodes, root)
            missing_stages.tune(root)
        if only not in (None, GridPart.TRAIN):
            return
        if launcher != DIRECTLY:
            typer.echo(f"launcher: {launcher}; `dvc repro` trains one cell after another")
            return
        stages = missing_stages.find(root, missing_stages.CELLS)
        failures = _train_on(nodes, stages)
    with LocalEngine(jobs) as engine:
        _assemble(stages, engine, root, failures)
        missing_stages.make_scores(engine, root, is_crossed=is_crossed)


@contextmanager
def _nodes(address: str, share: tuple[float, float], *, with_token: bool) -> "Iterator[Nodes]":
    """Join a cluster; give what makes an engine of its nodes.

    Each kind of work has an engine of its own: a node that refuses shards may train folds.
    """
    extras.require_ray("--address")
    from ser.engine import cluster, ray_engine
    from ser.project import Project

    def engine() -> "RayEngine[Any]":
        return ray_engine.RayEngine(
            root,
            folder_of=lambda unit: unit.folder,
            remains_of=lambda unit: unit.remains,
            name_of=lambda unit: unit.name,
            logs=Project().work / "logs",
            share=cluster.Share(*share),
            with_token=with_token,
        )

    root = Path().resolve()
    with cluster.connected(address, with_token=with_token):
        yield engine


def _extract_on(nodes: "Nodes | None", root: Path) -> None:
    """Let nodes extract the shards that are missing."""
    if nodes is None:
        return
    from ser.workflow import missing_shards, missing_stages

    if stages := missing_stages.find(root, [missing_stages.FEATURES]):
        missing_shards.extract(stages, nodes())


def _search_on(nodes: "Nodes | None", root: Path) -> None:
    """Let nodes search what tuning still needs."""
    if nodes is None:
        return
    from ser.workflow import missing_stages, missing_studies

    if stages := missing_stages.find(root, [missing_stages.TUNING]):
        missing_studies.search(stages, nodes())


def _train_on(nodes: "Nodes | None", stages: "list[Missing]") -> "Failures":
    """Let nodes train the folds that are missing; return what failed."""
    if nodes is None or not stages:
        return {}
    from ser.tracking import place
    from ser.workflow import missing_folds

    return missing_folds.train(stages, nodes(), place.server(Path()))


def _assemble(
    stages: "list[Missing]", engine: "Engine[Missing]", root: Path, failures: "Failures"
) -> None:
    """Train what is left of the cells, write their folders and tell DVC of them.

    Those that failed on a cluster are left out: this machine may be too small for them.
    """
    from ser.workflow import missing_stages

    outcomes = missing_stages.run([s for s in stages if s.stage not in failures], engine, root)
    own = {outcome.unit.stage: outcome.error for outcome in outcomes if outcome.error is not None}
    for stage, why in (all_failures := {**failures, **own}).items():
        typer.echo(f"{stage}: {why}", err=True)
    typer.echo(f"{len(stages) - len(all_failures)} cells trained")
    if all_failures:
        raise SerError(
            f"{len(all_failures)} of {len(stages)} cells failed; the messages above say why"
        )
