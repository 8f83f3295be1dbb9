"""Stage compare: the cells' predictions -> reports/: table, figures, page."""

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ser import lineage, predictions, runtime
from ser.data import manifest
from ser.evaluation import figures, grid_table, report, summary
from ser.evaluation.grid_table import CellParams
from ser.evaluation.report import CellSection, Report
from ser.params import StageParams, read
from ser.tracking import cells


class Params(StageParams):
    """Sections read: cells."""

    cells: dict[str, CellParams]


def run(params: Params, *, runs: Path, data: Path, out: Path) -> None:
    """Score every cell of the grid from its predictions, and set them side by side."""
    speaker_of = {u.id: u.speaker for u in manifest.read(data / "manifest.jsonl")}
    card = json.loads((data / "corpus.json").read_text(encoding="utf-8"))
    split = json.loads((data / "split_report.json").read_text(encoding="utf-8"))
    folders = {(cell.model, cell.loss): runs / name for name, cell in params.cells.items()}
    records = {cell: cells.read(folder) for cell, folder in folders.items()}
    summaries = {
        cell: summary.summarise(
            predictions.read(folder / "predictions.parquet"),
            speaker_of,
            origin=summary.read_origin(folder / "metrics.json"),
        )
        for cell, folder in folders.items()
    }
    grid = grid_table.table(summaries)
    out.mkdir(parents=True, exist_ok=True)
    grid_table.write(out, grid)
    foot = report.foot(card, split)
    overview = figures.grid_intervals(
        grid, chance=1 / len(card["emotions"]), title="UAR of every cell", foot=foot
    )
    overview_png, _ = figures.save(overview, out / "figures" / "grid")
    sections = []
    for cell in zip(grid["model"], grid["loss"], strict=True):
        folder, name = folders[cell], "-".join(cell)
        shutil.copytree(folder / "figures", out / "figures" / name, dirs_exist_ok=True)
        cell_params = records[cell].cell.spec.params
        pictures = report.pictures(out / "figures" / name)
        sections.append(CellSection(name, summaries[cell], cell_params, pictures))
    best = grid["model"][0], grid["loss"][0]
    provenance = report.provenance(records[best].cell.spec.tags, _environment(folders[best]))
    page = report.render(Report(card, split, grid, overview_png, sections, provenance))
    (out / "index.html").write_text(page, encoding="utf-8")


def _environment(folder: Path) -> Mapping[str, Any]:
    """Return the machine and the versions that a cell was trained with."""
    text = (folder / lineage.RECORD).read_text(encoding="utf-8")
    environment: Mapping[str, Any] = json.loads(text)["environment"]
    return environment


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--runs", type=Path, required=True, help="folder of the cells' folders")
    parser.add_argument("--data", type=Path, required=True, help="folder of manifest and splits")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    options = parser.parse_args(argv)
    return runtime.run_main(
        lambda: run(
            read(options.params, Params), runs=options.runs, data=options.data, out=options.out
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
