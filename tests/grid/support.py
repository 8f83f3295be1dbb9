"""A cell's inputs on disk, made in memory, and a runner over them."""

import dataclasses

from accelerate import Accelerator

from pipelines import split as split_stage
from ser import components, seeding
from ser.data import manifest
from ser.data.protocols import SplitParams
from ser.evaluation import scored_cell
from ser.grid import inputs
from ser.grid.cell import CellRunner
from ser.losses import ccc
from ser.project import Project
from ser.training.recipe import TrainingParams
from ser.utterance import used_of
from tests import synthetic
from tests.training.support import make_plan


def write_inputs(root, utterances, **split):
    """Write manifest, card, splits and features below a project's root."""
    project = Project(root)
    project.data.mkdir(parents=True, exist_ok=True)
    manifest.write(project.manifest, utterances)
    speakers = {u.speaker for u in utterances}
    card = synthetic.card(num_used=len(utterances), num_speakers=len(speakers))
    card.write(project.corpus_card)
    split_stage.run(split_stage.Params(split=SplitParams(**split)), project)
    synthetic.feature_store(project.features("mfcc"), used_of(utterances))
    return project


def make_vad_plan(training=None, **recipe):
    """The tiny cell with the loss that wants ratings."""
    plan = make_plan(training, **recipe)
    return dataclasses.replace(plan, loss="ccc", loss_params=ccc.Params(targets="vad"))


def make_runner(
    root, paths, experiment, training=None, plan=None, tuned=None, variant="", **recipe
):
    """A runner as the stage makes it; its root holds a link to the source."""
    seeding.make_deterministic(1, strict=True)
    plan = plan or make_plan(training, num_epochs=2, **recipe)
    return CellRunner(
        plan,
        inputs.load(paths, "mfcc", feature_params={}),
        experiment,
        Project(root),
        Accelerator(cpu=True),
        tuned=tuned,
        variant=variant,
    )


def train_and_score(root, paths, experiment, training=None, plan=None, **options):
    """Run a cell and score it, as the stages do; return its scores."""
    runner = make_runner(root, paths, experiment, training, plan, **options)
    runner.run()
    project = Project(root)
    name = runner.plan.name
    return scored_cell.publish(
        project.trained(name),
        project.run(name),
        runner.inputs.speaker_of,
        lambda *_, **__: experiment,
    )


def make_soft_plan(training=None, loss="cross_entropy", **recipe):
    """The tiny cell that learns the shares of votes."""
    chosen = (training or TrainingParams()).model_copy(update={"targets": "soft"})
    params = components.load("ser.losses", loss).Params()
    return dataclasses.replace(make_plan(chosen, **recipe), loss=loss, loss_params=params)
