"""Measure speed as ratios: `python -m benchmarks [--only NAME ...] [--quick] [--out FILE]`."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.measurement import Measurement
from ser import components, runtime
from ser.errors import SerError

_CASES = "benchmarks.cases"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    options = _parser().parse_args(argv)
    return runtime.run_main(lambda: _show(options) if options.markdown else _measure(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"of: {', '.join(components.names(_CASES))}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="little data, few repeats: tests the benchmarks"
    )
    parser.add_argument("--out", type=Path, default=Path("reports/bench.json"))
    parser.add_argument(
        "--markdown", action="store_true", help="print the saved table; measure nothing"
    )
    return parser


def _show(options: argparse.Namespace) -> None:
    print(report.markdown(report.read(options.out)))


def _measure(options: argparse.Namespace) -> int:
    """Run the cases; a case that fails is named and the others still run."""
    # NumPy's matrix products, in the alternatives, keep to the threads that we count.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    cases = {
        name: components.load_module(_CASES, name)
        for name in options.only or components.names(_CASES)
    }
    # Imported late: it brings NumPy, which reads the environment once.
    from benchmarks import recordings

    print(f"data: {recordings.load(quick=options.quick).description}")
    measurements: list[Measurement] = []
    failures: list[str] = []
    for name, case in cases.items():
        start = time.perf_counter()
        try:
            found = case.run(options.quick)
        except SerError as error:
            failures.append(f"{name}: {error}")
            continue
        measurements += found
        taken = time.perf_counter() - start
        said = f"{len(found)} measurements in {taken:.1f} s" if found else "not on this machine"
        sys.stderr.write(f"{name}: {said}\n")
    report.write(options.out, measurements)
    print("A ratio above 1 says that ours is better.\n")
    print(report.markdown([measurement.row() for measurement in measurements]))
    for failure in failures:
        sys.stderr.write(f"error: {failure}\n")
    return runtime.FAILED if failures else 0


if __name__ == "__main__":
    # Before anything imports torch.
    runtime.configure()
    raise SystemExit(main())
