"""Contracts hold because mypy compares every component with them: shown on broken ones."""

import os
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from ser import components, contracts

ROOT = Path(__file__).parents[1]

#: Package -> what its components are built to keep.
KINDS = {
    "ser.losses": contracts.Loss,
    "ser.models": contracts.Model,
    "ser.features.extractors": contracts.Extractor,
    "ser.data.corpora": contracts.Corpus,
}
#: Package -> what the trainer and the stages give to `build`, besides the params.
GIVEN = {
    "ser.losses": "num_classes: int, class_weights: Tensor | None",
    "ser.models": "feature: FeatureSpec, num_classes: int, head: HeadName",
    "ser.features.extractors": "sampling_rate: int",
    "ser.data.corpora": "",
}
COMPONENTS = [(package, name) for package in KINDS for name in components.names(package)]

HEAD = """\
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser.batch import FeatureSpec, HeadName, ModelOutput
from ser.contracts import Corpus, Extractor, Loss, Model
from ser.losses._base import WeightedLoss
from ser.nn.heads import CosineHead
from ser.nn.network import Network
from ser.pretrained.architectures import Architecture
from ser.utterance import Parsed

"""

GOOD = {
    "loss": """
class Mean(WeightedLoss):
    def forward(
        self, output: ModelOutput, labels: Tensor, _ratings: Tensor | None = None, /
    ) -> Tensor:
        return output.logits.mean()

def build(class_weights: Tensor | None) -> Loss:
    return Mean(class_weights)
""",
    "model": """
class Zeros(Network):
    def __init__(self) -> None:
        super().__init__()
        self.embedding_dim = 2
        self.head = CosineHead(2, 4)

    def forward(self, inputs: Tensor, _lengths: Tensor) -> ModelOutput:
        embedding = inputs.new_zeros(len(inputs), 2)
        return ModelOutput(embedding, self.head(embedding))

def build() -> Model:
    return Zeros()
""",
    "extractor": """
class Samples:
    num_bins = 1
    is_thread_safe = True
    dtype = "float32"

    def __init__(self) -> None:
        self.provenance: dict[str, str | None] = {}

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        return waveform[:, np.newaxis]

def build() -> Extractor:
    return Samples()
""",
}

#: What is broken -> (which good one, old text, new text, what mypy says of it).
BROKEN = {
    "forward of a loss without the ratings": (
        "loss",
        "self, output: ModelOutput, labels: Tensor, _ratings: Tensor | None = None, /",
        "self, output: ModelOutput, labels: Tensor",
        'Signature of "forward" incompatible with supertype',
    ),
    "forward of a loss that returns a number": (
        "loss",
        ") -> Tensor:\n        return output.logits.mean()",
        ") -> float:\n        return float(output.logits.mean())",
        'Return type "float" of "forward" incompatible with return type "Tensor"',
    ),
    "a loss on a head that there is not": (
        "loss",
        "class Mean(WeightedLoss):\n",
        'class Mean(WeightedLoss):\n    head = "sine"\n',
        "Incompatible types in assignment",
    ),
    "a loss without forward": (
        "loss",
        "def forward(",
        "def forwards(",
        'Cannot instantiate abstract class "Mean" with abstract attribute "forward"',
    ),
    "a loss of its own without start_epoch": (
        "loss",
        "class Mean(WeightedLoss):\n",
        "class Mean(nn.Module):\n"
        '    head: HeadName = "linear"\n    logit_scale = 1.0\n    num_ratings = 0\n'
        "    learns_shares = False\n\n"
        "    def __init__(self, class_weights: Tensor | None) -> None:\n"
        "        super().__init__()\n\n"
        "    def diagnose(self, output: ModelOutput, labels: Tensor, /) -> dict[str, float]:\n"
        "        return {}\n\n",
        r'start_epoch: expected "Callable\[\[int\], None\]"',
    ),
    "forward of a model without the lengths": (
        "model",
        "self, inputs: Tensor, _lengths: Tensor)",
        "self, inputs: Tensor)",
        'Signature of "forward" incompatible with supertype',
    ),
    "a model of its own without prototypes": (
        "model",
        "class Zeros(Network):\n",
        "class Zeros(nn.Module):\n"
        '    normalises_inputs = True\n    origin = ""\n    num_ratings = 0\n\n'
        "    def parameter_depth(self, name: str) -> int:\n        return 0\n\n"
        "    def weighs_layers(self, name: str) -> bool:\n        return False\n\n"
        "    def layer_weights(self) -> None:\n        return None\n\n",
        r'prototypes: expected "Callable\[\[\], Tensor \| None\]"',
    ),
    "an extractor that does not say the type of its numbers": (
        "extractor",
        '    dtype = "float32"\n',
        "",
        r'"Samples" is missing following "Extractor" protocol member',
    ),
    "an extractor of whole batches": (
        "extractor",
        "self, waveform: NDArray[np.float32])",
        "self, waveform: NDArray[np.float32], lengths: list[int])",
        'Incompatible return value type \\(got "Samples", expected "Extractor"\\)',
    ),
}


def checked_as(package, name):
    """One line of source that compares a component's `build` with what it is called with."""
    module = components.load_module(package, name)
    is_family = module.__name__.rpartition(".")[2] != name
    first = "architecture: Architecture, " if is_family else ""
    last = f", *, {GIVEN[package]}" if GIVEN[package] else ""
    return f"""
import {module.__name__} as of_{name}

class Builds_{name}(Protocol):
    def __call__(
        self, {first}params: of_{name}.Params, /{last}
    ) -> {KINDS[package].__name__}: ...

{name}: Builds_{name} = of_{name}.build
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """File name -> what mypy says of it, as `make lint` runs it on the project's own files."""
    folder = tmp_path_factory.mktemp("checked")
    texts = {f"good_{name}": HEAD + text for name, text in GOOD.items()}
    for number, (name, old, new, _) in enumerate(BROKEN.values()):
        assert old in GOOD[name]
        texts[f"broken_{number}"] = HEAD + GOOD[name].replace(old, new)
    for package in KINDS:
        lines = [checked_as(package, name) for name in components.names(package)]
        texts[f"all_{package.replace('.', '_')}"] = HEAD + "".join(lines)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, sorted(folder.glob("*.py")))],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT), "MYPY_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode in (0, 1), result.stdout + result.stderr
    lines = result.stdout.splitlines()
    return {name: "\n".join(line for line in lines if f"{name}.py" in line) for name in texts}


@pytest.mark.stage
@pytest.mark.parametrize("package", KINDS)
def test_every_component_is_built_as_it_is_called_and_keeps_its_contract(said, package):
    assert said[f"all_{package.replace('.', '_')}"] == ""


@pytest.mark.stage
@pytest.mark.parametrize("name", GOOD)
def test_a_component_that_keeps_its_contract_passes(said, name):
    assert said[f"good_{name}"] == ""


@pytest.mark.stage
@pytest.mark.parametrize("what", BROKEN)
def test_a_component_that_breaks_its_contract_does_not_pass(said, what):
    number = list(BROKEN).index(what)
    assert re.search(BROKEN[what][3], said[f"broken_{number}"]), said[f"broken_{number}"]


@pytest.mark.parametrize(("package", "name"), COMPONENTS)
def test_build_says_which_contract_it_keeps(package, name):
    # Else mypy compares nothing in `make lint`.
    build = components.load_module(package, name).build
    assert typing.get_type_hints(build)["return"] is KINDS[package]


def test_contracts_alone_bring_nothing_heavy():
    code = "import sys, ser.contracts; print({'torch', 'numpy'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
