"""The section of other corpora: cells trained on one corpus, tested on another, as a matrix."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ser import cross_folders, predictions, tables
from ser.data import manifest
from ser.errors import FileError
from ser.evaluation import cross_corpus
from ser.evaluation.cross_corpus import Within
from ser.grid import crossings, variants
from ser.grid.params import CrossCorpusParams
from ser.project import Project

_CURE = "`dvc repro compare` makes it"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One cell among one set of classes.

    Args:
        cell: `<model>-<loss>`.
        classes: What is told apart.
        uars: Trained on x tested on, see `ser.evaluation.cross_corpus.matrix`.
        rows: One row per pair, see `ser.evaluation.cross_corpus.table`.
    """

    cell: str
    classes: Sequence[str]
    uars: pd.DataFrame
    rows: Sequence[Mapping[Any, Any]]

    @property
    def own(self) -> str:
        """The corpus of params.yaml."""
        return str(self.rows[0]["within_corpus"])

    @property
    def is_transductive(self) -> bool:
        """Whether a number needs more of what is tested than the one utterance."""
        return any(row["transductive"] for row in self.rows)

    @property
    def is_synthetic(self) -> bool:
        """Whether a number is of speech that nobody spoke."""
        return any(row["synthetic"] for row in self.rows)


def write(project: Project, section: CrossCorpusParams, tuned: Collection[str]) -> None:
    """Write reports/cross_corpus.csv from what the stages have trained.

    Args:
        project: The checkout.
        section: `cross_corpus` of params.yaml.
        tuned: Names of the tuned cells: what stands beside them is of the same cell with the
            values of params.yaml, as everything across corpora is.

    Raises:
        FileError, ManifestError: Something that is read is missing or damaged.
        LineageError: A cell was trained or tested on another corpus than that of params.yaml.
    """
    rows = []
    for crossing in crossings.of_section(section, project):
        own = within(project, crossing.cell, tuned)
        kept = cross_folders.trained(project, crossing.cell, crossing.pair)
        crossings.require_own(kept, project)
        rows.append(cross_corpus.row(crossing, kept, own))
    tables.write_csv(cross_folders.table(project), cross_corpus.table(rows))


def within(project: Project, cell: str, tuned: Collection[str]) -> Within:
    """Return the grid's own predictions of a cell; arguments as for `write`.

    Raises:
        FileError, ManifestError: They, or the manifest, are missing or damaged.
    """
    variant = variants.UNTUNED if cell in tuned else ""
    return Within(
        crossings.own_side(project).name,
        predictions.read(project.trained(cell, variant).predictions),
        {u.id: u.speaker for u in manifest.read(project.manifest)},
    )


def read(project: Project) -> list[Matrix]:
    """Read what is shown of other corpora.

    Raises:
        FileError: reports/cross_corpus.csv is missing or not of its form.
    """
    path = cross_folders.table(project)
    table = tables.read_csv(path, cure=_CURE)
    try:
        table = table[list(cross_corpus.COLUMNS)]
    except KeyError as error:
        raise FileError(f"{path}: it lacks columns ({error}); {_CURE}") from error
    groups = table.groupby(["model", "loss", "classes"], sort=False)
    return [
        Matrix(
            f"{model}-{loss}",
            str(classes).split(),
            cross_corpus.matrix(rows),
            rows.to_dict("records"),
        )
        for (model, loss, classes), rows in groups
    ]
