"""The command `ser`. Heavy modules are imported inside the commands that need them."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ser import runtime
from ser.errors import CorpusError, LineageError, SerError

app = typer.Typer(
    name="ser",
    help="Speech emotion recognition: corpora, lineage and tracked runs of this project.\n\n"
    "Run it in the project's root. The main job is `make repro` (or `dvc repro`).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _common() -> None:
    # Its presence keeps the names of the commands even if only one is left.
    pass


@app.command("demo-corpus")
def demo_corpus(
    root: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("data/raw/demo"),
    params: Annotated[
        Path, typer.Option(help="Its size and seed, if corpus.name is demo there.")
    ] = Path("params.yaml"),
) -> None:
    """Write an IEMOCAP-shaped corpus of synthetic speech.

    Example: ser demo-corpus /tmp/demo
    """
    from functools import partial

    from tqdm import tqdm

    from ser.data.corpora import demo
    from ser.data.demo import release
    from ser.params import parse

    section = _corpus_section(params, "demo") or {"name": "demo"}
    chosen = parse(section, demo.Params, where=f"{params}: corpus")
    release.generate(
        root, chosen, progress=partial(tqdm, desc="synthesise", unit="utt", disable=None)
    )
    typer.echo(f"{root}: synthetic corpus written; it proves the machinery, nothing about speech")


def _corpus_section(path: Path, name: str) -> dict[str, Any] | None:
    """Return the corpus section of a params file if it is about this corpus."""
    from ser.params import load_mapping

    section = load_mapping(path).get("corpus") if path.is_file() else None
    return section if isinstance(section, dict) and section.get("name") == name else None


@app.command("link-corpus")
def link_corpus(
    name: Annotated[str, typer.Argument(help="The corpus' parser, e.g. emodb, iemocap.")],
    path: Annotated[Path, typer.Argument(help="The folder that holds the corpus.")],
) -> None:
    """Check that a folder is a corpus and make data/raw/NAME a link to it.

    The recordings stay where they are; nothing is copied.

    Example: ser link-corpus emodb ../shared/data/emodb
    """
    from ser import diagnosis

    if not path.is_dir():
        raise CorpusError(f"{path}: no such folder; give the one that holds {name}")
    section = _corpus_section(Path("params.yaml"), name)
    count = diagnosis.num_utterances(name, path, section)
    if count == 0:
        raise CorpusError(f"{path}: no utterance of {name} was found in it")
    link = Path("data/raw") / name
    if link.is_symlink():
        typer.echo(f"{link}: pointed to {link.readlink()} until now")
        link.unlink()
    elif link.exists():
        raise CorpusError(
            f"{link}: is a real folder, which a link must not replace; move it away first"
        )
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(path.resolve(), target_is_directory=True)
    typer.echo(f"{link} -> {path.resolve()}: {count} utterances")
    if (Path("configs") / f"{name}.yaml").is_file():
        typer.echo(f"next: make use PRESET={name}, then make repro")
    else:
        typer.echo(
            f"next: in params.yaml set corpus to {{name: {name}}} and synthetic_corpora to [], "
            "then make repro"
        )


@app.command("download-weights")
def download_weights(
    checkpoint: Annotated[str, typer.Argument(help="Its name on the Hugging Face hub.")],
    revision: Annotated[str, typer.Option(help="The commit, 40 hexadecimal digits.")],
) -> None:
    """Fetch a checkpoint into the local Hugging Face cache, where stages look for it.

    The only command of this project that downloads anything.

    Example: ser download-weights facebook/hubert-base-ls960
    --revision dba3bb02fda4248b6e082697eee756de8fe8aa8a
    """
    from ser.pretrained import checkpoints

    typer.echo(f"{checkpoint}: {checkpoints.download(checkpoint, revision)}")


@app.command()
def train(
    cell: Annotated[str, typer.Argument(help="One of `cells` in params.yaml, e.g. lstm-focal.")],
) -> None:
    """Train one cell by the command that dvc.yaml has for it, without DVC's bookkeeping.

    Its features must have been extracted. DVC does not learn of the result; `dvc repro`
    does, and finds the same runs already tracked.

    Example: ser train lstm-focal
    """
    import shlex
    import subprocess

    from ser.experiment import Experiment, train_command
    from ser.params import load_mapping, read

    experiment = read(Path("params.yaml"), Experiment)
    command = train_command(load_mapping(Path("dvc.yaml")), experiment, cell)
    typer.echo(shlex.join(command))
    sys.stdout.flush()
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command()
def verify(
    run_id: Annotated[str, typer.Argument(help="MLflow's id, as the run's page shows it.")],
) -> None:
    """Check that a run still leads back to its data, features, code, lock and commit.

    Exit status 1 if anything differs.

    Example: ser verify 0a928df2660647cf92cbaefa245a7eb5
    """
    from ser.tracking import verify as verification

    checks = verification.verify(run_id, Path())
    rows = [
        ("ok" if check.ok else "DIFFERS", check.name, check.recorded, check.found, check.where)
        for check in checks
    ]
    _table(("", "what", "recorded", "found", "where"), rows)
    differing = [check.name for check in checks if not check.ok]
    if differing:
        raise LineageError(f"run {run_id} differs from the workspace in: {', '.join(differing)}")
    typer.echo(f"run {run_id}: all {len(checks)} checks agree")


@app.command()
def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Close runs of dead processes; correct paths after a move."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what is not well.")] = False,
) -> None:
    """Report what is wrong with the installation, the corpus or the store, with the cure.

    Exit status 1 if something will make a command fail.
    """
    from ser import diagnosis

    findings = diagnosis.diagnose(Path(), fix=fix)
    for finding in findings:
        if quiet and finding.level == "ok":
            continue
        typer.echo(f"{finding.level:4}  {finding.what}: {finding.detail}")
        if finding.cure:
            typer.echo(f"      cure: {finding.cure}")
    failed = sorted({finding.what for finding in findings if finding.level == "fail"})
    if failed:
        raise SerError(f"something is wrong with: {', '.join(failed)}")


@app.command("restore-runs")
def restore_runs(
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what was restored.")] = False,
) -> None:
    """Record again the runs whose results lie in runs/ but which the store does not have.

    For results that DVC restored from its cache, or a store that was lost.

    Example: dvc checkout && ser restore-runs
    """
    from ser.tracking import cells
    from ser.tracking.mlflow_tracker import open_experiment

    folders = sorted(path.parent for path in Path("runs").glob(f"*/{cells.RECORD}"))
    total = 0
    for folder in folders:
        count = cells.restore(folder, open_experiment)
        if count or not quiet:
            typer.echo(f"{folder}: {count} runs restored" if count else f"{folder}: complete")
        total += count
    if not quiet:
        typer.echo(f"{total} runs restored from {len(folders)} cells")


@app.command()
def results(
    into: Annotated[
        Path | None, typer.Option(help="Also write the table into this Markdown file.")
    ] = None,
) -> None:
    """Show the grid's scores and where the report is.

    With --into, the table replaces what stands between the file's markers
    `<!-- results:<corpus>-<number of emotions> -->` and `<!-- /results -->`.

    Example: ser results --into README.md
    """
    from ser.evaluation import publication

    reports = Path("reports")
    found = publication.read(reports, Path("data"))
    typer.echo(publication.as_text(found))
    typer.echo(f"report: {(reports / 'index.html').resolve()}")
    if into is not None:
        publication.write_into(into, found)
        typer.echo(f"{into}: the table {found.name} is up to date")


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Show the project's runs in MLflow's user interface.

    Example: ser ui --port 5001
    """
    from ser.tracking import store

    uri = store.default_uri(Path())
    store.connect(uri)
    if store.database_path(uri) is None:
        typer.echo(f"the runs are at {uri}, which has a user interface of its own")
        return
    typer.echo(f"http://127.0.0.1:{port} shows {uri}; Ctrl-C ends it")
    sys.stdout.flush()
    # Replaced, not called: signals then reach the server itself.
    os.execve(sys.executable, ui_command(uri, port), {**os.environ, **_UI_ENVIRONMENT})


# Its job runner would start a dozen processes that this project has no use for.
_UI_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def ui_command(uri: str, port: int) -> list[str]:
    """Return the command line of MLflow's user interface over a store, one worker."""
    server = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    return [*server, "--host", "127.0.0.1", "--port", str(port), "-w", "1"]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns, digests shortened so that a line fits a terminal."""
    shown = [[cell if len(cell) <= 44 else f"{cell[:16]}..." for cell in row] for row in rows]
    lines = [list(header), *shown]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def main() -> None:
    """Run the command line; its exit status is 0 done, 1 refused or failed, 2 wrong usage."""
    runtime.configure()
    raise SystemExit(runtime.run_main(app))
