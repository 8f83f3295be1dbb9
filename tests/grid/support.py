"""A cell's inputs on disk, made in memory, and a runner over them."""

import dataclasses

from accelerate import Accelerator

from pipelines import split as split_stage
from ser import seeding
from ser.data import manifest
from ser.data.splits import SplitParams
from ser.grid import inputs
from ser.grid.cell import CellRunner, Workspace
from ser.grid.inputs import InputPaths
from ser.losses import ccc
from ser.project import Project
from tests import synthetic
from tests.training.support import make_plan


def write_inputs(root, utterances, **split):
    """Write manifest, card, splits and features below a project's root."""
    data = root / "data"
    data.mkdir(parents=True)
    manifest.write(data / "manifest.jsonl", utterances)
    speakers = {u.speaker for u in utterances}
    card = synthetic.card(num_used=len(utterances), num_speakers=len(speakers))
    card.write(data / "corpus.json")
    split_stage.run(
        split_stage.Params(split=SplitParams(**split)),
        manifest_file=data / "manifest.jsonl",
        out=data,
    )
    used = [u for u in utterances if u.emotion is not None]
    synthetic.feature_store(data / "features" / "mfcc", used)
    return InputPaths.of(Project(root), "mfcc")


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
        inputs.load(paths, feature_params={}),
        experiment,
        Workspace(root, root / "work", root / "runs" / plan.name),
        Accelerator(cpu=True),
        tuned=tuned,
        variant=variant,
    )
