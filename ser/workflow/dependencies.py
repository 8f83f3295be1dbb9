"""What each stage of dvc.yaml depends on, computed and written there.

Data are what the stage's program says that it reads. Code is all that the program imports,
directly or not, and the component that it finds by name: the component's own file, and the
file with the digests of all that this one imports (docs/decisions/0014-code-dependencies.md).
"""

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import yaml

from ser import files, lineage, runtime
from ser.errors import PipelineError, translating
from ser.project import Project, Words

#: Imported by one program, and yet no reason to run it again: program -> pattern -> why not.
INDIFFERENT_TO: Mapping[str, Mapping[str, str]] = {
    "demo": {
        "ser/data/corpora/_[!b]*.py": "reads what this stage writes",
        "ser/emotion.py": "used by the reader",
        "ser/utterance.py": "used by the reader",
    },
}

_BLOCK = r"^(?P<indent> +)deps:\n(?:(?P=indent)  - .*\n|(?P=indent) *#.*\n)+"


class Program(Protocol):
    """What a module of `pipelines` says of itself."""

    def reads(self, project: Project, words: Words) -> list[Path]:
        """Return the files and folders that it reads."""

    def writes(self, project: Project, words: Words) -> list[Path]:
        """Return the files and folders that it writes."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of dvc.yaml, or the template of a `foreach`.

    Args:
        name: As in dvc.yaml, without `@<item>`.
        program: Name of its module in `pipelines`.
        params_files: Files that it depends on by `params`, entry by entry.
    """

    name: str
    program: str
    params_files: frozenset[str] = frozenset()

    @property
    def module(self) -> Program:
        """Its program."""
        # `pipelines` puts collections of garbage off; here no body of a stage follows to end it.
        with runtime.importing():
            return cast("Program", importlib.import_module(f"pipelines.{self.program}"))

    @property
    def components(self) -> Mapping[str, str]:
        """Family -> the word of dvc.yaml that names the component it finds by name."""
        found: Mapping[str, str] = getattr(self.module, "COMPONENTS", {})
        return found


class Templates(dict[str, str]):
    """Words that stand for themselves: `item.feature` -> `${item.feature}`."""

    def __missing__(self, word: str) -> str:
        """Return what dvc.yaml fills in."""
        return f"${{{word}}}"


def stages(project: Project) -> list[Stage]:
    """Return the stages of dvc.yaml that run a program of this project, in their order.

    Raises:
        FileError: dvc.yaml is missing.
        PipelineError: It is not of its form, or a stage runs no program of this project.
    """
    return [_stage(name, body, project) for name, body in _bodies(project).items()]


def _bodies(project: Project) -> dict[str, Mapping[str, Any]]:
    """Return what dvc.yaml says of each stage, or of the template of its items."""
    text = files.read_text(project.pipeline, cure="run it in the project's root")

    def say(error: Exception) -> PipelineError:
        return PipelineError(
            f"{project.pipeline}: not YAML with a mapping of stages: {error!r}; "
            f"`git checkout {project.pipeline}` brings the last one back"
        )

    with translating(say):
        content = yaml.safe_load(text)
    try:
        definitions = content["stages"].items()
        return {name: definition.get("do", definition) for name, definition in definitions}
    except (AttributeError, KeyError, TypeError) as error:
        raise say(error) from error


def _stage(name: str, body: Mapping[str, Any], project: Project) -> Stage:
    program = re.search(r"\bpipelines\.(\w+)", str(body["cmd"]))
    if program is None:
        raise PipelineError(
            f"{project.pipeline}: stage {name} runs no program of pipelines/, got {body['cmd']!r}"
        )
    named = [entry for entry in body.get("params", ()) if isinstance(entry, Mapping)]
    return Stage(name, program[1], frozenset(path for entry in named for path in entry))


def of_stage(stage: Stage, project: Project, words: Words | None = None) -> list[str]:
    """Return what a stage depends on.

    Args:
        stage: The stage.
        project: Where dvc.yaml lies.
        words: What its words stand for; None leaves them as dvc.yaml's templates.

    Returns:
        Paths relative to the root, sorted.
    """
    said = Templates(words or {}, stage=stage.name)
    read = {path.relative_to(project.root).as_posix() for path in stage.module.reads(project, said)}
    found = (read - stage.params_files) | set(sources(stage, project))
    for family, word in stage.components.items():
        found.add(project.code(family, said[word]).relative_to(project.root).as_posix())
    return sorted(found)


def sources(stage: Stage, project: Project) -> list[str]:
    """Return the source files that a stage's program imports, and that decide its outputs."""
    skip = (*lineage.DECIDES_NOTHING, *INDIFFERENT_TO.get(stage.program, ()))
    start = f"pipelines/{stage.program}.py"
    return lineage.imported_sources(project.root, [start], skip=skip)


def written(project: Project) -> str:
    """Return dvc.yaml as it should be: every `deps` computed, all else as it is.

    Raises:
        PipelineError: A stage has no block `deps` to be filled in.
    """
    text = files.read_text(project.pipeline)
    for stage in stages(project):
        start = re.search(rf"^  {re.escape(stage.name)}:\n", text, re.MULTILINE)
        end = start and re.compile(r"^  \S", re.MULTILINE).search(text, start.end())
        last = end.start() if end else len(text)
        first = start.end() if start else last
        block = re.compile(_BLOCK, re.MULTILINE).search(text, first, last)
        if block is None:
            raise PipelineError(
                f"{project.pipeline}: stage {stage.name} has no deps; write `deps:` and "
                f"`- pipelines/{stage.program}.py` below it"
            )
        indent = block["indent"]
        lines = [f"{indent}  - {path}\n" for path in of_stage(stage, project)]
        text = f"{text[: block.start()]}{indent}deps:\n{''.join(lines)}{text[block.end() :]}"
    return text


def update(project: Project) -> list[str]:
    """Write dvc.yaml's dependencies.

    Returns:
        What has changed, a line each, as `differences`.

    Raises:
        PipelineError: See `written`.
    """
    found = differences(project)
    if found:
        files.write_text(project.pipeline, written(project))
    return found


def differences(project: Project) -> list[str]:
    """Return how dvc.yaml's dependencies differ from what they should be.

    Returns:
        `<stage>: - <path>` for one too many, `<stage>: + <path>` for one that is missing.
    """
    bodies = _bodies(project)
    lines = []
    for stage in stages(project):
        said = set(bodies[stage.name].get("deps", ()))
        computed = set(of_stage(stage, project))
        lines += [f"{stage.name}: - {path}" for path in sorted(said - computed)]
        lines += [f"{stage.name}: + {path}" for path in sorted(computed - said)]
    return lines
