"""What every extractor promises, run over all of them by discovery.

An extractor is built with `Params()` (`default_case.py`). One that needs other material has a
`case_<file>.py` beside this file, named like the extractor's own file: `IDS`, and
`make(extractor, id, folder)`, which returns its params.
"""

import importlib
import importlib.util

import numpy as np
import pytest

from ser import components
from ser.features.extractors._base import ExtractorParams

RATE = 16000
EXTRACTORS = components.names("ser.features.extractors")


def cases_of(name):
    stem = components.source("ser.features.extractors", name).stem
    own = f"tests.features.extractors.case_{stem}"
    has_own = importlib.util.find_spec(own) is not None
    return importlib.import_module(own if has_own else "tests.features.extractors.default_case")


CASES = [(name, case) for name in EXTRACTORS for case in cases_of(name).IDS]


@pytest.fixture(scope="module", params=CASES, ids=lambda item: "-".join(item))
def build(request, tmp_path_factory):
    name, case = request.param
    params = cases_of(name).make(name, case, tmp_path_factory.mktemp(name))
    return lambda: components.load("ser.features.extractors", name).build(
        params, sampling_rate=RATE
    )


@pytest.mark.parametrize("num_samples", [400, 1600, 24000])
def test_frames_are_finite_float32_of_the_promised_width(build, num_samples):
    extractor = build()
    rng = np.random.default_rng(0)
    frames = extractor((0.1 * rng.normal(size=num_samples)).astype(np.float32))
    assert frames.ndim == 2
    assert len(frames) >= 1
    assert frames.shape[1] == extractor.num_bins
    assert frames.dtype in (np.float32, np.float16)
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_copies_may_be_asked_for(name):
    assert issubclass(components.load("ser.features.extractors", name).Params, ExtractorParams)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_what_can_be_built_passes_the_inspection_of_its_weights(name, case, tmp_path):
    params = cases_of(name).make(name, case, tmp_path)
    inspect = components.load("ser.features.extractors", name).inspect_weights
    reads_weights = bool({"checkpoint", "weights"} & params.model_fields_set)
    assert (inspect is not None) == reads_weights
    if inspect is not None:
        assert inspect(params, sampling_rate=RATE)


def test_the_same_waveform_gives_the_same_bytes(build):
    samples = np.random.default_rng(1).normal(size=8000).astype(np.float32)
    assert build()(samples).tobytes() == build()(samples).tobytes()
