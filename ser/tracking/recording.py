"""What trackers share: what a key, a param and a step may be, and how a silent one is."""

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

#: Tag that holds a run's key.
RUN_KEY = "ser.run_key"

#: MLflow's limit for the value of a param, in characters.
MAX_PARAM_CHARS = 6000


def check_run_key(run_key: str) -> str:
    """Return a run key; it names a lock file and stands in a query, so it must be plain.

    Raises:
        ValueError: Empty, or holds anything but letters, digits, `_`, `-` and `.`.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", run_key):
        raise ValueError(f"run key: expected letters, digits, _, - or ., got {run_key!r}")
    return run_key


def flatten(params: Mapping[str, Any]) -> dict[str, str]:
    """Return nested params as dotted keys and texts.

    Names that a user chose (labels, speakers) never become part of a key, since a store takes
    few characters there: a mapping with any name but letters, digits, `_`, `-` and `.` is one
    value.

    Args:
        params: Nested mappings of plain values.

    Returns:
        None as `none`, booleans as in YAML, lists, empty mappings and those with other names
        as JSON; a value beyond 6000 characters is cut, with a warning.

    Example:
        >>> flatten({"fit": {"lr": 0.001, "amp": False, "seeds": [1, 2]}, "limit": None})
        {'fit.lr': '0.001', 'fit.amp': 'false', 'fit.seeds': '[1, 2]', 'limit': 'none'}
        >>> flatten({"label_map": {"joy (acted)": "happy"}})
        {'label_map': '{"joy (acted)": "happy"}'}
    """
    flat = {}
    for key, text in _pairs(params, prefix=""):
        if len(text) > MAX_PARAM_CHARS:
            logger.warning(
                "param %s: cut from %d to %d characters", key, len(text), MAX_PARAM_CHARS
            )
        flat[key] = text[:MAX_PARAM_CHARS]
    return flat


def _pairs(params: Mapping[str, Any], *, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in params.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value and all(map(_is_plain, value)):
            yield from _pairs(value, prefix=f"{key}.")
        else:
            yield key, _text(value)


def _is_plain(name: object) -> bool:
    # Dots stand in names of tuned params, `loss.gamma`, and in those of copies, `speed_0.9`.
    return re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", str(name)) is not None


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)


class MetricSteps:
    """Remembers the last step of every metric of a run, so that none is recorded twice.

    Args:
        last: Metric -> its highest recorded step, for a run taken up again.
    """

    def __init__(self, last: Mapping[str, int] | None = None) -> None:
        self._last = dict(last or {})

    def accept(self, metrics: Mapping[str, float], *, step: int | None) -> dict[str, float]:
        """Return the metrics that are new at a step, and remember them as recorded.

        Args:
            metrics: Metric -> value; one that is not finite is left out with a warning.
            step: Epoch, at least 0. None is a single value, kept at step 0.

        Returns:
            Those beyond their last recorded step.

        Raises:
            ValueError: A single value for a metric that is a curve: the tracker would
                show it as the curve's first point.
        """
        curves = sorted(key for key in metrics if step is None and self._last.get(key, 0) > 0)
        if curves:
            raise ValueError(
                f"{', '.join(curves)}: recorded per epoch already; a final value needs a step "
                "or another name"
            )
        accepted = {}
        for key, value in metrics.items():
            if not math.isfinite(value):
                logger.warning("metric %s at step %s is %s: not recorded", key, step, value)
            elif (step or 0) > self._last.get(key, -1):
                accepted[key] = float(value)
                self._last[key] = step or 0
        return accepted


class SilentTracker:
    """Stands in for a run that is already recorded to its end: logs nothing."""

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Do nothing."""

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Do nothing."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Do nothing."""
