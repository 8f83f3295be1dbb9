"""Kill every stage and command at random file operations: `python -m benchmarks.kills`.

A tiny synthetic project is run once without interruption. Then, again and again, a command is
interrupted before one of its file operations or commits to a database, by SIGKILL, SIGINT, SIGTERM
or a disk that is full from then on, and given again.
Afterwards every file has to have the same bytes, no run may be recorded twice or be RUNNING, the
registry has to hold the same versions and aliases, and `ser doctor` must have nothing to say.
The same seed draws the same interruptions.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import warm_python
from benchmarks.kills import campaign, children, project
from benchmarks.kills.campaign import Campaign, Reference, Trial
from benchmarks.kills.interruption import KINDS, Interruption
from ser import runtime


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status: 1 if anything was wrong."""
    options = _parser().parse_args(argv)
    folder = Path(tempfile.mkdtemp(prefix="ser-kills-", dir=options.folder))
    children.import_packages()
    try:
        with warm_python.serve(folder / "python", {**os.environ, "OMP_NUM_THREADS": "1"}) as python:
            trials = _run(options, Campaign(folder / "ground", python.executable))
    finally:
        campaign.remove(folder)
    print(_table(trials))
    faulty = [trial for trial in trials if trial.faults]
    print(f"{len(trials)} interruptions, {len(faulty)} of them with faults")
    return runtime.FAILED if faulty else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many interruptions (200)")
    parser.add_argument("--seed", type=int, default=0, help="draws them (0)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these commands")
    parser.add_argument("--folder", type=Path, help="where the project lies meanwhile")
    parser.add_argument(
        "--replay",
        nargs=3,
        metavar=("NAME", "SIGNAL", "AT"),
        help="one interruption, as a fault names it, e.g. prepare SIGKILL 3",
    )
    return parser


def _run(options: argparse.Namespace, ground: Campaign) -> list[Trial]:
    only = [options.replay[0]] if options.replay else options.only
    references = list(_references(ground, only))
    if options.replay:
        _, name, at = options.replay
        drawn = [(references[0], Interruption(name, int(at)))]
    else:
        drawn = campaign.draw(references, options.kills, np.random.default_rng(options.seed))
    trials = []
    for reference, interruption in drawn:
        trial = ground.run(reference, interruption)
        trials.append(trial)
        for fault in trial.faults:
            where = f"{trial.command} {interruption.kind} {interruption.at}"
            print(f"FAULT {where}: {fault}", flush=True)
        sys.stderr.write(f"{len(trials)}/{len(drawn)} {trial.command}\n")
    return trials


def _references(ground: Campaign, only: Sequence[str]) -> Iterator[Reference]:
    """Yield the commands that are asked for, all for none, each run once."""
    stages = project.stages(ground.root)
    chains = [[*stages, *project.after_stages()], project.with_dvc()]
    known = [command.name for chain in chains for command in chain if command.is_interrupted]
    if unknown := sorted(set(only) - set(known)):
        sys.exit(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}")
    for chain in chains:
        for reference in ground.references(chain, only):
            said = f"{reference.command.name}: {reference.num_operations} file operations"
            sys.stderr.write(f"{said}\n")
            yield reference


def _table(trials: Sequence[Trial]) -> str:
    """Return a row per command: interruptions by kind, and how many were followed by faults."""
    lines = [
        f"| command | {' | '.join(KINDS)} | ended before | with faults |",
        f"|---|{'---:|' * (len(KINDS) + 2)}",
    ]
    for name in dict.fromkeys(trial.command for trial in trials):
        own = [trial for trial in trials if trial.command == name]
        counts = [sum(trial.interruption.kind == kind for trial in own) for kind in KINDS]
        ended, faulty = sum(not t.was_hit for t in own), sum(bool(t.faults) for t in own)
        lines.append(f"| {name} | {' | '.join(map(str, counts))} | {ended} | {faulty} |")
    return "\n".join(lines)


if __name__ == "__main__":
    runtime.configure()
    raise SystemExit(main())
