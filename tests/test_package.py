"""`import ser` is light and offers what its list says."""

import ast
import importlib
from pathlib import Path

import pytest

import ser
from tests.fresh_process import modules_after


def test_import_ser_brings_nothing_else():
    new = modules_after("import ser") - modules_after("import importlib, typing")
    assert new == {"ser"}


def test_the_list_is_what_type_checkers_see_and_what_is_there():
    tree = ast.parse(Path(ser.__file__).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == ser._HOMES
    assert sorted(seen) == ser.__all__ == dir(ser)
    for name, home in seen.items():
        assert getattr(ser, name) is getattr(importlib.import_module(home), name)


def test_a_name_that_is_not_offered_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ser' has no attribute 'predict'"):
        _ = ser.predict


def test_no_public_name_hides_a_module_of_the_package():
    modules = {path.stem for path in Path(ser.__file__).parent.iterdir()}
    assert modules.isdisjoint(ser.__all__)
