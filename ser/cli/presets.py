"""Commands that use a preset and that write one."""

import re
from pathlib import Path
from typing import Annotated

import typer

from ser.cli import completion
from ser.project import Project

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def use(
    preset: Annotated[
        str,
        typer.Argument(
            help="A file of configs/, without .yaml.", autocompletion=completion.presets
        ),
    ],
) -> None:
    """Make params.yaml a copy of a preset.

    Where it holds settings of your own, it is first copied beside itself.

    Example: ser use emodb
    """
    from ser.workflow import preset_use

    project = Project()
    kept = preset_use.use(project, preset)
    if kept is not None:
        typer.echo(
            f"{project.params} was like no preset, so it is kept as {kept}; to go back: "
            f"`cp {kept} {project.params}`"
        )
    typer.echo(f"{project.params} is {project.presets / preset}.yaml")


def new_preset(  # noqa: PLR0913 (an option each)
    *,
    corpus: Annotated[str, typer.Option(help="Its parser, e.g. csv, ravdess.")],
    models: Annotated[list[str], typer.Option(help="One or several, e.g. lstm whisper.")],
    losses: Annotated[list[str], typer.Option(help="One or several, e.g. focal aam.")],
    name: Annotated[str | None, typer.Option(help="Of the preset, if not the corpus'.")] = None,
    tune: Annotated[
        list[str] | None, typer.Option(help="Cells to tune, e.g. whisper-focal.")
    ] = None,
    seeds: Annotated[list[int] | None, typer.Option(help="Of training, e.g. 0 1 2.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file, if not configs/NAME.yaml.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a complete preset for a corpus: every model with every loss.

    Settings are those of the presets that ship with the project; edit the file as you like.

    Example: ser new-preset --corpus csv --name my-corpus --models lstm whisper
    --losses cross_entropy focal --tune whisper-focal --seeds 0 1 2
    """
    from ser.workflow import new_preset as presets
    from ser.workflow.new_preset import Wanted

    chosen = _name(name or (out.stem if out else corpus), out)
    path = out or Project().presets / f"{chosen}.yaml"
    wanted = Wanted(chosen, corpus, models, losses, tuned=tune or (), seeds=seeds or ())
    preset = presets.write(wanted, path, force=force, project=Project())
    typer.echo(f"{path}: {len(preset.cells)} cells")
    # A table is read as params.yaml says, so they come before the link.
    called = presets.corpus_name(wanted)
    is_there = Project().raw(called).exists() or called in preset.synthetic_corpora
    link = "" if is_there else f"`ser link-corpus {called} /where/it/is`, "
    if path.parent.resolve() == Project().presets.resolve():
        typer.echo(f"next: `make use PRESET={chosen}`, {link}then `make repro`")
    else:
        typer.echo(f"next: copy it to {Project().params}, {link}then `make repro`")


def _name(name: str, out: Path | None) -> str:
    """Return a name that a file can have; a preset is called as its file is."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"a preset's name has letters, digits, `-`, `_` and `.`, got {name!r}"
        )
    if out is not None and (out.stem != name or out.suffix != ".yaml"):
        raise typer.BadParameter(f"the file of the preset {name} must be {name}.yaml, got {out}")
    return name
