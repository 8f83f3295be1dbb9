"""The page docs/api-reference.md: every public name of `ser`, told by its docstring."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from typing import Any

import ser

#: As wide as all prose.
_WIDTH = 100
#: A signature of this length stands on one line.
_ONE_LINE = 88

_HEAD = """\
# Reference of the Python API

Every public name of `ser`. `ser api-page` writes this page from the docstrings; a test fails when
the two differ. So do not edit it: edit the docstring. How to begin is told in [From
Python](api.md).

"""

_SECTION = re.compile(r"^(Args|Returns|Raises|Source|Example):\n", re.MULTILINE)
_COLUMNS = {"Args": "argument", "Raises": "error"}


def text() -> str:
    """Return the page."""
    return _HEAD + "\n\n".join(_parts()) + "\n"


def _parts() -> Iterator[str]:
    for name in ser.__all__:
        thing = getattr(ser, name)
        yield f"## ser.{name}"
        yield from _described(f"ser.{name}", thing)
        if inspect.isclass(thing):
            yield from _members(name, thing)


def _members(owner: str, cls: type) -> Iterator[str]:
    """Yield the properties of a class as a table, and its methods."""
    own = {name: member for name, member in vars(cls).items() if not name.startswith("_")}
    properties = [
        f"| `{name}` | {_cell(inspect.getdoc(member) or '')} |"
        for name, member in own.items()
        if isinstance(member, property)
    ]
    if properties:
        yield "\n".join(["| property | meaning |", "|---|---|", *properties])
    for name, member in own.items():
        if inspect.isfunction(member):
            yield f"### {owner}.{name}"
            yield from _described(name, member)


def _described(name: str, thing: Callable[..., Any]) -> Iterator[str]:
    """Yield signature, text and sections of a function or a class."""
    if inspect.isfunction(thing):
        yield f"```text\n{_signature(name, thing)}\n```"
    elif base := _public_base(thing):
        yield f"All of [ser.{base}](#ser{base.lower()}), and:"
    said, *sections = _SECTION.split(inspect.getdoc(thing) or "")
    yield from _paragraphs(said)
    for title, content in zip(sections[::2], sections[1::2], strict=True):
        body = textwrap.dedent(content).strip()
        if title == "Args" and inspect.isclass(thing):
            if is_dataclass(thing):  # others are made by `ser.load`, whatever they are made of
                yield _table("field", body)
        elif title in _COLUMNS:
            yield _table(_COLUMNS[title], body)
        else:
            yield from _paragraphs(f"**{title}.** {body}")


def _public_base(cls: Any) -> str | None:
    """Return the class that a public class extends, where that is public itself."""
    names = [base.__name__ for base in getattr(cls, "__bases__", ())]
    return next((name for name in names if name in ser.__all__), None)


def _signature(name: str, function: Callable[..., Any]) -> str:
    """Return a signature with the types as they are written."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(definition, ast.FunctionDef)
    others = [definition.args.kwarg] if definition.args.kwarg else []
    listed = [*definition.args.args, *definition.args.kwonlyargs, *others]
    types = {one.arg: ast.unparse(one.annotation) for one in listed if one.annotation is not None}
    said = []
    for one in inspect.signature(function).parameters.values():
        if one.kind is one.KEYWORD_ONLY and "*" not in said:
            said.append("*")
        default = "" if one.default is one.empty else f" = {one.default!r}"
        stars = "**" if one.kind is one.VAR_KEYWORD else ""
        typed = f"{stars}{one.name}: {types.get(one.name)}{default}"
        said.append(typed if one.name != "self" else "")
    said = list(filter(None, said))
    returns = ast.unparse(definition.returns).strip("'") if definition.returns else "None"
    line = f"{name}({', '.join(said)}) -> {returns}"
    if len(line) <= _ONE_LINE:
        return line
    return "\n".join([f"{name}(", *(f"    {one}," for one in said), f") -> {returns}"])


def _table(what: str, body: str) -> str:
    """Return entries `name: meaning` as a table."""
    rows = []
    for entry in re.split(r"\n(?=\S)", body):
        name, _, meaning = entry.partition(":")
        rows.append(f"| `{name}` | {_cell(meaning)} |")
    return "\n".join([f"| {what} | meaning |", "|---|---|", *rows])


def _cell(said: str) -> str:
    return " ".join(said.split()).replace("|", "\\|")


def _paragraphs(said: str) -> Iterator[str]:
    for paragraph in filter(None, (part.strip() for part in said.split("\n\n"))):
        yield textwrap.fill(
            " ".join(paragraph.split()), _WIDTH, break_long_words=False, break_on_hyphens=False
        )
