"""Stage code: the source -> data/code/, digests of what each component is made of.

A stage of a `foreach` finds its component by name, which no import shows, and DVC gives all
items the same list of dependencies. So this stage writes a file per component with the digests
of all source files that it imports, and a cell depends on those of its model and its loss.

The search over the cells of a feature depends on as many models, losses and params as there are
cells, which no entry of a `foreach` can name: a file per feature holds what decides it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ser import components, files, lineage, stage_program
from ser.grid.searched import CellNames, SearchedSections, of_feature
from ser.params import StageParams
from ser.project import Project, Words


class NamedCorpus(StageParams):
    """What is read of corpus: what it is called, and who reads it if that is not its name."""

    name: str
    parser: str | None = None


class Params(SearchedSections):
    """Sections read: corpus, extracted, and those of the searches."""

    corpus: NamedCorpus
    extracted: Mapping[str, Any]


def reads(project: Project, words: Words) -> list[Path]:  # noqa: ARG001 (the same for all)
    """Return the files of all components, and all that they import."""
    folders = [family.replace(".", "/") for family in components.FAMILIES]
    imported = {name for one in components.every() for name in sources(project, *one)}
    inside = {n for n in imported for f in folders if PurePosixPath(n).is_relative_to(f)}
    outside = sorted(imported - inside)
    # It is not only imported here: it says what belongs to a component.
    return [project.root / path for path in [*folders, *outside, "ser/lineage.py"]]


def writes(project: Project, words: Words) -> list[Path]:  # noqa: ARG001
    """Return the folder of the digests."""
    return [project.all_code]


def sources(project: Project, family: str, name: str) -> list[str]:
    """Return the source files that a component is made of, relative to the root.

    Args:
        project: Where they are.
        family: Its package, dotted.
        name: The component, or an entry of it.
    """
    start = components.source(family, name).as_posix()
    return lineage.imported_sources(project.root, [start], skip=lineage.DECIDES_NOTHING)


def run(params: Params, project: Project) -> None:
    """Write the digests of every component, and what decides the search of every feature."""
    read = {(components.EXTRACTORS, name) for name in params.extracted}
    read.update(one for cell in params.cells.values() for one in _chosen(cell))
    for family, name in (*components.every(), *components.further(read)):
        _write(project, family, name, name)
    if params.corpus.parser is not None:  # dvc.yaml knows the corpus' own name
        _write(project, components.CORPORA, params.corpus.parser, params.corpus.name)
    for feature in params.extracted:
        content = {
            "params": params.decisive(feature),
            "code": _searched_code(params, feature, project),
        }
        files.write_json(project.searched(feature), content, sort_keys=True)


def _searched_code(params: Params, feature: str, project: Project) -> dict[str, str]:
    """Return path -> digest of the source of the models and losses that are searched."""
    found = {
        source
        for cell in of_feature(params.tuning.cells, feature).values()
        for family, name in _chosen(cell)
        for source in sources(project, family, name)
    }
    return lineage.file_digests(project.root, sorted(found))


def _write(project: Project, family: str, component: str, name: str) -> None:
    """Write the digests of a component into the file of a name."""
    digests = lineage.file_digests(project.root, sources(project, family, component))
    files.write_json(project.code(family, name), digests, sort_keys=True)


def _chosen(cell: CellNames) -> tuple[tuple[str, str], ...]:
    return (components.MODELS, cell.model), (components.LOSSES, cell.loss)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage from the command line."""
    return stage_program.main(run, Params, argv, description=__doc__)


if __name__ == "__main__":
    raise SystemExit(main())
