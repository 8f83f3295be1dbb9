"""Kill every stage and command at random file operations: `python -m benchmarks.kills`.

A tiny synthetic project is run once without interruption. Then, again and again, a command is
interrupted before one of its file operations or commits to a database, by SIGKILL, SIGINT, SIGTERM
or a disk that is full from then on, and given again, several times in a row, at last to its end.
Afterwards every file has to have the same bytes, no run may be recorded twice or be RUNNING, the
registry has to hold the same versions and aliases, and `ser doctor` must have nothing to say.
The same seed draws the same interruptions.
"""

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
        with _python(options.python, folder / "python") as python:
            trials = _run(options, Campaign(folder / "ground", python))
    finally:
        campaign.remove(folder)
    print(_table(trials))
    num_hits = sum(len(_hits(trial)) for trial in trials)
    faulty = [trial for trial in trials if trial.faults]
    print(f"{num_hits} interruptions in {len(trials)} trials, {len(faulty)} of them with faults")
    return runtime.FAILED if faulty else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many interruptions (200)")
    parser.add_argument("--in-a-row", type=int, default=3, help="of the same command (3)")
    parser.add_argument("--seed", type=int, default=0, help="draws them (0)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these commands")
    parser.add_argument("--folder", type=Path, help="where the project lies meanwhile")
    parser.add_argument("--python", type=Path, help="what commands start, in place of a warm one")
    parser.add_argument(
        "--replay",
        nargs="+",
        metavar="WORD",
        help="interruptions in a row, as a fault names them, e.g. prepare SIGKILL 3 SIGINT 7",
    )
    return parser


@contextmanager
def _python(given: Path | None, folder: Path) -> Iterator[Path]:
    """Give what commands start where they start Python: what is given, or a warm one."""
    if given is not None:
        yield given
        return
    with warm_python.serve(folder, {**os.environ, "OMP_NUM_THREADS": "1"}) as python:
        yield python.executable


def _run(options: argparse.Namespace, ground: Campaign) -> list[Trial]:
    only = [options.replay[0]] if options.replay else options.only
    references = list(_references(ground, only))
    if options.replay:
        kinds, numbers = options.replay[1::2], map(int, options.replay[2::2])
        drawn = [(references[0], tuple(map(Interruption, kinds, numbers)))]
    else:
        rng = np.random.default_rng(options.seed)
        drawn = campaign.draw(references, options.kills, rng, in_a_row=options.in_a_row)
    trials = []
    for reference, interruptions in drawn:
        trial = ground.run(reference, interruptions)
        trials.append(trial)
        where = " ".join(f"{one.kind} {one.at}" for one in interruptions)
        for fault in trial.faults:
            print(f"FAULT {trial.command} {where}: {fault}", flush=True)
        sys.stderr.write(f"{len(trials)}/{len(drawn)} {trial.command} {where}: {trial.were_hit}\n")
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
    """Return a row per command: what hit it, by kind, and how many trials came to faults."""
    lines = [
        f"| command | {' | '.join(KINDS)} | trials | with faults |",
        f"|---|{'---:|' * (len(KINDS) + 2)}",
    ]
    for name in dict.fromkeys(trial.command for trial in trials):
        own = [trial for trial in trials if trial.command == name]
        hits = Counter(kind for trial in own for kind in _hits(trial))
        faulty = sum(bool(trial.faults) for trial in own)
        counts = [hits[kind] for kind in KINDS]
        lines.append(f"| {name} | {' | '.join(map(str, counts))} | {len(own)} | {faulty} |")
    return "\n".join(lines)


def _hits(trial: Trial) -> list[str]:
    """Return the kinds of the interruptions that came before the command had ended."""
    return [one.kind for one, hit in zip(trial.interruptions, trial.were_hit, strict=True) if hit]


if __name__ == "__main__":
    runtime.configure()
    raise SystemExit(main())
