"""Find a component by its name, which is the name of its file.

A file may hold a family of components that differ in a few facts only. It lists them in
`NAMES`, a tuple of texts written out, and has `params_class(name)` and
`build(name, params, ...)` where another file has `Params` and `build(params, ...)`. A file
may also have `inspect_weights` and `inspect_feature`, see `Component`.

params.yaml may have several entries of one component: `whisper__tuned` is a second `whisper`. The
functions here take the name of an entry. A component itself is never told one.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from ser.errors import SerError, UnknownComponentError
from ser.wording import meant, shown

_FAMILY = re.compile(r"^NAMES = (\(.*?\))$", re.MULTILINE | re.DOTALL)

#: The families of components, by package.
CORPORA = "ser.data.corpora"
EXTRACTORS = "ser.features.extractors"
LOSSES = "ser.losses"
MODELS = "ser.models"
FAMILIES = (CORPORA, EXTRACTORS, LOSSES, MODELS)

#: Packages that params.yaml may have several entries of -> the section that holds them.
SECTIONS: Mapping[str, str] = {EXTRACTORS: "features", MODELS: "models", LOSSES: "losses"}

#: Between a component's name and the words that tell its entries apart. Nothing else will do:
#: `-` stands between model and loss, `@` and `.` mean something to DVC, `/` and `:` to MLflow.
SEPARATOR = "__"

#: The words. No capitals: some disks do not tell them apart.
_WORDS_OF_ENTRY = re.compile(r"[a-z0-9][a-z0-9_]{0,39}")

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
        trains_transformer: Of a model: takes its params and those of its feature, and returns
            whether it trains layers of a transformer. None where it never does.
    """

    Params: type
    build: Callable[..., Any]
    inspect_weights: Callable[..., str] | None = None
    inspect_feature: Callable[..., None] | None = None
    trains_transformer: Callable[..., bool] | None = None


def names(package: str) -> tuple[str, ...]:
    """Return the component names of a package, sorted.

    Args:
        package: Dotted name, e.g. `ser.losses`. Modules that begin with `_` are
            shared helpers, not components.

    Returns:
        Names of the public modules and of the members of families, without importing them.
    """
    return tuple(sorted(_stems(package)))


def component_of(entry: str) -> str:
    """Return the component that an entry of params.yaml is of.

    Args:
        entry: `<component>`, or `<component>__<words>`.

    Example:
        >>> component_of("whisper"), component_of("whisper__tuned")
        ('whisper', 'whisper')
    """
    return entry.partition(SEPARATOR)[0]


def every() -> Iterator[tuple[str, str]]:
    """Yield the package and the name of every component."""
    for package in FAMILIES:
        for name in names(package):
            yield package, name


