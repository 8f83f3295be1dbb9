"""Find a component by its file name: the file's name is the component's name."""

import importlib
import pkgutil
from types import ModuleType

from ser.errors import UnknownComponentError

#: The families of components, by package.
CORPORA = "ser.data.corpora"
EXTRACTORS = "ser.features.extractors"
LOSSES = "ser.losses"
MODELS = "ser.models"
FAMILIES = (CORPORA, EXTRACTORS, LOSSES, MODELS)


def names(package: str) -> tuple[str, ...]:
    """Return the component names of a package, sorted.

    Args:
        package: Dotted name, e.g. `ser.losses`. Modules that begin with `_` are
            shared helpers, not components.

    Returns:
        Names of the public modules, without importing them.
    """
    paths = importlib.import_module(package).__path__
    found = (module.name for module in pkgutil.iter_modules(paths) if not module.ispkg)
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(package: str, name: str) -> ModuleType:
    """Import one component.

    Args:
        package: Dotted name of the family, e.g. `ser.losses`.
        name: One of `names(package)`.

    Returns:
        The component's module; by convention it has `Params` and `build`.

    Raises:
        UnknownComponentError: No such file; the message lists the alternatives.
    """
    known = names(package)
    if name not in known:
        raise UnknownComponentError(
            f"no {package} is named {name!r}; there are: {', '.join(known)}"
        )
    return importlib.import_module(f"{package}.{name}")
