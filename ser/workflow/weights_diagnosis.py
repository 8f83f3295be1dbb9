"""What `ser doctor` finds where params.yaml names published weights."""

from collections.abc import Callable, Iterator
from functools import partial

from ser import components
from ser.components import EXTRACTORS, MODELS
from ser.errors import MissingWeightsError, SerError
from ser.workflow.finding import Finding
from ser.workflow.preset import Preset

_WHAT = "checkpoint"
_CURE = "see the message"


def examine(preset: Preset) -> Iterator[Finding]:
    """Look at the weights of every feature that is extracted and of every model of a cell.

    Nothing is loaded, and yet what loading would refuse is found: names, formats, sizes
    and shapes are compared. Relative paths start at the working directory.

    Args:
        preset: The whole of params.yaml.
    """
    rate = preset.audio.sampling_rate
    for name, plan in preset.extracted.items():
        look = components.load(EXTRACTORS, name).inspect_weights
        if look is not None:
            is_made = plan.weights in preset.synthetic_weights
            look = partial(look, preset.features[name], sampling_rate=rate)
            yield _finding(f"features.{name}", look, is_made=is_made)
    for name in sorted({cell.model for cell in preset.cells.values()}):
        look = components.load(MODELS, name).inspect_weights
        if look is not None:
            yield _finding(f"models.{name}", partial(look, preset.models[name]), is_made=False)


def _finding(where: str, look: Callable[[], str], *, is_made: bool) -> Finding:
    try:
        return Finding("ok", _WHAT, f"{where}: {look()}")
    except MissingWeightsError as error:
        if is_made:
            return Finding("ok", _WHAT, f"{where}: not there yet; `dvc repro` makes it")
        return Finding("warn", _WHAT, f"{where}: {error}", _CURE)
    except SerError as error:
        return Finding("fail", _WHAT, f"{where}: found but not loadable: {error}", _CURE)
