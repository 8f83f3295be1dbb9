"""A tiny cell with a loss to tune, its params of tuning, and its jobs."""

import dataclasses
from types import SimpleNamespace

from ser.grid import inputs
from ser.losses import aam, focal
from ser.tuning import jobs as job_making
from ser.tuning import space as spaces
from ser.tuning import study as studies
from ser.tuning.params import TuningParams
from ser.tuning.study import StudyPlan
from tests.training.support import make_plan

LOSSES = {"focal": focal, "aam": aam}
NAMES = ("loss.gamma", "loss.alpha")


def tiny_cell(loss="focal", **recipe):
    """The tiny BiLSTM with a loss that has a space."""
    plan = make_plan(**{"num_epochs": 2, **recipe})
    return dataclasses.replace(plan, loss=loss, loss_params=LOSSES[loss].Params())


def tuning_params(num_trials=3, loss="focal", **changes):
    """Params of tuning for the tiny cell."""
    cell = {"model": "lstm", "loss": loss, "feature": "mfcc", **changes.pop("cell", {})}
    settings = {"num_trials": num_trials, "num_startup_trials": 2, "cells": {f"lstm-{loss}": cell}}
    return TuningParams(**{**settings, **changes})


def study_plan(num_trials=3, space=(), key="k" * 32, **changes):
    """A study without data: for what a study does, whatever it trains."""
    cell, params = tiny_cell(), tuning_params(num_trials, **changes)
    dimensions = space or spaces.of_cell(cell, params.cells["lstm-focal"])
    return StudyPlan(cell, 1, dimensions, params, num_trials, key, "ser/demo/session")


def load_inputs(paths):
    return inputs.load(paths, "mfcc", feature_params={})


def make_job(paths, root, fold=0, num_trials=3, cell=None, data=None, **changes):
    """The job of one fold of the inputs on disk."""
    found = data or load_inputs(paths)
    return job_making.make(
        cell or tiny_cell(),
        tuning_params(num_trials, **changes),
        found,
        found.folds[fold],
        root=root,
        device="cpu",
    )


def bowl(values, tracker, epochs=3, delay=lambda: None):
    """A stand-in for training: best at gamma 1, alpha 0.5."""
    value = 0.9 - 0.05 * (values["loss.gamma"] - 1.0) ** 2 - 0.1 * (values["loss.alpha"] - 0.5) ** 2
    for epoch in range(1, epochs + 1):
        tracker.log_metrics({"dev/uar": value * epoch / epochs}, step=epoch)
        delay()
    return value


def fill(plan, storage, url, objective=bowl, limit=None):
    """Prepare a study and run its trials in this process; return the study."""
    study = studies.prepare(plan, storage, url)
    count = 0
    while limit is None or count < limit:
        trial = studies.claim(plan, study, storage, url)
        if trial is None:
            break
        studies.run_trial(study, trial, objective, storage)
        count += 1
    return study


def told(plan, study):
    """What is compared between two runs of a study."""
    return [
        SimpleNamespace(
            slot=studies.slot_of(t), params=t.params, value=t.value, state=t.state.name,
            curve=t.intermediate_values,
        )
        for t in studies.finished(plan, study)
    ]  # fmt: skip
