"""What a message tells its reader to run can be run: commands, options, targets, stages."""

import ast
import functools
import re
import shlex
import sys
import tomllib
import warnings
from pathlib import Path
from unittest.mock import patch

import pytest
import typer
import yaml
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser

from ser.cli.app import app

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
GIT = {"add", "lfs", "init", "checkout", "clone", "update-index"}

#: What an f-string fills in.
FILLED = "FILLED"


def texts(path):
    """The strings of a file that are no docstrings, or a template as a whole."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".j2":
        yield re.sub(r"{{.*?}}", FILLED, content)
        return
    tree = ast.parse(content)
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(value) for value in node.values}
            pieces = (v.value if isinstance(v, ast.Constant) else FILLED for v in node.values)
            yield "".join(pieces)
        elif isinstance(node, ast.Constant) and id(node) not in silent:
            yield node.value if isinstance(node.value, str) else ""


#: Commands stand in backticks, in <code>, or are the whole of a string.
QUOTED = re.compile(r"`([^`\n]+)`|<code>([^<\n]+)</code>|^((?:ser|make|dvc|pip) [^`;]+)$")
BARE = re.compile(
    r"\b(pip install|hf \w+|make (repro|use|ui|test)|dvc (repro|checkout|gc|init)|ser \w+-\w+)\b"
)


def commands_of(text):
    """The commands of a text, as words."""
    for match in QUOTED.finditer(text):
        for command in next(filter(None, match.groups())).split("&&"):
            words = command.replace("<", "").replace(">", "").split()
            if len(words) > 1 and words[0].removeprefix(".venv/bin/") in CHECKS:
                yield words


def is_click_command(group, words):
    """Whether a command of click exists and knows the options, up to the first argument."""
    command = group
    for word in words:
        if word.startswith("--"):
            if not any(word in option.opts for option in command.params):
                return False
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return False
            command = command.commands[word]
    return True


#: Made once, from all commands that there are.
dvc_parser = functools.cache(get_main_parser)
ser_command = functools.cache(functools.partial(typer.main.get_command, app))


def is_dvc(words):
    try:
        with patch.object(sys, "argv", ["dvc", *words]):  # it looks there, too
            options, unknown = dvc_parser().parse_known_args(words)
    except DvcParserError:
        return False
    targets = options.targets if words[0] == "repro" else []
    return not unknown and set(targets) <= {*STAGES, FILLED}


def is_mlflow(words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SQLAlchemy, about MLflow
        from mlflow.cli import cli
    return is_click_command(cli, words)


def is_pip(words):
    """Whether pip is asked for pinned packages that are dependencies, or for the project."""
    command, dash_c, constraints, *wanted = words
    extras = re.compile(r"\.(\[(\w+)\])?$")
    known = {re.split(r"[=<>~]", name)[0] for name in PROJECT["dependencies"]} | {FILLED, "-e"}
    return (
        (command, dash_c) == ("install", "-c")
        and (ROOT / constraints).is_file()
        and all(
            name in known
            or (
                (found := extras.match(name))
                and found[2] in {None, *PROJECT["optional-dependencies"]}
            )
            for name in wanted
        )
    )


CHECKS = {
    "ser": lambda words: is_click_command(ser_command(), words),
    "make": lambda words: words[0] in TARGETS,
    "dvc": is_dvc,
    "pip": is_pip,
    "mlflow": is_mlflow,
    "git": lambda words: words[0] in GIT,
    "hf": lambda _: False,  # `ser download-weights` pins the revision
}


def can_be_run(words):
    program = words[0].removeprefix(".venv/bin/")
    return CHECKS[program](shlex.split(" ".join(words[1:])))


@pytest.fixture(scope="module")
def said():
    """Every text of the sources, with the file it stands in."""
    sources = sorted(
        path
        for folder in ("ser", "pipelines")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".j2")
    )
    return [(path.relative_to(ROOT), text) for path in sources for text in texts(path)]


@pytest.fixture(scope="module")
def found(said):
    """Every command of these texts, as words, with the file it stands in."""
    return [(path, words) for path, text in said for words in commands_of(text)]


def test_the_search_finds_the_cures(found):
    programs = {words[0].removeprefix(".venv/bin/") for _, words in found}
    assert programs == {"ser", "make", "dvc", "pip", "mlflow", "git"}
    assert len(found) > 60


def test_every_command_that_a_message_names_can_be_run(found):
    wrong = [f"{path}: {' '.join(words)}" for path, words in found if not can_be_run(words)]
    assert wrong == []


def test_every_command_is_marked_as_one(said):
    bare = [
        f"{path}: {match[0]}"
        for path, text in said
        for match in BARE.finditer(QUOTED.sub("", text))
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ser download-weights org/name --revision FILLED", True),
        ("ser promote --version N", True),
        ("ser promote --revision N", False),
        ("ser download", False),
        ("make use PRESET=emodb", True),
        ("make all", False),
        ("dvc repro tune gain", True),
        ("dvc repro --force --single-item baselines", True),
        ("dvc repro features", False),
        ("dvc fetch-all", False),
        ("dvc gc --workspace", True),
        ("dvc gc --workplace", False),
        (".venv/bin/pip install -c constraints.txt -e .", True),
        ("pip install -c constraints.txt mlflow", True),
        ("pip install -c constraints.txt '.[dev]'", True),
        (".venv/bin/pip install -c constraints.txt -e '.[opensmile]'", True),
        ("pip install -c constraints.txt '.[onnx]'", False),
        ("pip install -c constraints.txt torch-audio", False),
        ("mlflow db upgrade FILLED", True),
        ("mlflow db restore", False),
        ("hf download org/name", False),
    ],
)
def test_what_cannot_be_run_is_told_from_what_can(command, expected):
    assert can_be_run(command.split()) == expected
