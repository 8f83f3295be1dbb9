"""Which temperature to fit on a dev part: `python -m benchmarks.temperature [FILE ...]`.

Candidates are fitted on parts that are simulated with a known temperature, or on the dev rows
of `runs/<cell>/predictions.parquet`, and judged by what the other rows are then worth. The
tables of docs/decisions/0013-temperature.md come from here. No time is measured.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ser import metrics, predictions
from ser.evaluation import calibration

Table = NDArray[np.float64]
Labels = NDArray[np.int64]
#: Truth and log-probabilities of a part -> temperature.
Fit = Callable[[Labels, Table], float]
#: Inverse temperature and log-probabilities of a part -> nats.
Penalty = Callable[[float, Table], float]

_NUM_CLASSES = 4
_CONFIDENCES = (0.6, 0.8, 0.9, 0.97, 0.99)
_TEMPERATURES = (0.5, 1.0, 2.0, 4.0)
_SIZES = (60, 200, 1000)
_NUM_TEST = 5000


def _fit(penalty: Penalty, *, low: float = 1e-3, high: float = 1e3) -> Fit:
    def fit(truth: Labels, table: Table) -> float:
        def cost(log_temperature: float) -> float:
            inverse = float(np.exp(-log_temperature))
            likelihood = log_softmax(inverse * table, axis=1)[np.arange(len(truth)), truth].sum()
            return float(penalty(inverse, table) - likelihood)

        bounds = (np.log(low), np.log(high))
        found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-5})
        return float(np.exp(found.x))

    return fit


def _gamma(nats: float) -> Fit:
    return _fit(lambda inverse, _: nats * float(inverse - 1 - np.log(inverse)))


def _log_normal(deviation: float) -> Fit:
    return _fit(lambda inverse, _: float(np.log(inverse) ** 2 / (2 * deviation**2)))


def _pseudo_labels(num_per_class: float) -> Fit:
    """So many utterances more of every class, each as sure as the part is in the mean."""

    def penalty(inverse: float, table: Table) -> float:
        return -num_per_class * float(log_softmax(inverse * table, axis=1).mean(axis=0).sum())

    return _fit(penalty)


def _own_words(num_utterances: float) -> Fit:
    """So many utterances more, about which the model was as right as it says."""

    def penalty(inverse: float, table: Table) -> float:
        said = (np.exp(table) * log_softmax(inverse * table, axis=1)).sum(axis=1)
        return -num_utterances * float(said.mean())

    return _fit(penalty)


_ALONE = _fit(lambda *_: 0.0, low=0.05, high=20.0)
_CHOSEN: Fit = lambda truth, table: calibration.fit_temperature(  # noqa: E731
    truth=truth, probabilities=np.exp(table)
)

CANDIDATES: dict[str, Fit] = {
    "none (T = 1)": lambda *_: 1.0,
    "likelihood alone, T in [0.05, 20]": _ALONE,
    "the same, cut to [1/3, 3]": lambda *part: float(np.clip(_ALONE(*part), 1 / 3, 3)),
    "one pseudo-label per class": _pseudo_labels(1.0),
    "a quarter of one per class": _pseudo_labels(0.25),
    "its own words, 20 utterances": _own_words(20.0),
    "log-normal prior, deviation 1": _log_normal(1.0),
    "log-normal prior, deviation 0.5": _log_normal(0.5),
    "gamma prior, 1 nat": _gamma(1.0),
    "gamma prior, 2 nats (chosen)": _CHOSEN,
    "gamma prior, 4 nats": _gamma(4.0),
    "gamma prior, 8 nats": _gamma(8.0),
}
#: Those that are also fitted on the dev parts of all folds together.
_TOGETHER = ("likelihood alone, T in [0.05, 20]", "gamma prior, 2 nats (chosen)")


def draw(
    rng: np.random.Generator, size: int, *, sureness: float, temperature: float
) -> tuple[Labels, Table]:
    """Return labels drawn from honest probabilities, and what a model says instead.

    Args:
        rng: Where chance comes from.
        size: Number of utterances.
        sureness: Factor on the honest logits; see `sureness_for`.
        temperature: Which makes what the model says honest.

    Returns:
        Class indices `(size,)`; log-probabilities `(size, 4)`.
    """
    logits = rng.normal(size=(size, _NUM_CLASSES))
    logits[np.arange(size), rng.integers(_NUM_CLASSES, size=size)] += 2.0
    logits *= sureness
    steps = softmax(logits, axis=1).cumsum(axis=1)
    truth = np.minimum((rng.uniform(size=(size, 1)) > steps).sum(axis=1), _NUM_CLASSES - 1)
    return truth, log_softmax(logits * temperature, axis=1)


def sureness_for(confidence: float) -> float:
    """Return the factor that gives honest models this mean confidence, and so this accuracy."""
    low, high = 0.05, 20.0
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        _, table = draw(np.random.default_rng(0), 20_000, sureness=middle, temperature=1.0)
        is_below = np.exp(table).max(axis=1).mean() < confidence
        low, high = (middle, high) if is_below else (low, middle)
    return low


def simulate(repeats: int) -> pd.DataFrame:
    """Return one row per simulated dev part and candidate.

    Args:
        repeats: Dev parts per sureness, temperature and size.

    Returns:
        `size, has_mistake, candidate, temperature, ratio, excess_nll, ece`: the ratio to
        the true temperature; NLL above that of the true temperature, on other utterances.
    """
    rows = []
    for confidence in _CONFIDENCES:
        sureness = sureness_for(confidence)
        for true in _TEMPERATURES:
            options = {"sureness": sureness, "temperature": true}
            truth, table = draw(np.random.default_rng(1), _NUM_TEST, **options)
            least = _scores(truth, table, true)[0]
            for size in _SIZES:
                rng = np.random.default_rng([size, int(1000 * confidence), int(10 * true)])
                for _ in range(repeats):
                    dev = draw(rng, size, **options)
                    has_mistake = bool((dev[1].argmax(axis=1) != dev[0]).any())
                    for name, fit in CANDIDATES.items():
                        found = fit(*dev)
                        nll, ece = _scores(truth, table, found)
                        row = (size, has_mistake, name, found, found / true, nll - least, ece)
                        rows.append(row)
    names = ("size", "has_mistake", "candidate", "temperature", "ratio", "excess_nll", "ece")
    return pd.DataFrame(rows, columns=names)


def _scores(truth: Labels, table: Table, temperature: float) -> tuple[float, float]:
    pair = {"truth": truth, "probabilities": softmax(table / temperature, axis=1)}
    return metrics.nll(**pair), metrics.ece(**pair)


def summarise(simulated: pd.DataFrame) -> pd.DataFrame:
    """Return one row per candidate: ordinary parts by size, parts without a mistake."""
    ordinary = simulated[simulated["has_mistake"]]
    clean = simulated[~simulated["has_mistake"]]
    columns = {
        f"NLL, {size}": ordinary[ordinary["size"] == size].groupby("candidate")["excess_nll"].mean()
        for size in _SIZES
    }
    columns = {name: 1000 * values for name, values in columns.items()}
    columns["ECE %"] = 100 * ordinary.groupby("candidate")["ece"].mean()
    columns["NLL, no mistake"] = 1000 * clean.groupby("candidate")["excess_nll"].mean()
    columns["ECE %, no mistake"] = 100 * clean.groupby("candidate")["ece"].mean()
    columns["lowest T"] = simulated.groupby("candidate")["temperature"].min()
    columns["highest T"] = simulated.groupby("candidate")["temperature"].max()
    return pd.DataFrame(columns).reindex(list(CANDIDATES))


def of_cells(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return one row per candidate: test rows of cells, scored over folds; means over cells.

    Args:
        frames: Predictions of a cell each, all folds and seeds, dev and test parts.

    Returns:
        NLL, ECE in percent, lowest and highest temperature of a fold. `all folds`: fitted on
        the dev parts of all folds, without the utterances that the fold tests.
    """
    rows = [row for frame in frames for _, run in frame.groupby("seed") for row in _of_run(run)]
    found = pd.DataFrame(rows, columns=("candidate", "NLL", "ECE %", "lowest T", "highest T"))
    how = {"NLL": "mean", "ECE %": "mean", "lowest T": "min", "highest T": "max"}
    return found.groupby("candidate", sort=False).agg(how)


