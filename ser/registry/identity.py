"""Who answers: the name, version, corpus and classes of a model, as its bundle says them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ser.data import task
from ser.registry.bundle import Bundle


def task_of(bundle: Bundle) -> str:
    """Return what a bundle recognises, see `ser.data.task`.

    A bundle from before tasks is asked for its corpus and classes.
    """
    return bundle.tags.get(task.TAG) or task.named(bundle.corpus.name, bundle.emotions)


def identity_of(bundle: Bundle, registered: Mapping[str, Any]) -> dict[str, Any]:
    """Return name, version, cell, task, protocol, classes and whether it is synthetic.

    Args:
        bundle: What the model says of itself.
        registered: `model_name` and `model_version`; empty where it is not registered.
    """
    return {
        "name": registered.get("model_name"),
        "version": registered.get("model_version"),
        "cell": bundle.training.cell,
        "task": task_of(bundle),
        "protocol": bundle.corpus.protocol,
        "emotions": list(bundle.emotions),
        "synthetic": bundle.is_synthetic,
    }


def registered_as(folder: Path) -> dict[str, Any]:
    """Return `model_name` and `model_version` that MLflow notes beside a downloaded model.

    Args:
        folder: Of the bundle, somewhere below the model's folder.
    """
    for parent in folder.parents:
        note = parent / "registered_model_meta"
        if note.is_file():
            content = yaml.safe_load(note.read_text(encoding="utf-8"))
            return dict(content) if isinstance(content, dict) else {}
        if (parent / "MLmodel").is_file():
            return {}
    return {}
