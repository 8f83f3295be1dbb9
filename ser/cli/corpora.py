"""Commands that bring recordings and weights to where the stages look for them."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ser.cli import outputs
from ser.corpus_folders import DownloadFolder
from ser.errors import CorpusError, NotTheCorpusError, UnknownComponentError
from ser.project import Project

#: What a table is called that its user has not named.
_UNNAMED = "csv"


def demo_corpus(
    root: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("data/raw/demo"),
    params: Annotated[
        Path, typer.Option(help="Its size and seed, if demo is a corpus there.")
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
    """Return what a params file says of a corpus: its section corpus, or cross_corpus.corpora."""
    from ser.params import load_mapping

    content = load_mapping(path) if path.is_file() else {}
    crossed = content.get("cross_corpus")
    others = crossed.get("corpora") if isinstance(crossed, dict) else None
    sections = [content.get("corpus"), *(others.values() if isinstance(others, dict) else ())]
    found = (s for s in sections if isinstance(s, dict) and s.get("name") == name)
    return next(found, None)


def link_corpus(
    name: Annotated[
        str, typer.Argument(help="The corpus, e.g. emodb, iemocap; of a table its own name.")
    ],
    path: Annotated[Path, typer.Argument(help="The folder that holds the corpus.")],
) -> None:
    """Check that a folder is a corpus and make data/raw/NAME a link to it.

    The recordings stay where they are; nothing is copied. A link to a folder inside the
    project is relative, so that the project can be moved. A table is read as params.yaml says,
    which gives it its name: `corpus.name`, beside `parser: csv`.

    Example: ser link-corpus emodb ~/corpora/emodb
    """
    if not path.is_dir():
        raise CorpusError(f"{path}: no such folder; give the one that holds {name}")
    _link(name, path)


def _link(name: str, path: Path) -> None:
    """Link a folder that is the corpus, and say what comes next."""
    from ser import files
    from ser.workflow import corpus_diagnosis

    link = _place_of_link(name)
    _require_own_name(name, link, path)
    section = _corpus_section(Project().params, name)
    try:
        count = len(corpus_diagnosis.parse_corpus(name, path, section).annotations)
    except NotTheCorpusError:
        raise
    except UnknownComponentError as error:
        raise UnknownComponentError(
            f"{error}; a table of your own is named in {Project().params} first: below corpus, "
            f"`name: {name}` and `parser: csv`"
        ) from error
    except CorpusError as error:
        if section is not None:
            raise
        raise CorpusError(
            f"{error}. {Project().params} is of another corpus, so {name} was read with its "
            f"defaults: if a preset of yours says how to read it, `make use PRESET=<name>` first"
        ) from error
    if count == 0:
        raise CorpusError(f"{path}: no utterance of {name} was found in it")
    if link.is_symlink() and link.resolve() != path.resolve():
        typer.echo(f"{link}: pointed to {link.readlink()} until now")
    target = _target(link, path.resolve())
    with files.replacing(link) as part:
        part.symlink_to(target, target_is_directory=True)
    typer.echo(f"{link} -> {target}: {count} utterances")
    _say_next(name, link, is_known=section is not None)


def _say_next(name: str, link: Path, *, is_known: bool) -> None:
    """Say what comes after a link; `is_known` where params.yaml is of its corpus."""
    shipped = Project().shipped(name).folder
    if shipped.is_dir() and not shipped.samefile(link):
        typer.echo(
            f"back to the copy that ships with the project: `ser link-corpus {name} {shipped}`"
        )
        typer.echo(
            "the link is part of the repository, so git shows it as changed: "
            f"`git update-index --skip-worktree {link}` lets git pass over it, "
            f"`git update-index --no-skip-worktree {link}` undoes that"
        )
    if is_known:
        typer.echo("next: `make repro`")
    elif (Project().presets / f"{name}.yaml").is_file():
        typer.echo(f"next: `make use PRESET={name}`, then `make repro`")
    else:
        typer.echo(
            f"next: write a preset with `ser new-preset --corpus {name}`, or in params.yaml set "
            f"corpus to {{name: {name}}} and synthetic_corpora to []; then `make repro`"
        )
    if not shipped.is_dir():  # git knows the link to a shipped corpus
        typer.echo(f"for `dvc exp run --temp` or `--queue`, tell git the link: `git add -f {link}`")


def _require_own_name(name: str, link: Path, path: Path) -> None:
    """Refuse a table without a name of its own: it would share experiments and models with others.

    A table that has that link already keeps it, and with it the results that it has.
    """
    if name == _UNNAMED and not (link.is_symlink() and link.resolve() == path.resolve()):
        raise CorpusError(
            f"{path}: {name} names no corpus, and two tables of that name would share link, "
            f"experiments and models; give this one a name: in {Project().params}, below corpus, "
            f"`name: <its name>` and `parser: csv`, then `ser link-corpus <its name> {path}`. "
            f"Where results under the name {name} are of this very table, keep it: "
            f"`ln -sfn {path.resolve()} {link}`"
        )


def _target(link: Path, folder: Path) -> Path:
    """Return what a link to a folder shall say: relative if both lie in the project."""
    root, place = Path().resolve(), link.parent.resolve()
    if folder.is_relative_to(root) and place.is_relative_to(root):
        return Path(os.path.relpath(folder, place))
    return folder


def _place_of_link(name: str) -> Path:
    """Return where the link belongs; refuse to replace what is no link, or a place to write in."""
    link = Project().raw(name)
    if link.exists() and not link.is_symlink():
        raise CorpusError(
            f"{link}: is a real folder, which a link must not replace; move it away first"
        )
    outputs.require_place(link)
    return link


def _sha256(value: str | None) -> str | None:
    """Return a digest in lower case; anything else is wrong usage."""
    if value is not None and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise typer.BadParameter("a SHA-256 has 64 hexadecimal digits")
    return value.lower() if value else None


def download_corpus(
    name: Annotated[str, typer.Argument(help="emodb or ravdess; of others, how to get them.")],
    to: Annotated[
        Path | None, typer.Option(help="Folder to fetch and unpack into, if not data/downloads.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(callback=_sha256, help="Accept only an archive of this digest.")
    ] = None,
) -> None:
    """Fetch a corpus from its publisher, unpack it and make data/raw/NAME a link to it.

    An interrupted download goes on where it was; a complete one is not fetched again.

    Example: ser download-corpus ravdess
    """
    from ser.data.downloads import fetching, sources

    archive = sources.archive_of(name)
    link = _place_of_link(name)
    place = DownloadFolder(to or Project().download(name), archive.name)
    is_new = fetching.fetch(name, place, announce=typer.echo, sha256=sha256)
    if not is_new and link.is_symlink() and link.resolve() == place.unpacked.resolve():
        typer.echo(f"{link} -> {place.unpacked}: everything is there already")
    else:
        _link(name, place.unpacked)


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
