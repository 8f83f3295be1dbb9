"""Stage compare: the cells' predictions -> reports/: table, figures, page."""

import argparse
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from ser import files, lineage, predictions, runtime
from ser.data import manifest
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import LineageError
from ser.evaluation import evidence, grid_table, summary
from ser.grid.params import CellParams
from ser.params import StageParams, read
from ser.report import page as pages
from ser.report import pictures, results
from ser.report import tuning as tuning_section
from ser.report.page import CellSection, Report
from ser.tracking import cells, mlflow_tracker

#: What is read of a cell's folder, beside run.json.
CELL_FILES = ("predictions.parquet", "metrics.json", lineage.RECORD, "figures")


class Params(StageParams):
    """Sections read: cells."""

    cells: dict[str, CellParams]


@dataclass(frozen=True, slots=True)
class Places:
    """Files and folders of the stage: tables, figures, and where the report goes."""

    runs: Path
    data: Path
    baselines: Path
    shortcut: Path
    tuning: Path
    tuning_figures: Path
    out: Path


def run(params: Params, places: Places) -> None:
    """Score every cell of the grid from its predictions, and set them side by side."""
    data, out = places.data, places.out
    folders = {(cell.model, cell.loss): places.runs / name for name, cell in params.cells.items()}
    records = {cell: cells.read(folder) for cell, folder in folders.items()}
    _require(folder / name for folder in folders.values() for name in CELL_FILES)
    _require([places.baselines, places.tuning])
    card = CorpusCard.read(data / "corpus.json")
    split = SplitReport.read(data / "split_report.json")
    shortcut = files.read_object(places.shortcut)
    tuning = tuning_section.read(places.tuning, data / "tuned.json", places.tuning_figures)
    utterances = manifest.read(data / "manifest.jsonl")
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    frames = {c: predictions.read(f / "predictions.parquet") for c, f in folders.items()}
    summaries = {
        cell: summary.summarise(
            frames[cell], speaker_of, origin=summary.read_origin(folder / "metrics.json")
        )
        for cell, folder in folders.items()
    }
    grid, baselines = grid_table.table(summaries), pd.read_csv(places.baselines)
    found = evidence.gather(frames, summaries, grid, utterances, card=card, split=split)
    out.mkdir(parents=True, exist_ok=True)
    grid_table.write(out, grid)
    evidence.write(out, found)
    results.write_origins(out, summaries)
    drawn = pictures.draw(out / "figures", folders, grid, baselines, found, card, split)
    sections = []
    for cell in zip(grid["model"], grid["loss"], strict=True):
        name, cell_params = "-".join(cell), records[cell].cell.spec.params
        shutil.copytree(folders[cell] / "figures", out / "figures" / name, dirs_exist_ok=True)
        shown = pages.pictures(out / "figures" / name)
        sections.append(CellSection(name, summaries[cell], cell_params, shown))
    best = grid["model"][0], grid["loss"][0]
    environment = lineage.Record.read(folders[best] / lineage.RECORD).environment
    provenance = pages.provenance(records[best].cell.spec.tags, environment)
    page = Report(
        card, split, grid, baselines, shortcut, found, *drawn, sections, provenance, tuning
    )
    (out / "index.html").write_text(pages.render(page), encoding="utf-8")
    results.track(out, records[best], mlflow_tracker.open_experiment)


def _require(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise LineageError(f"{path}: no such file; `dvc repro` makes it")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    for field in fields(Places):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=Path, required=True)
    options = vars(parser.parse_args(argv))
    params_file = options.pop("params")
    return runtime.run_main(lambda: run(read(params_file, Params), Places(**options)))


if __name__ == "__main__":
    raise SystemExit(main())
