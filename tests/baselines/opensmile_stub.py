"""Stands in for the package opensmile, which is optional: as much of it as we call."""

import enum
import sys
import types
import warnings
from typing import ClassVar

import numpy as np

from ser.baselines import functionals
from ser.baselines.functionals import SETS

VERSION = "2.6.0-stub"

FeatureSet = enum.Enum("FeatureSet", [(one.name, one.name) for one in SETS.values()])
FeatureLevel = enum.Enum("FeatureLevel", ["Functionals"])
_WIDTHS = {one.name: one.num_functionals for one in SETS.values()}


class Smile:
    """Length, mean, deviation and largest sample; the rest of the numbers is zero."""

    #: (samples, rate) of every waveform that any of them has heard.
    heard: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, *, feature_set, feature_level):
        assert feature_level is FeatureLevel.Functionals
        self.width = _WIDTHS[FeatureSet(feature_set).name]

    def __call__(self, waveform, sampling_rate):
        self.heard.append((len(waveform), sampling_rate))
        samples = (waveform.copy() * 32768).astype(np.int16)  # as the package does
        if len(samples) < 0.06 * sampling_rate:
            warnings.warn("Segment too short, filling with NaN.", stacklevel=1)
            return np.full((1, self.width, 1), np.nan)
        values = np.zeros((1, self.width, 1), dtype=np.float32)
        values[0, :4, 0] = len(samples), samples.mean(), samples.std(), samples.max()
        return values


def put_in_place(monkeypatch):
    """Let the stub be what is installed."""
    module = types.ModuleType("opensmile")
    module.Smile, module.FeatureSet, module.FeatureLevel = Smile, FeatureSet, FeatureLevel
    monkeypatch.setitem(sys.modules, "opensmile", module)
    monkeypatch.setattr(functionals, "installed", lambda: VERSION)
    monkeypatch.setattr(Smile, "heard", [])
    return module
