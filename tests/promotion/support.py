"""Registering cells of the small trained project."""

from functools import cache
from pathlib import Path

from ser.params import read
from ser.project import Project
from ser.promotion import registration
from ser.registry import versions
from ser.registry.gate_params import GateParams
from ser.registry.packing import TrainedCell
from ser.workflow.preset import Preset
from tests.rounding import EPS
from tests.serving.support import ROUNDINGS

NAME = "ser-csv-session"

#: Logits of the cell with AAM: two cosines, from -1 to 1, times 16 are up to 32 apart.
SERVED_WITHIN = ROUNDINGS * EPS * 32


#: A few utterances and one change, to ask real models about.
FEW = GateParams(num_utterances=8, stability_changes=("telephone",), uar_changes=("telephone",))


def cell_of(name):
    return TrainedCell(Project(), name)


def register(name, **chosen):
    """Register a fold of a cell; the same again gives the same version."""
    cell = cell_of(name)
    params = read(Path("params.yaml"), Preset)
    packed = registration.pack_fold(cell, params, fold=chosen.get("fold"), seed=chosen.get("seed"))
    return registration.register(cell, packed, root=Path())


def version_of(name, **chosen):
    """Register and return the version."""
    registry = versions.open_registry(Path())
    return registry.require(NAME, register(name, **chosen).version)


def known_version(name, **chosen):
    """Return the version of a cell that is as it was trained, for tests that only read it.

    It is registered once a process: to pack a cell takes a second, each time.
    """
    number = _number_of(Path.cwd(), name, tuple(sorted(chosen.items())))
    return versions.open_registry(Path()).require(NAME, number)


@cache
def _number_of(root, name, chosen):
    """Register a cell of the project in the working directory; return the version's number."""
    return register(name, **dict(chosen)).version


def champion_of(name):
    """Make a version of a cell that is as it was trained champion, and return it."""
    version = known_version(name)
    registry = versions.open_registry(Path())
    registry.promote(version, expected=registry.resolve(version.name, versions.CHAMPION))
    return version
