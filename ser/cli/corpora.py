"""Commands that bring recordings and weights to where the stages look for them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ser.errors import CorpusError
from ser.project import Project


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


def link_corpus(
    name: Annotated[str, typer.Argument(help="The corpus' parser, e.g. emodb, iemocap.")],
    path: Annotated[Path, typer.Argument(help="The folder that holds the corpus.")],
) -> None:
    """Check that a folder is a corpus and make data/raw/NAME a link to it.

    The recordings stay where they are; nothing is copied.

    Example: ser link-corpus emodb ../shared/data/emodb
    """
    from ser.workflow import diagnosis

    if not path.is_dir():
        raise CorpusError(f"{path}: no such folder; give the one that holds {name}")
    section = _corpus_section(Project().params, name)
    count = diagnosis.num_utterances(name, path, section)
    if count == 0:
        raise CorpusError(f"{path}: no utterance of {name} was found in it")
    link = Project().raw(name)
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
    if (Project().presets / f"{name}.yaml").is_file():
        typer.echo(f"next: `make use PRESET={name}`, then `make repro`")
    else:
        typer.echo(
            f"next: in params.yaml set corpus to {{name: {name}}} and synthetic_corpora to [], "
            "then `make repro`"
        )


def download_weights(
    checkpoint: Annotated[str, typer.Argument(help="Its name on the Hugging Face hub.")],
    revision: Annotated[str, typer.Option(help="The commit, 40 hexadecimal digits.")],
) -> None:
    """Fetch a checkpoint into the local Hugging Face cache, where stages look for it.

    Stages never download anything themselves. Given again after it was cut off, it fetches
    the files that are not complete. HF_TOKEN gives access where a checkpoint asks for it.

    Example: ser download-weights facebook/hubert-base-ls960
    --revision dba3bb02fda4248b6e082697eee756de8fe8aa8a
    """
    from ser.pretrained import checkpoints, downloads

    folder = downloads.download(checkpoint, revision)
    names = ", ".join(checkpoints.deciding_files(folder))
    typer.echo(f"{checkpoint}: {folder}: {names}")
