"""Which lines of `ser` the tests reach, at next to no cost: every statement notes its own line.

A plugin of pytest (`-p tests.reached_lines`, see the target `test` of the Makefile) in place of a
tracer. Python 3.11 calls a tracer for every call and every line of every package; here one store
into a byte array stands before each statement of `ser`, and other packages run as they are. What
was reached is written as coverage's own data, so that `coverage combine` and `coverage report` do
the rest: what counts as a line, what is excluded, and the share that is required
(`[tool.coverage]` in pyproject.toml; docs/decisions/0041-lines-that-note-themselves.md).
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from coverage import CoverageData

ROOT = Path(__file__).parents[1]
PACKAGE = "ser"

#: Name in a marked module of the array with a byte per line: 1 where the line was reached.
REACHED = "__reached__"

#: File -> its array. A module that is loaded twice goes on with the same one.
reached: dict[str, bytearray] = {}


class Marker(ast.NodeTransformer):
    """Puts a mark before every statement, and first into what follows `except` and `case`."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Mark the statements of each block of a node, from the inside out."""
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                setattr(node, name, list(_marked(node, name, block)))
        return node


class Loader(SourceFileLoader):
    """Loads a module with marks; they are never cached beside the file."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the marked source."""
        path = self.get_filename(fullname)
        return marked_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module with its array in place."""
        num_lines = self.get_data(self.path).count(b"\n") + 2
        vars(module)[REACHED] = reached.setdefault(self.path, bytearray(num_lines))
        super().exec_module(module)


class Finder(MetaPathFinder):
    """Finds the modules of the project's own package, and leaves all others to the next finder."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how a module of `ser` below the project's root is loaded."""
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        if not Path(spec.loader.path).is_relative_to(ROOT / PACKAGE):
            return None
        spec.loader = Loader(fullname, spec.loader.path)
        return spec


def marked_code(source: bytes, path: str) -> CodeType:
    """Compile a source whose statements note in `__reached__` that they were reached.

    Lines, docstrings and what the source does stay as they are.
    """
    tree = ast.fix_missing_locations(Marker().visit(ast.parse(source, path)))
    code: CodeType = compile(tree, path, "exec", dont_inherit=True)
    return code


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Mark what is imported from now on: the first module of `ser` comes with a conftest."""
    sys.meta_path.insert(0, Finder())


def pytest_sessionstart() -> None:
    """Refuse to count what was loaded without marks: it would seem never to be reached."""
    early = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    unmarked = [name for name in early if not hasattr(sys.modules[name], REACHED)]
    if unmarked:
        raise RuntimeError(
            f"{', '.join(sorted(unmarked))} were imported before {__name__}, so their lines would "
            f"not count: name it first, by `pytest -p {__name__}`"
        )


def pytest_sessionfinish() -> None:
    """Write what this process has reached to `.coverage.<machine>.<process>.<random>`."""
    lines = {
        path: [number for number, there in enumerate(array) if there]
        for path, array in reached.items()
    }
    # A process that only hands out tests has reached what pytest imported there, which is true too.
    data = CoverageData(basename=str(ROOT / ".coverage"), suffix=True)
    data.add_lines(lines)
    # What nothing has imported counts as not reached.
    data.touch_files([str(path) for path in sorted((ROOT / PACKAGE).rglob("*.py"))])
    data.write()


def _marked(parent: ast.AST, name: str, block: list[ast.AST]) -> Iterator[ast.AST]:
    """Yield the statements of a block, each after its mark."""
    if name == "body" and isinstance(parent, ast.ExceptHandler):
        yield _mark(parent.lineno, block[0])
    elif name == "body" and isinstance(parent, ast.match_case):
        yield _mark(parent.pattern.lineno, block[0])
    late: list[int] = []
    for position, statement in enumerate(block):
        if _must_come_first(parent, position, statement):
            late.append(statement.lineno)
            yield statement
            continue
        # The lines of decorators count as lines of their own.
        above = [decorator.lineno for decorator in getattr(statement, "decorator_list", [])]
        for number in sorted({*late, *above, statement.lineno}):
            yield _mark(number, statement)
        late.clear()
        yield statement


def _must_come_first(parent: ast.AST, position: int, statement: ast.AST) -> bool:
    """Whether a statement is a docstring, or an import that Python wants before all others."""
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return True
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return (
        position == 0
        and isinstance(parent, documented)
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _mark(number: int, place: ast.AST) -> ast.AST:
    """Return the statement `__reached__[number] = 1`, on the line of another one."""
    array = ast.Name(REACHED, ast.Load())
    target = ast.Subscript(array, ast.Constant(number), ast.Store())
    return ast.copy_location(ast.Assign([target], ast.Constant(1)), place)