def further(entries: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the entries that are not called as their component, sorted; package and name each."""
    return sorted((package, name) for package, name in entries if name != component_of(name))


def in_words(name: str) -> str:
    """Return a name, or that of a cell, as a label of a figure; an entry's is left as it is.

    Example:
        >>> in_words("label_smoothing"), in_words("focal__gamma_4")
        ('label smoothing', 'focal__gamma_4')
    """
    return name if SEPARATOR in name else name.replace("_", " ")


def source(package: str, name: str) -> Path:
    """Return the file that holds a component.

    Args:
        package: Dotted name of its kind, e.g. `ser.models`.
        name: One of `names(package)`, or an entry of it.

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
        name: One of `names(package)`, or an entry of it.

    Returns:
        Its params, how it is built, and how its weights are inspected. What is refused there
        names the entry.

    Raises:
        UnknownComponentError: There is none; the message lists the alternatives.
    """
    stem, component = _stem(package, name), component_of(name)
    module = importlib.import_module(f"{package}.{stem}")
    is_alone = stem == component
    looks = {
        look: found if is_alone else partial(found, component)
        for look in ("build", "inspect_weights", "inspect_feature", "trains_transformer")
        if (found := getattr(module, look, None)) is not None
    }
    told = _TOLD.get(package, {})
    return Component(
        module.Params if is_alone else module.params_class(component),
        **{look: told.get(look, _told)(call, package, name) for look, call in looks.items()},
    )


def load_module(package: str, name: str) -> ModuleType:
    """Import the file that holds a component; see `load`.

    Raises:
        UnknownComponentError: There is none; the message lists the alternatives.
    """
    return importlib.import_module(f"{package}.{_stem(package, name)}")


def _told(call: Callable[..., Any], package: str, name: str) -> Callable[..., Any]:
    """Return a function of a component that names the entry in what it refuses."""

    def told(*args: Any, **options: Any) -> Any:
        with _naming({package: name}):
            return call(*args, **options)

    return told if SEPARATOR in name else call


def _told_feature(build: Callable[..., Any], package: str, name: str) -> Callable[..., Any]:
    """Return a model's `build`: of the feature it is told the component, and not the entry."""

    def built(params: Any, *, feature: Any, **options: Any) -> Any:
        extractor = component_of(feature.extractor)
        with _naming({package: name, EXTRACTORS: feature.extractor}):
            return build(params, feature=replace(feature, extractor=extractor), **options)

    return built


def _told_extractor(look: Callable[..., Any], package: str, name: str) -> Callable[..., Any]:
    """Return a model's `inspect_feature`, which is told what its `build` is told."""

    def inspected(params: Any, extractor: str, feature_params: Mapping[str, Any]) -> None:
        with _naming({package: name, EXTRACTORS: extractor}):
            look(params, component_of(extractor), feature_params)

    return inspected


#: How functions of a component are told names, where they are told of another component.
_TOLD = {MODELS: {"build": _told_feature, "inspect_feature": _told_extractor}}


@contextmanager
def _naming(entries: Mapping[str, str]) -> Iterator[None]:
    """Name the entries, by package, in an error that names their components.

    A message says what to change in params.yaml: `models.whisper.pooling` is another entry's.
    """
    try:
        yield
    except SerError as error:
        said = str(error)
        for package, entry in entries.items():
            before = rf"{SECTIONS[package]}\.|the {_WORDS[package]} '?"
            said = re.sub(rf"\b({before}){component_of(entry)}\b", rf"\g<1>{entry}", said)
        error.args = (said,)
        raise


def _stem(package: str, name: str) -> str:
    """Return the name of the file of a component or an entry, without the ending."""
    stems = _stems(package)
    if fault := _fault(package, name, stems):
        raise UnknownComponentError(fault)
    return stems[component_of(name)]


def _fault(package: str, name: str, known: Iterable[str]) -> str | None:
    """Return what is wrong with the name of a component or an entry, and what to write."""
    word, component = _WORDS.get(package, package), component_of(name)
    if package not in SECTIONS or component not in known:
        return None if name in known else _unknown(package, name, known)
    if name == component:
        return None
    start, words = component + SEPARATOR, name[len(component + SEPARATOR) :]
    if words in known:
        return (
            f"the name {shown(name)}: {words} is another {word}, whose results those of this "
            f"entry must not be taken for; write {start}<other words>"
        )
    if _WORDS_OF_ENTRY.fullmatch(words):
        return None
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:40] or "second"
    return (
        f"the name {shown(name)}: after {start} stand lower-case letters, digits and _ alone, a "
        f"letter or digit first, 40 at most; write {start}{plain}"
    )


def _unknown(package: str, name: str, known: Iterable[str]) -> str:
    """Return that there is no such component, and what there is."""
    word, component = _WORDS.get(package, package), name
    begins = entries = ""
    if package in SECTIONS:
        component = component_of(name)
        begins = f", which {shown(name)} begins with" if component != name else ""
        entries = f"; a second entry: <{word}>{SEPARATOR}<words>"
    return (
        f"no {word} is named {shown(component)}{begins}; there are: {', '.join(sorted(known))}"
        f"{meant(component, known) or entries}"
    )


def _stems(package: str) -> Mapping[str, str]:
    """Return component name -> its file's name without the ending."""
    folders = importlib.import_module(package).__path__
    return {
        name: module.name
        for module in pkgutil.iter_modules(folders)
        if not module.ispkg and not module.name.startswith("_")
        for name in _held_by(package, module.name)
    }


@cache
def _held_by(package: str, stem: str) -> tuple[str, ...]:
    """Return the names of the components in a file, which is read once and not imported."""
    # As whoever imports it reads it: a served model's package is an archive.
    source = resources.files(package).joinpath(f"{stem}.py").read_text(encoding="utf-8")
    listed = _FAMILY.search(source)
    return tuple(ast.literal_eval(listed[1])) if listed else (stem,)
