"""Find a component by its name, which is the name of its file.

A file may hold a family of components that differ in a few facts only. It lists them in
`NAMES`, a tuple of texts written out, and has `params_class(name)` and
`build(name, params, ...)` where another file has `Params` and `build(params, ...)`. A file
may also have `inspect_weights` and `inspect_feature`, see `Component`.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ser.errors import UnknownComponentError
from ser.wording import meant, shown

_FAMILY = re.compile(r"^NAMES = (\(.*?\))$", re.MULTILINE | re.DOTALL)

#: The families of components, by package.
CORPORA = "ser.data.corpora"
EXTRACTORS = "ser.features.extractors"
LOSSES = "ser.losses"
MODELS = "ser.models"
FAMILIES = (CORPORA, EXTRACTORS, LOSSES, MODELS)

#: What whoever writes params.yaml calls one of a family; a module's name says nothing to them.
_WORDS = {CORPORA: "corpus", EXTRACTORS: "feature", LOSSES: "loss", MODELS: "model"}


@dataclass(frozen=True, slots=True)
class Component:
    """What a component's file offers.

    Args:
        Params: The class of its params.
        build: From params, and what its kind is given besides, to the component.
        inspect_weights: Looks, quickly, at the weights on disk that it is built from. It returns
            what it found, and raises what `build` would raise. Of an extractor, it takes
            the params and `sampling_rate`; of a model, the params. None where the
            component reads no weights.
        inspect_feature: Of a model: takes its params, the name of the feature that it reads and
            that feature's params, and raises what `build` would raise of the three, with a look
            at the weights on disk. None where any feature will do.
    """

    Params: type
    build: Callable[..., Any]
    inspect_weights: Callable[..., str] | None = None
    inspect_feature: Callable[..., None] | None = None


def names(package: str) -> tuple[str, ...]:
    """Return the component names of a package, sorted.

    Args:
        package: Dotted name, e.g. `ser.losses`. Modules that begin with `_` are
            shared helpers, not components.

    Returns:
        Names of the public modules and of the members of families, without importing them.
    """
    return tuple(sorted(_stems(package)))


def source(package: str, name: str) -> Path:
    """Return the file that holds a component.

    Args:
        package: Dotted name of its kind, e.g. `ser.models`.
        name: One of `names(package)`.

    Returns:
        Path relative to the project's root, e.g. `ser/models/lstm.py`.

    Raises:
        UnknownComponentError: There is none; the message lists the alternatives.

    Example:
        >>> source("ser.losses", "focal").as_posix()
        'ser/losses/focal.py'
    """
    return Path(*package.split("."), f"{_stem(package, name)}.py")


def load(package: str, name: str) -> Component:
    """Import one component.

    Args:
        package: Dotted name of its kind, e.g. `ser.losses`.
        name: One of `names(package)`.

    Returns:
        Its params, how it is built, and how its weights are inspected.

    Raises:
        UnknownComponentError: There is none; the message lists the alternatives.
    """
    module = load_module(package, name)
    looks = [getattr(module, look, None) for look in ("inspect_weights", "inspect_feature")]
    if _stem(package, name) == name:
        return Component(module.Params, module.build, *looks)
    return Component(
        module.params_class(name),
        partial(module.build, name),
        *(None if look is None else partial(look, name) for look in looks),
    )


def load_module(package: str, name: str) -> ModuleType:
    """Import the file that holds a component; see `load`.

    Raises:
        UnknownComponentError: There is none; the message lists the alternatives.
    """
    return importlib.import_module(f"{package}.{_stem(package, name)}")


def _stem(package: str, name: str) -> str:
    stems = _stems(package)
    if name not in stems:
        word = _WORDS.get(package, package)
        raise UnknownComponentError(
            f"no {word} is named {shown(name)}; there are: {', '.join(sorted(stems))}"
            f"{meant(name, stems)}"
        )
    return stems[name]


def _stems(package: str) -> Mapping[str, str]:
    """Return component name -> its file's name without the ending."""
    folders = importlib.import_module(package).__path__
    return {
        name: module.name
        for folder in folders
        for module in pkgutil.iter_modules([folder])
        if not module.ispkg and not module.name.startswith("_")
        for name in _held_by(Path(folder) / f"{module.name}.py")
    }


def _held_by(path: Path) -> tuple[str, ...]:
    """Return the names of the components in a file, which is read and not imported."""
    listed = _FAMILY.search(path.read_text(encoding="utf-8"))
    return tuple(ast.literal_eval(listed[1])) if listed else (path.stem,)
