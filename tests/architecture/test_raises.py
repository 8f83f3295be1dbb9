"""Every public function that raises says so in its docstring, by the error's name.

Ruff has this rule too (DOC501), but asks it of private helpers as well, whose docstring is one
line, and of the commands in `ser.cli`, whose docstring is the text of `--help`.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("ser", "pipelines", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if path.parent != ROOT / "ser" / "cli" or path.name == "app.py"
)
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def public_functions(tree):
    """Functions of a module and methods of its classes without a leading underscore."""
    bodies = [tree.body, *(node.body for node in tree.body if is_public(node, ast.ClassDef))]
    return [node for body in bodies for node in body if is_public(node, _FUNCTION)]


def is_public(node, kind):
    return isinstance(node, kind) and not node.name.startswith("_")


def raises(function):
    """What follows `raise` in a function itself: not in functions and classes inside it."""
    nodes = list(function.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Raise):
            yield node.exc
        elif not isinstance(node, (*_FUNCTION, ast.ClassDef, ast.Lambda)):
            nodes.extend(ast.iter_child_nodes(node))


def unsaid(function):
    """Names of errors that the docstring keeps from its reader."""
    said = (ast.get_docstring(function) or "").partition("Raises:\n")[2]
    names = []
    for raised in raises(function):
        called = raised.func if isinstance(raised, ast.Call) else raised
        name = ast.unparse(called).rpartition(".")[2] if called else "raise"
        # `raise` alone and `raise make_error(...)` do not tell the class: any section will do.
        expected = rf"^ +{name}: " if name[:1].isupper() else "^ +[A-Z]\\w+: "
        if not re.search(expected, said, re.MULTILINE):
            names.append(name)
    return sorted(names)


def found(text):
    return {f.name: unsaid(f) for f in public_functions(ast.parse(text)) if unsaid(f)}


def test_the_rule_sees_methods_helpers_and_bare_raises_but_no_inner_function():
    text = '''
class A:
    def method(self):
        """Do.

        Raises:
            TypeError: Always.
        """
        raise errors.ValueError("x")

    def _private(self):
        raise ValueError

def again():
    """Do."""
    try:
        pass
    except OSError:
        raise

def helped():
    raise make_error("x")

def outer():
    def inner():
        raise ValueError
    return inner

def says():
    """Do.

    Raises:
        KeyError: Sometimes.
        OSError: Otherwise.
    """
    if x:
        raise KeyError
    raise make_error(x)
'''
    assert found(text) == {
        "method": ["ValueError"],
        "again": ["raise"],
        "helped": ["make_error"],
    }


def test_every_public_function_that_raises_says_so():
    silent = {
        f"{path.relative_to(ROOT)}": found(path.read_text(encoding="utf-8")) for path in SOURCES
    }
    assert {path: names for path, names in silent.items() if names} == {}
