"""Time, memory and disk of the preset `iemocap`, without the corpus.

`python -m benchmarks.real_size [--into docs/corpora/iemocap.md]` writes a tree in IEMOCAP's format
with its counts and durations, weights of the published sizes drawn at random, and runs the preset's
stages on it, cut to one fold, one seed, a few epochs and one cell of each model. Each stage is a
process of its own, and what it took is printed. What is learnt says nothing; what it costs does.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import metering, pages, stages
from benchmarks.real_size import corpus, project, results
from benchmarks.real_size.project import Cut
from benchmarks.real_size.results import Results
from benchmarks.stages import Measured, Stage
from ser import runtime
from ser.data import manifest
from ser.errors import FileError, ParamsError
from ser.project import Project
from ser.utterance import used_of

_MARKERS = ("<!-- real size: begin -->", "<!-- real size: end -->")
_QUICK = {"num_utterances": 120, "is_quick": True}
_QUICK_CELLS = ("lstm-cross_entropy", "hubert-cross_entropy")
_MEASURED = "measured.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    options = _parser().parse_args(argv)
    return runtime.run_main(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_size", description=__doc__)
    add = parser.add_argument
    add("--cells", nargs="+", default=[], metavar="CELL", help="else the first of each model")
    add("--utterances", type=int, default=corpus.NUM_UTTERANCES, metavar="N", help="about so many")
    add("--epochs", type=int, default=2, metavar="N", help="of each training; at least 2")
    add("--device", choices=["auto", "cpu"], default="auto", help="auto takes a GPU where one is")
    add("--quick", action="store_true", help="tiny networks: tries the program, measures nothing")
    add("--folder", type=Path, help="keep all here, and go on where an earlier call stopped")
    add("--stop-after", type=float, metavar="SECONDS", help="start no stage later than this")
    pages.add_options(parser, Path("reports/real_size.json"))
    return parser


def _run(options: argparse.Namespace) -> None:
    found = Results.read(options.out) if options.show else _measure(options)
    pages.publish(results.as_markdown(found), options.into, _MARKERS, is_quick=found.is_quick)


def _measure(options: argparse.Namespace) -> Results:
    cut = _cut(options)
    start = time.monotonic()
    with _folder(options.folder) as root:
        found = _begun(root, cut)
        for stage in project.stages(cut):
            if stage.name in found.stages:
                continue
            if options.stop_after is not None and time.monotonic() - start > options.stop_after:
                stages.say(f"{stage.name} and what follows are left out: --stop-after")
                break
            found.stages[stage.name] = one = _measured(root, stage, cut)
            if stage.name == "split":
                project.keep_one_fold(Project(root))
                found.num_used = len(used_of(manifest.read(Project(root).manifest)))
            found.write(root / _MEASURED)
            found.write(options.out.absolute())
            stages.say(
                f"{stage.name}: {one.taken.wall_s:.1f} s, {one.taken.anonymous / 1e9:.2f} GB"
            )
    return found


def _cut(options: argparse.Namespace) -> Cut:
    if options.epochs < 2:
        raise ParamsError(f"--epochs {options.epochs}: the first epoch warms up; take 2 or more")
    if not 1 <= options.utterances <= corpus.NUM_UTTERANCES:
        raise ParamsError(
            f"--utterances {options.utterances}: the corpus has 1 to {corpus.NUM_UTTERANCES}"
        )
    if not metering.is_measurable():
        raise ParamsError("this system does not say what a process holds; Linux does")
    names = options.cells or (_QUICK_CELLS if options.quick else ())
    values = {"num_utterances": options.utterances} | (_QUICK if options.quick else {})
    cells = project.chosen_cells(names)
    return Cut(cells, num_epochs=options.epochs, device=options.device, **values)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="real-size-") as folder:
        yield Path(folder)


def _begun(root: Path, cut: Cut) -> Results:
    """Return what an earlier call has measured in a folder, or what a first one begins with."""
    path, said = root / _MEASURED, root / "cut.txt"
    if said.is_file() and said.read_text("utf-8") != repr(cut):
        raise FileError(f"{root}: begun with other options; name another --folder, or give them")
    if path.is_file():
        return Results.read(path)
    if any(root.iterdir()):
        raise FileError(f"{root}: holds files of something else; name an empty --folder")
    stages.say("writing recordings and weights")
    project.make(root, cut)
    said.write_text(repr(cut), encoding="utf-8")
    num_utterances = len(corpus.turns(cut.num_utterances))
    return Results(stages.machine(), num_utterances, 0, cut.num_epochs, cut.is_quick)


def _measured(root: Path, stage: Stage, cut: Cut) -> Measured:
    found = stages.measure(stage, root)
    program, _, cell = stage.name.partition("@")
    if program != "train":
        return found
    return replace(found, epoch_s=results.epoch_s(Project(root), cell, cut.num_epochs))


if __name__ == "__main__":
    # Before anything imports torch.
    runtime.configure()
    raise SystemExit(main())
