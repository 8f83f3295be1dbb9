"""Recordings as a request may hold them, and bundles of the small trained project."""

import base64
import io
import sys
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from ser.data import manifest
from ser.evaluation import calibration
from ser.project import Project
from ser.registry import bundle as bundles
from ser.registry import packing
from ser.registry.bundle import ServingParams
from ser.registry.packing import TrainedCell
from ser.serving import request
from ser.serving.audio_input import InputLimits
from tests.rounding import EPS

RATE = 16000

#: Of a logit, between an utterance that is served alone and one that was tracked in a batch: its
#: sums may run in another order, layer by layer. Measured on three sets of instructions: up to 1.2.
ROUNDINGS = 4


def speech(seconds=1.0, rate=RATE, seed=0):
    """Noise and a tone, float32 in [-1, 1]."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.2 * np.sin(2 * np.pi * 200 * time) + 0.02 * noise).astype(np.float32)


def encoded(samples, rate=RATE, kind="WAV", subtype=None):
    """The bytes of a recording."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def forget_servers(monkeypatch):
    """Until the test ends, no server is loaded as far as requests can see.

    Another test of this process may have loaded one, Python's own above all.
    """
    for name in (*request._SERVERS, request._WSGIREF, request._SHOWS_COUNTS):
        monkeypatch.delitem(sys.modules, name, raising=False)


def as_base64(content):
    return base64.b64encode(content).decode()


def assert_same_logits(probabilities, expected):
    """Their logarithms differ by less than rounding does to logits of their size."""
    found, wanted = (calibration.log_probabilities(p) for p in (probabilities, expected))
    size = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=ROUNDINGS * EPS * size)


def decision(answer):
    """The most probable emotion of an answer, which is given unless the model abstains."""
    shares = answer.get("probabilities") or {
        name.removeprefix("probability_"): value
        for name, value in answer.items()
        if name.startswith("probability_")
    }
    most_probable = max(shares, key=shares.get)
    assert answer["abstained"] is (answer["reason"] is not None)
    assert answer["emotion"] == (None if answer["abstained"] else most_probable)
    return most_probable


def limit(predictor, **changed):
    """Change below what a predictor gives no emotion."""
    hearing = predictor.bundle.hearing.model_copy(update=changed)
    predictor.bundle = predictor.bundle.model_copy(update={"hearing": hearing})


@cache
def _source(root, cell, fold, limits, params):
    """The source of a bundle and its run; to listen to all test recordings takes its time."""
    trained = TrainedCell(Project(root), cell)
    record = packing.choose(trained, fold=fold)
    limits = limits.model_dump(mode="json")
    return packing.source_of_fold(trained, record, params=params, limits=limits), record


def write_bundle(cell, folder, *, fold=None, limits=None, params=None):
    """Pack a cell of the trained project; give the folder and the run that it is from.

    What is packed is computed once a process.
    """
    limits, params = limits or InputLimits(), params or ServingParams()
    source, record = _source(Path.cwd(), cell, fold, limits, params)
    bundles.write(source, folder)
    return folder, record


def tracked_by(cell, record):
    """The test rows of predictions.parquet that a run is answerable for."""
    frame = TrainedCell(Project(), cell).frame
    is_its_own = (frame["fold"] == record.fold) & (frame["seed"] == record.seed)
    return frame[is_its_own & (frame["part"] == "test")]


def recordings(root):
    """Utterance id -> file, of the trained project."""
    utterances = manifest.read(root / "data" / "manifest.jsonl")
    return {u.id: root / "data" / "raw" / "csv" / u.audio for u in utterances}
