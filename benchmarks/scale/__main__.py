"""Time, memory and disk of every stage on a growing corpus.

`python -m benchmarks.scale [--into docs/benchmarks.md]` writes corpora of 1,000, 10,000 and
100,000 utterances of noise, and runs the stages on each: one feature, two small cells, three folds,
one epoch. Each stage is a process of its own. What is learnt says nothing; how time and memory grow
does.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import metering, pages, stages
from benchmarks.scale import project, results
from benchmarks.scale.results import Results
from benchmarks.stages import Measured
from ser import runtime
from ser.errors import ParamsError

_MARKERS = ("<!-- scale: begin -->", "<!-- scale: end -->")
_SIZES = (1_000, 10_000, 100_000)
_QUICK_SIZES = (200,)
_LEAST = 200


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    options = _parser().parse_args(argv)
    return runtime.run_main(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    add = parser.add_argument
    add("--utterances", type=int, nargs="+", metavar="N", help="sizes of the corpus, ascending")
    add("--quick", action="store_true", help="200 utterances: tries the program, measures nothing")
    pages.add_options(parser, Path("reports/scale.json"))
    return parser


def _run(options: argparse.Namespace) -> None:
    found = Results.read(options.out) if options.show else _measure(options)
    pages.publish(results.as_markdown(found), options.into, _MARKERS, is_quick=found.is_quick)


def _measure(options: argparse.Namespace) -> Results:
    sizes = tuple(options.utterances or (_QUICK_SIZES if options.quick else _SIZES))
    if min(sizes) < _LEAST or list(sizes) != sorted(set(sizes)):
        raise ParamsError(
            f"--utterances {' '.join(map(str, sizes))}: expected ascending numbers, each at least "
            f"{_LEAST}"
        )
    if not metering.is_measurable():
        raise ParamsError("this system does not say what a process holds; Linux does")
    found = Results(stages.machine(), options.quick)
    for size in sizes:
        for name, one in _of_size(size):
            found.sizes.setdefault(size, {})[name] = one
            found.write(options.out.absolute())
    return found


def _of_size(num_utterances: int) -> Iterator[tuple[str, Measured]]:
    """Yield each stage by name with what it took, as soon as it has ended."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        stages.say(f"{num_utterances} utterances: writing recordings")
        project.make(Path(folder), num_utterances)
        for stage in project.stages():
            one = stages.measure(stage, Path(folder))
            stages.say(f"{stage.name}: {one.taken.cpu_s:.1f} s, {one.taken.anonymous / 1e9:.2f} GB")
            yield stage.name, one


if __name__ == "__main__":
    # Before anything imports torch.
    runtime.configure()
    raise SystemExit(main())
