"""YAML as people write it: plain values, each key once, and never more than fits a person's file.

A few lines of YAML may stand for gigabytes (an alias of lists of aliases), or be nested so
deep that a reader crashes. So the size of what a text stands for is counted before
anything is made of it.
"""

import copy
import functools
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

from ser.wording import cut, shown

#: Most bytes of a file.
MAX_BYTES = 2**21
#: Most values that a text stands for, every alias counted as what it repeats.
MAX_VALUES = 200_000
#: Most lists and mappings within one another.
MAX_DEPTH = 32

_MAX_BITS = 63
_MAX_MESSAGE = 400
#: What YAML 1.2 takes for a number; of these, PyYAML, which reads YAML 1.1, takes some for text.
_NUMBER_OF_DVC = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)(e[-+]?\d+)?|0o[0-7]+", re.IGNORECASE)
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader with one error for all that is wrong; in C where PyYAML has libyaml."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return a node's value; PyYAML lets some of Python's own errors through."""
        try:
            value = super().construct_object(node, deep=deep)
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise _fault(
                f"{shown(node.value)} is no {node.tag.rpartition(':')[2]}; put it in quotes "
                "if it is text",
                node,
            ) from error
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise _fault(f"a whole number has at most {_MAX_BITS} bits, got {shown(value)}", node)
        return value


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    """Build a mapping, refusing a key that stands twice (PyYAML would silently keep the last)."""
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        if key_node.tag == _MERGE:
            continue
        if not isinstance(key_node, yaml.ScalarNode):
            raise _fault("a key must be plain, not a list or a mapping", key_node)
        key = loader.construct_object(key_node)
        # A name such as 1e3 is a text here and a number to DVC, which cannot sort the two.
        if isinstance(key, str) and not key_node.style and _NUMBER_OF_DVC.fullmatch(key):
            raise _fault(f"the key {shown(key)} is a number to DVC; put it in quotes", key_node)
        if key in seen:
            raise _fault(f"the key {shown(key)} stands twice", key_node)
        seen.add(key)
    loader.flatten_mapping(node)
    mapping: dict[Any, Any] = loader.construct_mapping(node)
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def load(text: str) -> Any:
    """Return what a YAML text says.

    Args:
        text: One document. Anchors, aliases and merges are fine as long as what they stand
            for stays small.

    Returns:
        Plain values: mappings, lists, texts, numbers, booleans, dates, None. An empty text
        is None.

    Raises:
        ValueError: It is no such YAML, a key stands twice, a value is not of its type, or it
            stands for more than the limits of this module; the message names the line.
    """
    # A copy: callers may change what they get.
    return copy.deepcopy(_loaded(text))


@functools.lru_cache(maxsize=4)
def _loaded(text: str) -> Any:
    """Return what a text says; every cell of a process reads the same params and lock."""
    try:
        _require_small(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        words = ", ".join(word for word in (error.context, error.problem) if word)
        raise ValueError(cut(f"{where}{words}", _MAX_MESSAGE)) from error
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise ValueError(cut(" ".join(str(error).split()), _MAX_MESSAGE)) from error


@dataclass(slots=True)
class _Size:
    """How much a value stands for.

    Args:
        values: The value itself and all within it.
        depth: Lists and mappings within one another, itself included.
        anchor: What it may be repeated by.
    """

    values: int = 1
    depth: int = 0
    anchor: str | None = None

    def take(self, inner: "_Size") -> None:
        """Count a value within this one."""
        self.values += inner.values
        self.depth = max(self.depth, inner.depth + 1)


def _require_small(text: str) -> None:
    """Raise where a text stands for too much; its events are read one after the other."""
    anchors: dict[str, _Size] = {}
    whole = _Size()
    open_ones = [whole]
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_ones.append(_Size(depth=1, anchor=event.anchor))
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent):
            if isinstance(event, yaml.ScalarEvent):
                size = _Size(anchor=event.anchor)
            else:
                size = open_ones.pop()
            if size.anchor is not None:
                anchors[size.anchor] = size
            open_ones[-1].take(size)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise _fault(f"the alias {shown(event.anchor)} repeats nothing before it", event)
            open_ones[-1].take(anchors[event.anchor])
        if open_ones[-1].values > MAX_VALUES:
            raise _fault(f"it stands for more than {MAX_VALUES} values", event)
        if len(open_ones) + open_ones[-1].depth - 1 > MAX_DEPTH + 1:
            raise _fault(f"lists and mappings are nested deeper than {MAX_DEPTH}", event)


def _fault(problem: str, place: Any) -> yaml.MarkedYAMLError:
    """Return the error for something at a node or an event."""
    return yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
