"""The command that looks for drift: is a model asked what it was made for?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser.cli import outputs, serving

if TYPE_CHECKING:
    import pandas as pd

    from ser.monitoring.drift import Drift
    from ser.registry.bundle import Bundle
    from ser.report import drift as report

#: Exit status with --fail-on-drift; 1 and 2 are taken.
DRIFT = 3

#: The title of a page stands in so many bytes.
_HEAD_BYTES = 1024


def monitor(
    source: Annotated[
        Path,
        typer.Argument(help="A folder or CSV of recordings, or what `ser serve --log` wrote."),
    ],
    model: Annotated[str | None, serving.MODEL] = None,
    speakers: Annotated[
        int, typer.Option(min=1, help="At least so many people are heard; 1 is most careful.")
    ] = 1,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Write the result to this file; - shows it.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write an HTML page with pictures.")] = None,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit status 3 if anything has moved.")
    ] = False,
) -> None:
    """Say whether recordings or answers differ from what the model was tested on.

    All comparisons together raise a false alarm in at most 5 of 100 cases. Exit status 0,
    with drift or without, unless --fail-on-drift is given.

    Example: ser monitor recordings --page drift.html
    """
    import tempfile

    from ser.monitoring import drift
    from ser.registry import bundle as bundles
    from ser.report import drift as report

    _require_outputs(source, as_json, page)
    with tempfile.TemporaryDirectory() as scratch:
        uri, folder = serving.fetch(model, Path(scratch))
        bundle = bundles.read(folder)
        reference = bundles.read_drift_reference(folder)
        heard = _heard(source, bundle, folder)
    found = drift.compare(reference, heard, num_speakers=speakers)
    shown = report.Shown(found, reference, heard, uri, bundle.corpus.name, bundle.is_synthetic)
    _write(found, shown, as_json, page)
    if fail_on_drift and found.moved:
        raise typer.Exit(DRIFT)


def _require_outputs(source: Path, as_json: Path | None, page: Path | None) -> None:
    """Refuse what could not be written, before hours of recordings are heard."""
    for out, is_ours in ((as_json, _is_result), (page, _is_page)):
        if out is not None and out != Path("-"):
            outputs.require_file(out, is_ours=is_ours, read=[source])


def _is_result(path: Path) -> bool:
    """Return whether a file is empty, or a result that was written before."""
    from ser import files
    from ser.errors import FileError

    try:
        return not path.stat().st_size or "findings" in files.read_object(path)
    except FileError:
        return False


def _is_page(path: Path) -> bool:
    """Return whether a file is empty, or a page that was written before."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return not head or b"<title>Drift: " in head


def _heard(source: Path, bundle: "Bundle", folder: Path) -> "pd.DataFrame":
    """Return what was heard: of recordings, or of the lines of a log."""
    if not source.is_dir() and source.suffix.lower() != ".csv":
        from ser.serving import request_log

        table, num_others = request_log.read(source, bundle_sha256=bundle.sha256)
        if num_others:
            typer.echo(f"{source}: {num_others} lines of other versions are left out", err=True)
        return table
    import pandas as pd
    from tqdm import tqdm

    from ser.errors import MonitoringError
    from ser.serving import many_recordings, observing
    from ser.serving.predictor import Predictor

    rows, refused = observing.observe_all(
        many_recordings.find(source),
        Predictor.load(folder),
        progress=lambda items: tqdm(items, unit="recording"),
    )
    for _, reason in refused:
        typer.echo(f"left out: {reason}", err=True)
    if not rows:
        raise MonitoringError(f"{source}: none of {len(refused)} recordings can be used")
    return pd.DataFrame(rows)


def _write(found: "Drift", shown: "report.Shown", as_json: Path | None, page: Path | None) -> None:
    from ser import files
    from ser.report import drift as report

    if as_json == Path("-"):
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        typer.echo(report.as_text(shown))
        if as_json is not None:
            files.write_json(as_json, found.to_json())
    if page is not None:
        files.write_text(page, report.render(shown))
