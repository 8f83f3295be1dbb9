"""Commands that answer: what emotion is in a recording?"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ser.cli import outputs, ports

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
    files: Annotated[list[Path], typer.Argument(help="WAV, FLAC, OGG or MP3 files.")],
    model: Annotated[str | None, MODEL] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per file.")] = False,
) -> None:
    """Say which emotion is heard in recordings, with probabilities.

    Long recordings are heard in windows. Exit status 1 if a file cannot be used; the
    others are answered all the same.

    Example: ser predict some.wav --json
    """
    import tempfile

    from ser.errors import AudioInputError
    from ser.registry.identity import identity_of, registered_as
    from ser.serving import audio_input
    from ser.serving.predictor import Predictor

    refused = []
    with tempfile.TemporaryDirectory() as folder:
        uri, bundle = fetch(model, Path(folder))
        predictor = Predictor.load(bundle)
        who = identity_of(predictor.bundle, registered_as(bundle))
        for path in files:
            try:
                waveform = audio_input.from_path(path, predictor.limits)
            except AudioInputError as error:
                refused.append(str(error))
                typer.echo(f"error: {error}", err=True)
                continue
            answer = predictor.predict(waveform).to_json()
            described = {"file": str(path), "model": uri, "answered_by": who, **answer}
            typer.echo(json.dumps(described) if as_json else _as_text(described))
    if refused:
        raise AudioInputError(f"{len(refused)} of {len(files)} files cannot be used")


def predict_batch(
    source: Annotated[
        Path, typer.Argument(help="A folder with recordings, or a CSV with a column `path`.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    model: Annotated[str | None, MODEL] = None,
) -> None:
    """Answer for every recording of a folder or table, into one Parquet file.

    An interrupted batch goes on where it was. A recording that cannot be used has its
    reason in the column `error`; nothing is left out.

    Example: ser predict-batch recordings --out answers.parquet
    """
    import tempfile

    from tqdm import tqdm

    from ser.serving import many_recordings
    from ser.serving.predictor import Predictor

    outputs.require_file(out, is_ours=many_recordings.is_answers, read=[source])
    paths = many_recordings.find(source)
    with tempfile.TemporaryDirectory() as folder:
        uri, bundle = fetch(model, Path(folder))
        table = many_recordings.predict(
            paths,
            Predictor.load(bundle),
            out=out,
            model=uri,
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


def _as_text(answer: dict[str, Any]) -> str:
    lines = [f"{answer['file']}: {_one(answer)}"]
    if len(answer["windows"]) > 1:
        lines += [
            f"  {window['start_s']:6.1f} to {window['end_s']:6.1f} s: {_one(window)}"
            for window in answer["windows"]
        ]
    return "\n".join(lines)


def _one(answer: dict[str, Any]) -> str:
    probabilities = answer["probabilities"]
    shares = ", ".join(f"{name} {p:.2f}" for name, p in probabilities.items())
    heard = [
        f"{name.replace('_', ' ')} {answer[name]:.2f}"
        for name in ("speech_share", "familiarity")
        if answer[name] is not None
    ]
    said = answer["emotion"] or answer["reason"]
    if answer["reason"] == "unsure":
        said = f"not sure ({max(probabilities, key=probabilities.get)}?)"
    return f"{said}  [{'; '.join([shares, *heard])}]"
