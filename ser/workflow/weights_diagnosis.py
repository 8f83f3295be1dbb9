"""What `ser doctor` finds where params.yaml names published weights."""

from collections.abc import Callable, Iterator
from functools import partial

from ser import components
from ser.components import EXTRACTORS, MODELS
from ser.errors import FileError, MissingWeightsError, SerError, WeightsError
from ser.workflow.finding import Finding
from ser.workflow.preset import Preset

_WHAT, _FIT = "checkpoint", "params"
_CURE = "see the message"


def examine(preset: Preset) -> Iterator[Finding]:
    """Look at the weights of every feature and of every model of a cell, and whether they fit.

    Nothing is loaded, and yet what loading would refuse is found: names, formats, sizes
    and shapes are compared. Relative paths start at the working directory.

    Args:
        preset: The whole of params.yaml.
    """
    rate = preset.audio.sampling_rate
    for name, plan in preset.extracted.items():
        extractor = components.load(EXTRACTORS, name)
        look = extractor.inspect_weights
        if look is None:
            build = partial(extractor.build, preset.features[name], sampling_rate=rate)
            yield from _refusal(f"features.{name}", build)
        else:
            is_made = plan.weights in preset.synthetic_weights
            look = partial(look, preset.features[name], sampling_rate=rate)
            yield _finding(f"features.{name}", look, is_made=is_made)
    for name in sorted({cell.model for cell in preset.cells.values()}):
        look = components.load(MODELS, name).inspect_weights
        if look is not None:
            yield _finding(f"models.{name}", partial(look, preset.models[name]), is_made=False)
    for name, feature in dict.fromkeys((c.model, c.feature) for c in preset.cells.values()):
        fits = components.load(MODELS, name).inspect_feature
        if fits is not None:
            params = preset.features[feature].model_dump()
            yield from _refusal(
                f"models.{name}", partial(fits, preset.models[name], feature, params)
            )


def _refusal(where: str, look: Callable[[], object]) -> Iterator[Finding]:
    """Yield what building would refuse; weights that are missing are told of elsewhere."""
    try:
        look()
    except (MissingWeightsError, WeightsError, FileError):
        return
    except SerError as error:
        yield Finding("fail", _FIT, f"{where}: {error}", _CURE)


def _finding(where: str, look: Callable[[], str], *, is_made: bool) -> Finding:
    try:
        return Finding("ok", _WHAT, f"{where}: {look()}")
    except MissingWeightsError as error:
        if is_made:
            return Finding("ok", _WHAT, f"{where}: not there yet; `dvc repro` makes it")
        return Finding("warn", _WHAT, f"{where}: {error}", _CURE)
    except SerError as error:
        return Finding("fail", _WHAT, f"{where}: found but not loadable: {error}", _CURE)
