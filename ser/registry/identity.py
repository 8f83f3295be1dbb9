"""Who answers: the name, version, corpus and classes of a model, as its bundle says them."""

from collections.abc import Mapping
from typing import Any

from ser.data import task
from ser.registry.bundle import Bundle


def task_of(bundle: Bundle) -> str:
    """Return what a bundle recognises, see `ser.data.task`.

    A bundle from before tasks is asked for its corpus and classes.
    """
    return bundle.tags.get(task.TAG) or task.named(bundle.corpus.name, bundle.emotions)


def identity_of(bundle: Bundle, registered: Mapping[str, Any]) -> dict[str, Any]:
    """Return name, version, cell, task, protocol and classes of a model.

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
    }
