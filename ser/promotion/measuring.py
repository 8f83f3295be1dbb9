"""Measure what the gates want to know of a challenger; judge nothing."""

import base64
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from ser import lineage, predictions
from ser.data import manifest
from ser.data.corpora import _base
from ser.errors import LineageError, RegistryError
from ser.evaluation import calibration, comparison, slices, summary
from ser.evaluation.summary import CellSummary
from ser.promotion import answering_process, perturbations
from ser.registry.gates import Audit, Evidence
from ser.registry.versions import Registry, Version
from ser.tracking import store, verify
from ser.utterance import Utterance

#: Utterances that the served model is asked, and of these how many in changed form: enough
#: to see a fault, few enough to wait for.
_NUM_ASKED, _NUM_PERTURBED = 200, 40
_ANSWERING_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Served:
    """What a served model answered, measured in a process of its own.

    Args:
        difference: Largest difference of a probability from the tracked one.
        stability: Perturbation -> share of utterances with the same emotion.
        real_time_factor: Median of seconds of computing per second of speech.
    """

    difference: float
    stability: dict[str, float]
    real_time_factor: float
