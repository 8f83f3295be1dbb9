"""Optuna's own figures of a study, as PNG."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState
from optuna.visualization import matplotlib as optuna_figures

from ser import files
from ser.tuning.space import Space

#: Fewer complete trials than this tell nothing about importance or interplay.
_ENOUGH = 4

#: What a contour is drawn of, where a study searches both.
_CONTOUR = ("loss.margin_rad", "loss.scale")


def draw(study: optuna.Study, space: Space, folder: Path, *, footer: str) -> list[Path]:
    """Draw what can be drawn of a study.

    Args:
        study: With at least one complete trial.
        space: What it searched.
        folder: Where the figures go; made if need be.
        footer: Below every figure: corpus, protocol, synthetic or real.

    Returns:
        The files: `history.png` and `slice.png`; of four complete trials on, and where
        values differ, `parallel_coordinates.png` and, of two dimensions on, `importance.png`
        and `contour.png` (margin and scale of AAM).
    """
    makers = _makers(study, space)
    return [_save(make, folder / f"{name}.png", footer) for name, make in makers.items()]


def _makers(study: optuna.Study, space: Space) -> dict[str, Callable[[], Any]]:
    names = [dimension.name for dimension in space]
    makers: dict[str, Callable[[], Any]] = {
        "history": lambda: optuna_figures.plot_optimization_history(study, target_name="dev UAR"),
        "slice": lambda: optuna_figures.plot_slice(study, params=names, target_name="dev UAR"),
    }
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _ENOUGH or len({trial.value for trial in complete}) < 2:
        return makers
    makers["parallel_coordinates"] = lambda: optuna_figures.plot_parallel_coordinate(
        study, params=names, target_name="dev UAR"
    )
    if len(names) > 1:
        makers["importance"] = lambda: optuna_figures.plot_param_importances(
            study, params=names, target_name="dev UAR"
        )
    if set(_CONTOUR) <= set(names):
        makers["contour"] = lambda: _contour(study, _CONTOUR)
    return makers


def _contour(study: optuna.Study, names: Sequence[str]) -> Any:
    return optuna_figures.plot_contour(study, params=list(names), target_name="dev UAR")


def _save(make: Callable[[], Any], path: Path, footer: str) -> Path:
    # Optuna draws on pyplot's current figure and offers no other way.
    with warnings.catch_warnings(), mpl.rc_context({"font.size": 9}):
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.simplefilter("ignore", UserWarning)
        make()
        figure = plt.gcf()
        figure.text(0.01, -0.14, footer, fontsize=7, color="#57606A")
        with files.replacing(path) as part:
            metadata = {"Software": None}  # no version inside
            figure.savefig(part, format="png", dpi=100, bbox_inches="tight", metadata=metadata)
        plt.close(figure)
    return path
