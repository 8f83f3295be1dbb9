"""The finished comparison, for a terminal and for a Markdown page; no number by hand."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ser import files, lineage, provenance, tables
from ser.contracts import Experiment, RunSpec
from ser.data.card import CorpusCard
from ser.data.split_report import SplitReport
from ser.errors import LineageError
from ser.evaluation import grid_table, rating_comparison
from ser.evaluation.summary import CellSummary
from ser.grid import procedure
from ser.grid.procedure import Procedure
from ser.project import Project
from ser.report.footer import SYNTHETIC_NOTICE, footer_of
from ser.tracking import cells, provenances
from ser.tracking.cells import CellRecord
from ser.tracking.provenances import Whence


@dataclass(frozen=True, slots=True)
class Result:
    """What the last `dvc repro` came to.

    Args:
        grid: One row per cell, best first.
        baselines: One row per baseline outside the grid.
        origins: `<model>-<loss>` -> where the model's weights came from before training.
        procedures: `<model>-<loss>` -> how it was trained.
        card: The corpus card.
        split: The split report.
    """

    grid: pd.DataFrame
    baselines: pd.DataFrame
    origins: Mapping[str, str]
    procedures: Mapping[str, Procedure]
    card: CorpusCard
    split: SplitReport

    @property
    def name(self) -> str:
        """`<corpus>-<number of emotions>`, the name of its place in a page."""
        return f"{self.card.name}-{len(self.card.emotions)}"

    @property
    def weights(self) -> str:
        """Where the weights of each model came from, in one sentence."""
        of_model: dict[str, list[str]] = {}
        for model, loss in zip(self.grid["model"], self.grid["loss"], strict=True):
            origins = of_model.setdefault(model, [])
            if (origin := self.origins[f"{model}-{loss}"]) not in origins:
                origins.append(origin)
        return "; ".join(f"{model}: {', '.join(origins)}" for model, origins in of_model.items())


def read(project: Project) -> Result:
    """Read a finished comparison.

    Args:
        project: Where it is.

    Raises:
        FileError: A file is missing or damaged.
        LineageError: A file is of another comparison: it does not tell of all cells.
    """
    grid, origins = tables.read_csv(project.grid), files.read_object(project.origins)
    procedures = files.read_json(
        project.procedures,
        lambda content: {name: Procedure(**said) for name, said in content.items()},
        what="how the cells were trained",
    )
    _require_cells(project.origins, grid, origins)
    _require_cells(project.procedures, grid, procedures)
    return Result(
        grid,
        tables.read_csv(project.baselines),
        origins,
        procedures,
        CorpusCard.read(project.corpus_card),
        SplitReport.read(project.split_report),
    )


def _require_cells(path: Path, grid: pd.DataFrame, told: Mapping[str, object]) -> None:
    cells = [f"{model}-{loss}" for model, loss in zip(grid["model"], grid["loss"], strict=True)]
    if unknown := [cell for cell in cells if cell not in told]:
        raise LineageError(
            f"{path}: it is of another comparison, and does not tell of {', '.join(unknown)}; "
            f"run `dvc repro compare`"
        )


def write_origins(project: Project, summaries: Mapping[tuple[str, str], CellSummary]) -> None:
    """Write origins.json: where the weights of each cell came from, which no table says.

    Args:
        project: Where the comparison is.
        summaries: (model, loss) -> scores.
    """
    origins = {"-".join(cell): scores.origin for cell, scores in summaries.items()}
    files.write_json(project.origins, origins)


def write_procedures(project: Project, procedures: Mapping[str, Procedure]) -> None:
    """Write procedures.json: how each cell was trained, which no table says.

    Args:
        project: Where the comparison is.
        procedures: `<model>-<loss>` -> how it was trained.
    """
    content = {name: asdict(found) for name, found in procedures.items()}
    files.write_json(project.procedures, content)


def track(project: Project, best: CellRecord, open_: Callable[..., Experiment]) -> None:
    """Record the comparison as a run of its own, with page, tables and figures as artifacts.

    Args:
        project: Where the finished comparison is.
        best: The best cell, whose experiment and lineage the run takes over.
        open_: Opens an experiment, as `ser.tracking.mlflow_tracker.open_experiment`.

    Raises:
        TrackingError: The tracking store cannot be used.
    """
    run, said = _run_of(project, best), provenance.here(project.root).tags
    spec = provenances.described(run, said, provenances.lock_of(run.tags, project.root))
    _record(project, best, _experiment_of(best, open_), spec)


def is_recorded(project: Project, open_: Callable[..., Experiment]) -> bool:
    """Return whether the tracker has the run of the comparison that is there.

    Args:
        project: Where the finished comparison is.
        open_: See `track`.

    Raises:
        FileError: A table or the best cell's record is missing or damaged.
        TrackingError: The tracking store cannot be used.
    """
    best = _best(project)
    return _experiment_of(best, open_).is_finished(_run_of(project, best).run_key)


def restore(project: Project, open_: Callable[..., Experiment]) -> None:
    """Record the comparison that is there again, as `track` did.

    Args:
        project: Where it is; it is of the cells in `runs/`.
        open_: See `track`.

    Raises:
        FileError, TrackingError: See `is_recorded`.
    """
    best = _best(project)
    whence = Whence(project, project.page)
    spec = cells.restored(whence.described(_run_of(project, best), keys=()))
    _record(project, best, _experiment_of(best, open_), spec)


def _best(project: Project) -> CellRecord:
    first = tables.read_csv(project.grid).iloc[0]
    return cells.read(project.run(f"{first['model']}-{first['loss']}"))


def _experiment_of(best: CellRecord, open_: Callable[..., Experiment]) -> Experiment:
    return open_(
        f"{best.experiment}/report",
        note=f"One run per state of the comparison of `{best.experiment}`.",
        # No cell is in it, so it has no leaderboard.
        tags={k: v for k, v in best.experiment_tags.items() if k != "ser.headline"},
    )


def _run_of(project: Project, best: CellRecord) -> RunSpec:
    digest = lineage.sha256_file(project.page)
    kept = (
        "ser.corpus",
        "ser.protocol",
        "ser.synthetic",
        "ser.refit",
        "ser.transductive",
        "ser.targets",
        "ser.manifest_sha256",
        "ser.upstream_stages",
    )
    shared = best.cell.spec.tags
    return RunSpec(
        name="comparison",
        run_key=digest[:32],
        tags={**{key: shared[key] for key in kept if key in shared}, "ser.report_sha256": digest},
        params={"best": best.cell.spec.name},
        note="The report of the comparison: open the artifact `index.html`.",
    )


def _record(
    project: Project,
    best: CellRecord,
    experiment: Experiment,
    spec: RunSpec,
) -> None:
    with experiment.run(spec) as tracker:
        headlines = ("test/uar", "test/ccc")  # a cell has one of them
        scores = best.cell.scores
        tracker.log_metrics({name: scores[name] for name in headlines if name in scores})
        for path in (project.page, project.tuning_page, *sorted(project.reports.glob("*.csv"))):
            tracker.log_artifact(path)
        # Those of all cells together; a cell's own are kept with its runs.
        for path in sorted(project.figures.glob("*.png")):
            tracker.log_artifact(path, folder="figures")


def methods(project: Project) -> str:
    """Return the paragraph for a paper, and the commit that first recorded it, if one did.

    Args:
        project: Where the finished comparison is, which is the same in every clone and says none.

    Raises:
        FileError: There is no comparison.
        ParamsError: dvc.lock is not YAML.
    """
    path = project.breakdown("methods")
    said, commit = files.read_text(path).rstrip(), provenance.recorded_by(project.root, path)
    return said if commit == lineage.NONE else f"{said} Recorded by commit {commit[:12]}."


def as_text(result: Result) -> str:
    """Return the table for a terminal, headed by corpus and protocol, the baselines below it."""
    below = result.baselines.assign(
        model="baseline", loss=result.baselines["name"], tied_with_best=False
    )
    as_table = grid_table.as_text if result.card.emotions else rating_comparison.as_text
    lines = [
        footer_of(result.card, result.split),
        *_notices(result),
        as_table(pd.concat([result.grid, below], ignore_index=True)),
        f"weights before training: {result.weights}",
    ]
    if result.card.synthetic:
        lines.append(SYNTHETIC_NOTICE)
    return "\n".join(lines)


def as_markdown(result: Result, *, today: datetime.date, preset: str) -> str:
    """Return the table for a page, with the date and the command that made it.

    Args:
        result: The comparison.
        today: When it was written.
        preset: Name of the preset that made it.
    """
    card, split = result.card, result.split
    lines = [
        f"{footer_of(card, split)}: {card.num_used} utterances, {card.num_speakers} speakers, "
        f"{_learnt(card)}, {len(split.folds)} folds",
        "",
        *(line for said in _notices(result) for line in (f"**{said}**", "")),
        *(_CLASS_HEADER if card.emotions else _RATING_HEADER),
    ]
    lines += [
        f"| {_named(result, row)} | {_scores(row)} | {row['num_seeds']} |"
        for row in result.grid.to_dict("records")
    ]
    baselines = result.baselines.to_dict("records")
    lines += [f"| *baseline* | *{row['name']}* | {_scores(row)} | |" for row in baselines]
    lines += ["", f"Weights before training: {result.weights}. Baselines:"]
    lines[-1] += (
        " " + "; ".join(f"*{row['name']}*, {row['description']}" for row in baselines) + "."
    )
    command = f"make use PRESET={preset} && make repro && .venv/bin/ser results --into README.md"
    lines += ["", f"Written on {today.isoformat()} by `{command}`."]
    if card.synthetic:
        lines += ["", SYNTHETIC_NOTICE]
    return "\n".join(lines)


_CLASS_HEADER = (
    "| model | loss | UAR % (95 % interval) | WA % (95 % interval) | macro-F1 % | seeds |",
    "|---|---|---|---|---|---|",
)
_RATING_HEADER = (
    "| model | loss | mean CCC (95 % interval) | mean MAE (95 % interval) | seeds |",
    "|---|---|---|---|---|",
)


def _learnt(card: CorpusCard) -> str:
    if card.emotions:
        return f"{len(card.emotions)} emotions ({', '.join(card.emotions)})"
    return f"ratings of {', '.join(card.rated)}"


def _notices(result: Result) -> list[str]:
    """Return what is not as usual in how cells were trained, in the order of the table."""
    names = [f"{row['model']}-{row['loss']}" for row in result.grid.to_dict("records")]
    return procedure.notices({name: result.procedures[name] for name in names})


def _named(result: Result, row: Mapping[Any, Any]) -> str:
    """Return model and loss as two columns of a row, the words that mark the cell in brackets."""
    words = ", ".join(result.procedures[f"{row['model']}-{row['loss']}"].remarks)
    return f"{row['model']} | {row['loss']}{f' ({words})' if words else ''}"


def _scores(row: Mapping[Any, Any]) -> str:
    """Return UAR, WA and macro-F1 as three columns of a row, in percent; or CCC and MAE as two."""
    if "ccc" in row:
        return " | ".join(
            f"{row[name]:.3f} ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
            for name in ("ccc", "mae")
        )
    uar, wa = (
        f"{100 * row[name]:.1f} ({100 * row[f'{name}_low']:.1f} to {100 * row[f'{name}_high']:.1f})"
        for name in ("uar", "wa")
    )
    return f"{uar} | {wa} | {100 * row['macro_f1']:.1f}"


def write_into(page: Path, result: Result, project: Project) -> None:
    """Replace a table between its markers in a Markdown page.

    Args:
        page: The page; holds `<!-- results:<name> -->` and `<!-- /results -->`.
        result: The comparison.
        project: Its preset that is equal to its params.yaml is named in the command.

    Raises:
        LineageError: The page or the marker is missing.
    """
    start, end = f"<!-- results:{result.name} -->", "<!-- /results -->"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    before, marker, rest = text.partition(start)
    _, closing, after = rest.partition(end)
    if not marker or not closing:
        raise LineageError(f"{page}: no place for the table; it needs the lines {start} and {end}")
    preset = _preset(project)
    table = as_markdown(result, today=datetime.datetime.now().astimezone().date(), preset=preset)
    files.write_text(page, f"{before}{start}\n{table}\n{end}{after}")


def _preset(project: Project) -> str:
    """Return the name of the preset that params.yaml is a copy of."""
    params = project.params
    for preset in sorted(project.presets.glob("*.yaml")):
        if params.is_file() and preset.read_bytes() == params.read_bytes():
            return preset.stem
    raise LineageError(
        f"{params}: is no preset of {project.presets}, so no command can be named that makes this "
        f"table again; save it there as a preset, or `make use PRESET=<name>` and `make repro`"
    )
