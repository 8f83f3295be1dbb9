"""Speech emotion recognition: the sound comparison of models and losses.

`import ser` loads nothing else. What `__all__` names is imported when it is first used, so that a
program which reads a table does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ser.api.answers import Recognition, Recognitions, Segments
    from ser.api.loading import load
    from ser.api.project_tables import read_folds, read_predictions
    from ser.api.recogniser import Recogniser
    from ser.errors import SerError
    from ser.serving.prediction import Answer
    from ser.serving.segments import EmotionSegment

#: Public name -> the module that defines it. None is called as a module of this package, e.g.
#: `predictions`: once imported, the module would stand in its place.
_HOMES = {
    "Answer": "ser.serving.prediction",
    "EmotionSegment": "ser.serving.segments",
    "Recogniser": "ser.api.recogniser",
    "Recognition": "ser.api.answers",
    "Recognitions": "ser.api.answers",
    "Segments": "ser.api.answers",
    "SerError": "ser.errors",
    "load": "ser.api.loading",
    "read_folds": "ser.api.project_tables",
    "read_predictions": "ser.api.project_tables",
}

__all__ = [
    "Answer",
    "EmotionSegment",
    "Recogniser",
    "Recognition",
    "Recognitions",
    "Segments",
    "SerError",
    "load",
    "read_folds",
    "read_predictions",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
