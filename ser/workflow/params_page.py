"""The page docs/params.md: every param with its default and its meaning, told by its class.

What a param means stands in the docstring of its class, under `Args:`; what it may be stands
in its type. The page is written from both, so that it cannot differ from them.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ser import components
from ser.params import Tunable
from ser.workflow.preset import Preset

#: Section of params.yaml whose entries are components -> their family.
FAMILIES: Mapping[str, str] = {
    "corpus": components.CORPORA,
    "features": components.EXTRACTORS,
    "models": components.MODELS,
    "losses": components.LOSSES,
}

#: As wide as all prose.
_WIDTH = 100

_HEAD = """\
# Params

Every setting of `params.yaml`. `ser params-page` writes this page from the classes that check the
settings; a test fails when the two differ. So do not edit it: edit the docstring of the class.

A setting that is not written has its default. *required* means that there is no default: write a
value. Numbers are plain numbers; units stand in the meaning. UAR is unweighted average recall, AAM
additive angular margin, SVM a support vector machine; other words stand in the
[glossary](glossary.md).

"""

_BOUNDS = {
    annotated_types.Ge: ("at least", "ge"),
    annotated_types.Gt: ("above", "gt"),
    annotated_types.Le: ("at most", "le"),
    annotated_types.Lt: ("below", "lt"),
}


def text() -> str:
    """Return the page."""
    tables = ["## All sections\n\n" + table(Preset)]
    for section, field in Preset.model_fields.items():
        found = list(_tables(section, field))
        if found:
            tables += [f"## {section}", *found]
    return _HEAD + "\n\n".join(tables) + "\n"


def table(params: type[BaseModel]) -> str:
    """Return the table of the params of one class, in Markdown.

    Args:
        params: The class; its docstring, or that of a class it inherits from, describes
            every field under `Args:`.

    Raises:
        KeyError: A field is not described.
    """
    meanings, filled = described(params), _without_arguments(params)
    rows = [
        f"| `{name}` | {_default(field, getattr(filled, name, None))} | {_allowed(field)} "
        f"| {meanings[name]}{_search(field)} |"
        for name, field in params.model_fields.items()
    ]
    return "\n".join(["| key | default | allowed | meaning |", "|---|---|---|---|", *rows])


def described(params: type[BaseModel]) -> dict[str, str]:
    """Return field -> meaning, from the `Args:` of a class and of those it inherits from.

    Example:
        >>> from ser.losses import focal
        >>> described(focal.Params)["gamma"]
        'Exponent of 1 - p_y, in [0, 10]; 0 is cross-entropy.'
    """
    meanings: dict[str, str] = {}
    for cls in reversed(params.__mro__):
        _, _, listed = inspect.cleandoc(cls.__doc__ or "").partition("Args:\n")
        block = re.split(r"\n(?=\S)", textwrap.dedent(listed))
        for entry in block if listed else ():
            names, _, meaning = entry.partition(":")
            words = " ".join(meaning.split()).replace("|", "\\|")
            if re.fullmatch(r"\w+(, \w+)*", names):
                meanings.update(dict.fromkeys(names.split(", "), words))
    return meanings


def _tables(section: str, field: FieldInfo) -> Iterator[str]:
    """Yield heading and table of a section, and of what is nested in it."""
    if section in FAMILIES:
        yield from _of_family(section, FAMILIES[section])
        return
    for where, params in _nested(section, field.annotation):
        if params.model_fields:  # those of any component have tables of their own
            yield f"**`{where}`**\n\n{table(params)}"


def _nested(where: str, annotation: object) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the classes in a type, with the place where their params are written."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield where, annotation
        for name, field in annotation.model_fields.items():
            yield from _nested(f"{where}.{name}", field.annotation)
    elif get_origin(annotation) is not None:
        is_mapping = len(get_args(annotation)) == 2 and get_args(annotation)[0] is str
        inner = f"{where}.<name>" if is_mapping else where
        for argument in get_args(annotation):
            yield from _nested(inner, argument)


def _of_family(section: str, family: str) -> Iterator[str]:
    """Yield one table per component; those of one file with the same params share one."""
    places: dict[tuple[str, str], list[str]] = {}
    for name in components.names(family):
        place = f"{section}: {{name: {name}}}" if section == "corpus" else f"{section}.{name}"
        for where, params in _nested(place, components.load(family, name).Params):
            content = table(params) if params.model_fields else "It has no params: write `{}`."
            places.setdefault((params.__module__, content), []).append(f"**`{where}`**")
    for (_, content), where_all in places.items():
        heading = textwrap.fill(", ".join(where_all), _WIDTH, break_on_hyphens=False)
        yield f"{heading}\n\n{content}"


def _without_arguments(params: type[BaseModel]) -> BaseModel | None:
    """Return an empty section as it is read, or None where something must be written."""
    try:
        return params()
    except ValidationError:
        return None


def _default(field: FieldInfo, filled: object) -> str:
    """Return a default; `filled` is the value in an empty section, which may know better."""
    if filled is None and field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True) if filled is None else filled
    if isinstance(value, BaseModel):
        return "as below"
    return f"`{_yaml(value)}`"


def _yaml(value: object) -> str:
    """Return a value as it is written in YAML, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return str(value) if value != "" else '""'


def _allowed(field: FieldInfo) -> str:
    kind = _kind(field.annotation)
    bounds = [
        f"{word} {getattr(mark, attribute):g}"
        for mark in field.metadata
        for bound, (word, attribute) in _BOUNDS.items()
        if isinstance(mark, bound)
    ]
    return ", ".join([kind, *bounds])


def _kind(annotation: Any) -> str:
    """Return the words for a type."""
    plain = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}
    if annotation in plain:
        return plain[annotation]
    if annotation is type(None):
        return "`null`"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{_yaml(value)}`" for value in arguments)
    if origin in (Union, UnionType):
        return " or ".join(map(_kind, arguments))
    if origin is tuple:
        return f"list: {_kind(arguments[0])}"
    if origin is not None and len(arguments) == 2 and arguments[0] is str:
        return "mapping"
    return _kind(arguments[0]) if arguments else "section"


def _search(field: FieldInfo) -> str:
    """Return what tuning may try, as a sentence; empty for what it cannot search."""
    marks = [mark for mark in field.metadata if isinstance(mark, Tunable)]
    if not marks:
        return ""
    (mark,) = marks
    unit = f" {mark.unit}" if mark.unit else ""
    scale = ", on a logarithmic scale" if mark.log else ""
    first = "" if mark.published is None else f"; the published study has {mark.published:g}"
    return f" *Tuning searches {mark.low:g} to {mark.high:g}{unit}{scale}{first}.*"
