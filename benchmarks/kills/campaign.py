"""Interrupt a command somewhere, give it again, and compare what is there with what should be."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.kills import children, project
from benchmarks.kills.children import Ended
from benchmarks.kills.interruption import FULL, KINDS, NOTE, Interruption
from benchmarks.kills.project import Command, Records

#: Exit status of DVC after Ctrl-C.
_INTERRUPTED_DVC = 252

#: What is looked at of a project after a command.
_DOCTOR = "doctor.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A project after a command.

    Args:
        digests: See `project.digests`.
        records: See `project.records`.
        findings: What `ser doctor` has to say, but for what is well.
    """

    digests: dict[str, str]
    records: Records
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A command and what it does where nothing interrupts it.

    Args:
        command: The command.
        before: Folder of the state that it begins with.
        num_operations: File operations that it does.
        outcome: The project afterwards.
    """

    command: Command
    before: Path
    num_operations: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Trial:
    """A command that was interrupted several times in a row, and what was wrong afterwards.

    Args:
        command: Its name.
        interruptions: When and how; each time the command was given again.
        were_hit: Of each, whether the command had not ended before.
        faults: One sentence each; none where all is as it should be.
    """

    command: str
    interruptions: tuple[Interruption, ...]
    were_hit: tuple[bool, ...]
    faults: tuple[str, ...]


class Campaign:
    """A project and the states that its commands begin with.

    Args:
        folder: An empty folder.
        python: What a command starts where it starts its own interpreter.
    """

    def __init__(self, folder: Path, python: Path) -> None:
        self.root, self.states = folder / "project", folder / "states"
        self.root.mkdir(parents=True)
        environment = {
            "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
            "PYTHONPATH": str(project.ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "true",
            "DVC_SITE_CACHE_DIR": str(folder / "site-cache"),
            "GIT_CEILING_DIRECTORIES": str(folder),
        }
        self.place = children.Place(self.root, environment, python)
        project.make(self.root)
        self.fresh = self.states / "fresh"
        project.copy_state(self.root, self.fresh)

    def references(self, commands: Sequence[Command], only: Sequence[str]) -> Iterator[Reference]:
        """Run commands one after the other from the beginning; yield those that are asked for.

        Raises:
            RuntimeError: One of them fails.
        """
        self._restore(self.fresh)
        wanted = [c.name for c in commands if c.is_interrupted and (not only or c.name in only)]
        for command in commands:
            if not wanted:
                return
            before = self.states / command.name.replace(" ", "_")
            if command.name in wanted:
                project.copy_state(self.root, before)
            done = children.run(command.main, self.place)
            if done.status != 0:
                raise RuntimeError(f"{command.name}: exit status {done.status}\n{done.output}")
            if command.name in wanted:
                wanted.remove(command.name)
                yield Reference(command, before, done.num_operations, self._look())

    def run(self, reference: Reference, interruptions: Sequence[Interruption]) -> Trial:
        """Interrupt a command again and again, give it once more, and compare."""
        command = reference.command
        self._restore(reference.before)
        hits, faults = [], []
        for interruption in interruptions:
            ended = self._give(command, interruption)
            hits.append(NOTE in ended.output)
            faults += _faults_of_interrupted(command, ended, interruption)
        again = self._give(command)
        statuses = project.records(self.root).statuses
        if running := statuses.get("RUNNING"):
            faults.append(f"{running} runs are RUNNING after the command was given again")
        faults += _differences(reference.outcome, self._look(fix=True))
        # Where all is done, a command like `rollback` may refuse to do it twice.
        if again.status != 0 and (faults or "Traceback" in again.output):
            faults.append(f"again: exit status {again.status}: {again.output[-1500:]}")
        return Trial(command.name, tuple(interruptions), tuple(hits), tuple(faults))

    def _give(self, command: Command, interruption: Interruption | None = None) -> Ended:
        """Run a command as DVC or `make repro` does it."""
        if command.by_dvc:
            self._doctor(fix=True)
        project.remove_outputs(self.root, command)
        return children.run(command.main, self.place, interruption)

    def _restore(self, state: Path) -> None:
        project.clear_state(self.root)
        project.copy_state(state, self.root)

    def _doctor(self, *, fix: bool) -> tuple[str, ...]:
        """Return what `ser doctor` has to say; with fix, after `ser doctor --fix`."""
        out = self.root.parent / _DOCTOR

        def main() -> None:
            from ser.workflow import diagnosis

            if fix:
                diagnosis.diagnose(Path(), fix=True)
            findings = diagnosis.diagnose(Path())
            said = [f"{f.level} {f.what}: {f.detail}" for f in findings if f.level != "ok"]
            out.write_text(json.dumps(said), encoding="utf-8")

        done = children.run(main, self.place)
        if done.status != 0:
            return (f"ser doctor failed: {done.output[-1500:]}",)
        return tuple(json.loads(out.read_text(encoding="utf-8")))

    def _look(self, *, fix: bool = False) -> Outcome:
        findings = self._doctor(fix=fix)
        # The space on the disk is nobody's fault.
        kept = tuple(f for f in findings if " disk:" not in f and " needs:" not in f)
        return Outcome(project.digests(self.root), project.records(self.root), kept)


def draw(
    references: Sequence[Reference], num_kills: int, rng: np.random.Generator, *, in_a_row: int = 1
) -> list[tuple[Reference, tuple[Interruption, ...]]]:
    """Deal interruptions out to commands, some in a row, each at a random operation."""
    drawn = []
    for number in range(0, num_kills, in_a_row):
        reference = references[number // in_a_row % len(references)]
        row = [_drawn(reference, rng) for _ in range(min(in_a_row, num_kills - number))]
        drawn.append((reference, tuple(row)))
    return drawn


def _drawn(reference: Reference, rng: np.random.Generator) -> Interruption:
    at = int(rng.integers(1, max(reference.num_operations, 1) + 1))
    # SIGKILL, which no program can answer, most often.
    return Interruption(KINDS[int(rng.choice(4, p=[0.4, 0.2, 0.2, 0.2]))], at)


def _faults_of_interrupted(
    command: Command, ended: Ended, interruption: Interruption
) -> Iterator[str]:
    said = ended.output.split(NOTE)[-1]
    if "Traceback" in said:
        yield f"interrupted: a traceback: {said[-1500:]}"
    if NOTE not in ended.output:
        return  # it came to its end, or had nothing to do any more and refused
    if interruption.kind == FULL:
        # What DVC says of it, and how, is its own business.
        if ended.status not in (0, 1) and not command.by_dvc:
            yield f"full disk: exit status {ended.status}: {said[-500:]}"
        if ended.status != 0 and not command.by_dvc and said.count("error: the disk is full") != 1:
            yield f"full disk: it is not said in one sentence: {said[-1000:]}"
    elif ended.status == _INTERRUPTED_DVC and command.by_dvc:
        return
    elif ended.status not in (0, -int(interruption.signal), 128 + int(interruption.signal)):
        yield f"interrupted: exit status {ended.status}: {said[-500:]}"


def _differences(expected: Outcome, found: Outcome) -> Iterator[str]:
    names = sorted(set(expected.digests) | set(found.digests))
    other = [n for n in names if expected.digests.get(n) != found.digests.get(n)]
    if other:
        yield f"{len(other)} files differ: {', '.join(other[:8])}"
    for field in ("runs", "statuses", "versions", "aliases", "tags"):
        wanted, got = getattr(expected.records, field), getattr(found.records, field)
        if wanted != got:
            yield f"{field} differ: {_shown(wanted, got)}"
    if more := [f for f in found.findings if f not in expected.findings]:
        yield f"ser doctor: {'; '.join(more)}"


def _shown(wanted: object, got: object) -> str:
    if isinstance(wanted, dict) and isinstance(got, dict):
        keys = [key for key in {**wanted, **got} if wanted.get(key) != got.get(key)]
        return "; ".join(f"{key}: {got.get(key)} and not {wanted.get(key)}" for key in keys[:5])
    return f"{got} and not {wanted}"


def remove(folder: Path) -> None:
    """Remove the campaign's folder."""
    shutil.rmtree(folder, ignore_errors=True)
