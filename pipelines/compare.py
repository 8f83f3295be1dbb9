"""Stage compare: the cells' predictions -> reports/: table, figures, page."""

import argparse
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ser import lineage, predictions, runtime
from ser.data import manifest
from ser.errors import LineageError
from ser.evaluation import evidence, grid_table, pictures, publication, report, summary
from ser.evaluation.grid_table import CellParams
from ser.evaluation.report import CellSection, Report
from ser.params import StageParams, read
from ser.tracking import cells, mlflow_tracker

#: What is read of a cell's folder, beside run.json.
CELL_FILES = ("predictions.parquet", "metrics.json", lineage.RECORD, "figures")


class Params(StageParams):
    """Sections read: cells."""

    cells: dict[str, CellParams]


def run(
    params: Params, *, runs: Path, data: Path, floor_file: Path, shortcut_file: Path, out: Path
) -> None:
    """Score every cell of the grid from its predictions, and set them side by side."""
    folders = {(cell.model, cell.loss): runs / name for name, cell in params.cells.items()}
    records = {cell: cells.read(folder) for cell, folder in folders.items()}
    _require([folder / name for folder in folders.values() for name in CELL_FILES] + [floor_file])
    json_files = (data / "corpus.json", data / "split_report.json", shortcut_file)
    card, split, shortcut = map(_read_json, json_files)
    utterances = manifest.read(data / "manifest.jsonl")
    speaker_of = {utterance.id: utterance.speaker for utterance in utterances}
    frames = {c: predictions.read(f / "predictions.parquet") for c, f in folders.items()}
    summaries = {
        cell: summary.summarise(
            frames[cell], speaker_of, origin=summary.read_origin(folder / "metrics.json")
        )
        for cell, folder in folders.items()
    }
    grid, floor = grid_table.table(summaries), pd.read_csv(floor_file)
    found = evidence.gather(frames, summaries, grid, utterances, card=card, split=split)
    out.mkdir(parents=True, exist_ok=True)
    grid_table.write(out, grid)
    evidence.write(out, found)
    publication.write_origins(out, summaries)
    drawn = pictures.draw(out / "figures", folders, grid, floor, found, card, split)
    sections = []
    for cell in zip(grid["model"], grid["loss"], strict=True):
        name, cell_params = "-".join(cell), records[cell].cell.spec.params
        shutil.copytree(folders[cell] / "figures", out / "figures" / name, dirs_exist_ok=True)
        shown = report.pictures(out / "figures" / name)
        sections.append(CellSection(name, summaries[cell], cell_params, shown))
    best = grid["model"][0], grid["loss"][0]
    environment = _read_json(folders[best] / lineage.RECORD)["environment"]
    provenance = report.provenance(records[best].cell.spec.tags, environment)
    page = Report(card, split, grid, floor, shortcut, found, *drawn, sections, provenance)
    (out / "index.html").write_text(report.render(page), encoding="utf-8")
    publication.track(out, records[best], mlflow_tracker.open_experiment)


def _require(paths: Iterable[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise LineageError(f"{path}: no such file; `dvc repro` makes it")


def _read_json(path: Path) -> dict[str, Any]:
    _require([path])
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LineageError(f"{path}: not JSON: {error}; `dvc repro` makes it anew") from error
    return content


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--runs", type=Path, required=True, help="folder of the cells' folders")
    parser.add_argument("--data", type=Path, required=True, help="folder of manifest and splits")
    parser.add_argument("--floor", type=Path, required=True, help="table of the floor")
    parser.add_argument("--shortcut", type=Path, required=True, help="what scripted gives away")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    options = parser.parse_args(argv)
    return runtime.run_main(
        lambda: run(
            read(options.params, Params),
            runs=options.runs,
            data=options.data,
            floor_file=options.floor,
            shortcut_file=options.shortcut,
            out=options.out,
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
