"""Commands that answer: what emotion is in a recording?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser import runtime
from ser.cli import outputs, ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ser.progress import Progress
    from ser.serving.segments import SegmentParams

MODEL = typer.Option(
    "--model",
    help="MLflow's address, or the folder of an exported bundle; default: the champion of "
    "params.yaml's corpus, classes and protocol.",
)
REGISTERED = typer.Option(
    "--model",
    help="MLflow's address; default: the champion of params.yaml's corpus, classes and protocol.",
)

#: Files of which an export has one: of `bundle` and of `onnx`.
_EXPORTED = ("bundle.json", "model.onnx")


def predict(
    recordings: Annotated[list[Path], typer.Argument(help="WAV, FLAC, OGG or MP3 files.")],
    model: Annotated[str | None, MODEL] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="As --format json: one JSON object per recording.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="text, csv, json, rttm or audacity; default: by the ending of --out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .json, .jsonl or .rttm.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the emotions over time: .png or .svg.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Of segments, NAME=SECONDS: window_s, hop_s, switch_cost, ... Repeatable."
        ),
    ] = None,
) -> None:
    """Say which emotion is heard in recordings, with probabilities.

    A long recording is divided into segments: one emotion each, none, or no speech. It may last for
    hours; it is read as it is heard. Exit status 1 if a recording cannot be used; the others are
    answered all the same.

    Example: ser predict talk.wav --out talk.rttm --figure talk.png
    """
    import tempfile

    with runtime.importing():
        from ser.errors import AudioInputError
        from ser.registry.identity import identity_of, registered_as
        from ser.serving import long_recordings, segment_formats
        from ser.serving.predictor import Predictor
        from ser.serving.sound import LongFile

    format_ = segment_formats.format_of(
        _one_format(format_, as_json=as_json), out, num_recordings=len(recordings)
    )
    params = _segment_params(settings or [])
    if figure is not None:
        long_recordings.require_figure(figure, recordings)
        outputs.require_file(figure, is_ours=long_recordings.is_figure, read=recordings)
    if out is not None:
        outputs.require_file(out, is_ours=segment_formats.is_ours, read=recordings)
    refused: list[str] = []
    answered: list[segment_formats.Described] = []
    with tempfile.TemporaryDirectory() as folder:
        uri, bundle = fetch(model, Path(folder))
        predictor = Predictor.load(bundle)
        who = identity_of(predictor.bundle, registered_as(bundle))
        for path in recordings:
            try:
                sound = LongFile(path, predictor.limits)
                heard = long_recordings.hear(predictor, sound, params, progress=_bars(path))
            except AudioInputError as error:
                refused.append(str(error))
                typer.echo(f"error: {error}", err=True)
                continue
            found = segment_formats.Described(
                str(path), uri, who, heard.prediction, heard.segmentation.segments
            )
            if out is None:
                typer.echo(segment_formats.written([found], format_, headed=not answered), nl=False)
            if figure is not None:
                long_recordings.draw(heard, figure, source=str(path), answered_by=who)
                typer.echo(f"{figure}: emotions over time", err=True)
            answered.append(found)
    if out is not None and answered:
        outputs.write(out, segment_formats.written(answered, format_))
        typer.echo(f"{out}: segments of {len(answered)} recordings, as {format_}")
    if refused:
        raise AudioInputError(f"{len(refused)} of {len(recordings)} files cannot be used")


def _one_format(format_: str | None, *, as_json: bool) -> str | None:
    """Return the format that is named; `--json` is one, too."""
    from ser.errors import AudioInputError

    if as_json and format_ not in (None, "json"):
        raise AudioInputError(f"--json and --format {format_} are two formats; give one")
    return "json" if as_json else format_


def _segment_params(settings: "Sequence[str]") -> "SegmentParams":
    """Return what is asked for as NAME=VALUE, and the defaults of what is not."""
    from ser.params import parse
    from ser.serving.segments import SegmentParams

    given = dict(setting.partition("=")[::2] for setting in settings)
    return parse(given, SegmentParams, where="--set")


def _bars(path: Path) -> "Callable[[str], Progress]":
    """Return what shows how far a recording is heard, on a terminal, once it takes a while."""
    from functools import partial

    from tqdm import tqdm

    units = {"listening": "block"}

    def bar(step: str) -> "Progress":
        unit = units.get(step, "window")
        return partial(
            tqdm, desc=f"{path.name}: {step}", unit=unit, delay=2.0, disable=None, leave=False
        )

    return bar


def predict_batch(
    source: Annotated[
        Path, typer.Argument(help="A folder with recordings, or a CSV with a column `path`.")
    ],
    out: Annotated[Path, typer.Option(help="Table to write: .parquet, .csv or .jsonl.")],
    model: Annotated[str | None, MODEL] = None,
) -> None:
    """Answer for every recording of a folder or table, into one table.

    An interrupted batch goes on where it was. A recording that cannot be used has its
    reason in the column `error`; nothing is left out but hidden files, which are counted.

    Example: ser predict-batch recordings --out answers.parquet
    """
    import tempfile

    from tqdm import tqdm

    with runtime.importing():
        from ser.registry.identity import registered_as
        from ser.serving import answer_tables, many_recordings
        from ser.serving.predictor import Predictor

    answer_tables.require_ending(out)
    outputs.require_file(out, is_ours=many_recordings.is_answers, read=[source])
    paths = many_recordings.find(source)
    with tempfile.TemporaryDirectory() as folder:
        uri, bundle = fetch(model, Path(folder))
        table = many_recordings.predict(
            paths,
            Predictor.load(bundle),
            out=out,
            model=uri,
            registered=registered_as(bundle),
            progress=lambda items: tqdm(items, unit="recording"),
        )
    num_refused = int(table["error"].notna().sum())
    typer.echo(f"{out}: {len(table)} recordings, {num_refused} of them cannot be used")


def serve(
    model: Annotated[str | None, REGISTERED] = None,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5050,
    log: Annotated[
        Path | None, typer.Option(help="Append a JSON line per answer, for `ser monitor`.")
    ] = None,
    max_connections: Annotated[
        int, typer.Option(min=1, help="Clients at once; more are told to come back.")
    ] = 100,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share the port; each holds the model.")
    ] = 1,
    allowed_hosts: Annotated[
        str | None,
        typer.Option(
            help="Names, by commas, by which it may be asked, beside its own and addresses; "
            "'*.example.org' is all below one, '*' every name."
        ),
    ] = None,
) -> None:
    """Answer over HTTP, with a page to talk to and limits on what a client may send.

    Exit status 1 where something else listens at the port.

    Example: ser serve --port 5050
    """
    import tempfile

    with runtime.importing():
        from ser.registry import model_files
        from ser.serving import host_guard, server
        from ser.serving.request_log import RequestLog

    names = host_guard.allowed(host, allowed_hosts)
    ports.require_free(host, port, command="ser serve")
    request_log = None if log is None else RequestLog(log)
    if request_log is not None:
        request_log.require_writable()
        typer.echo(f"{log}: a line per answer: numbers, no audio, no names of files")
    with tempfile.TemporaryDirectory() as folder:
        # What was compared and looked at is what is served.
        uri, bundle = fetch(model, Path(folder), takes_exported=False)
        place = model_files.model_of(bundle)
        said = f"http://{host}:{port}/ answers for {uri}; /docs says how to ask; Ctrl-C ends it"
        listening: dict[str, Any] = {
            "host": host,
            "port": port,
            "max_connections": max_connections,
        }
        if workers == 1:
            app = server.build(place, log=request_log, allowed_hosts=names)
            typer.echo(said)
            server.serve(app, **listening)
            return
        from ser.serving import workers as processes

        typer.echo(said)
        processes.serve(place, log=log, allowed_hosts=names, num_workers=workers, **listening)


def export(
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    format_: Annotated[
        str, typer.Option("--format", help="`onnx`, or `bundle` as it is.")
    ] = "onnx",
    model: Annotated[str | None, MODEL] = None,
) -> None:
    """Export a registered model, and check that the export answers as the model does.

    Example: ser export --format onnx --out exported
    """
    import tempfile

    from ser import files
    from ser.errors import BundleError

    if format_ not in ("onnx", "bundle"):
        raise BundleError(f"--format {format_}: there are onnx and bundle")
    outputs.require_folder(out, holds=_EXPORTED)
    with tempfile.TemporaryDirectory() as folder:
        uri, bundle = fetch(model, Path(folder))
        if format_ == "bundle":
            sizes = [path.stat().st_size for path in bundle.rglob("*") if path.is_file()]
            outputs.require_room(out, sum(sizes))
            with files.adding(out) as part:
                files.replace_files(bundle, part)
            typer.echo(f"{out}: the bundle of {uri}")
            return
        from ser.serving import onnx_export

        parity = onnx_export.export(bundle, out)
    typer.echo(onnx_export.as_text(parity))


def fetch(model: str | None, folder: Path, *, takes_exported: bool = True) -> tuple[str, Path]:
    """Return the address and the bundle of a model, fetched into a folder, and say whose it is.

    Args:
        model: MLflow's address, or a folder that `ser export --format bundle` wrote; None: the
            champion of params.yaml, which must be of its corpus and classes.
        folder: Where the model is put.
        takes_exported: Whether an exported bundle will do.

    Raises:
        RegistryError: There is no such model, or the champion is of other classes or recordings.
    """
    from ser.api import loading

    uri, place = loading.find(model, folder, takes_exported=takes_exported, said_as="--model")
    typer.echo(_who(place), err=True)
    return uri, place


def _who(place: Path) -> str:
    """Return which model answers, for people."""
    from ser.registry.bundle import FILE, Bundle
    from ser.registry.identity import identity_of, registered_as

    who = identity_of(Bundle.read(place / FILE), registered_as(place))
    named = f"{who['name']} version {who['version']}" if who["name"] else "an unregistered model"
    heard = ", synthetic speech" if who["synthetic"] else ""
    return f"{named} ({who['cell']}) answers: {', '.join(who['emotions'])}; of {who['task']}{heard}"