def _of_run(run: pd.DataFrame) -> Iterator[tuple[str, float, float, float, float]]:
    """Yield the scores of one seed of one cell, candidate by candidate."""
    is_dev = run["part"] == "dev"
    tests = dict(iter(run[run["part"] == "test"].groupby("fold")))
    own = {fold: run[is_dev & (run["fold"] == fold)] for fold in tests}
    together = {
        fold: run[is_dev & ~run["utterance_id"].isin(rows["utterance_id"])]
        for fold, rows in tests.items()
    }
    choices = [(name, name, own) for name in CANDIDATES]
    choices += [(f"{name}, all folds", name, together) for name in _TOGETHER]
    truth = np.concatenate([_part(rows)[0] for rows in tests.values()])
    for title, name, devs in choices:
        found = {fold: CANDIDATES[name](*_part(devs[fold])) for fold in tests}
        scaled = [_part(rows)[1] / found[fold] for fold, rows in tests.items()]
        nll, ece = _scores(truth, np.concatenate(scaled), 1.0)
        yield title, nll, 100 * ece, min(found.values()), max(found.values())


def _part(rows: pd.DataFrame) -> tuple[Labels, Table]:
    emotions = predictions.emotions_of(rows)
    table = calibration.log_probabilities(predictions.probabilities_of(rows))
    return predictions.label_ids(rows["truth"], emotions), table


def as_markdown(table: pd.DataFrame, *, digits: int) -> str:
    """Return a table for a decision page."""
    lines = ["| fitted by |" + "".join(f" {name} |" for name in table.columns)]
    lines.append("|---|" + "---|" * len(table.columns))
    for name, row in table.iterrows():
        cells = (f" {'' if np.isnan(value) else format(value, f'.{digits}f')} |" for value in row)
        lines.append(f"| {name} |" + "".join(cells))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.temperature", description=__doc__)
    parser.add_argument(
        "predictions", nargs="*", type=Path, help="predictions.parquet of cells; none: simulate"
    )
    parser.add_argument(
        "--repeats", type=int, default=40, help="simulated dev parts of each kind (default 40)"
    )
    options = parser.parse_args(argv)
    if options.predictions:
        found = of_cells([predictions.read(path) for path in options.predictions])
        print(f"{len(options.predictions)} cells\n\n{as_markdown(found, digits=3)}")
        return 0
    simulated = simulate(options.repeats)
    parts = simulated[simulated["candidate"] == next(iter(CANDIDATES))]
    num_clean = int((~parts["has_mistake"]).sum())
    print(f"{len(parts)} dev parts, {num_clean} of them without a mistake; NLL in thousandths of a")
    print("nat above that of the true temperature, on other utterances\n")
    print(as_markdown(summarise(simulated), digits=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
