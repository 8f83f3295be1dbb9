"""Where other corpora lie beside the one of params.yaml, and what is trained across corpora."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ser.project import Project

#: Between the names of two corpora; no name has a hyphen.
_TO = "-to-"


@dataclass(frozen=True, slots=True)
class CorpusFolder(Project):
    """The artefacts of another corpus, or of two corpora joined, in a folder of their own.

    Manifest, card, folds, features and cells lie there under their usual names; scratch is the
    checkout's. What a checkout has once (recordings, weights, sounds, code) is not looked for here.

    Args:
        folder: Stands for `data`.
        stages: Of dvc.yaml, which made what lies there, as far as stages did.
    """

    folder: Path = Path()
    stages: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        """The folder."""
        return self.folder

    def kept_copies(self, feature: str) -> Path:
        """Return the folder of a feature's copies, as far as they are extracted."""
        return self.work / "features_of" / self.folder.name / feature


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two corpora of a crossing.

    Args:
        name: By which it is told from the other.
        project: Where its manifest, card and features are.
    """

    name: str
    project: Project


@dataclass(frozen=True, slots=True)
class Crossing:
    """A cell that is trained on all of one corpus and tested on another.

    Args:
        cell: `<model>-<loss>`.
        feature: Which feature it reads.
        trained_on, tested_on: The corpora.
    """

    cell: str
    feature: str
    trained_on: Side
    tested_on: Side

    @property
    def pair(self) -> str:
        """`<trained on>-to-<tested on>`."""
        return pair_of(self.trained_on.name, self.tested_on.name)


def pair_of(trained_on: str, tested_on: str) -> str:
    """Return the name of two corpora as one, see `Crossing.pair`."""
    return f"{trained_on}{_TO}{tested_on}"


def sides_of(pair: str) -> tuple[str, ...]:
    """Return the names of the two corpora of a pair, see `Crossing.pair`."""
    return tuple(pair.split(_TO))


def upstream(project: Project, feature: str) -> tuple[str, ...]:
    """Return the stages that make what a cell reads there, by their names in dvc.lock.

    Args:
        project: Where the data of the cell are: a checkout, or a folder of two corpora.
        feature: Which feature it reads.
    """
    if isinstance(project, CorpusFolder):
        return project.stages
    return "prepare", "split", f"extract@{feature}"


def other(project: Project, corpus: str) -> CorpusFolder:
    """Return the data of a corpus of `cross_corpus.corpora`, which DVC versions."""
    return CorpusFolder(project.root, folder=all_others(project) / corpus)


def all_others(project: Project) -> Path:
    """Return the folder of the data of all of them."""
    return project.data / "cross"


def unversioned(project: Project, corpus: str) -> CorpusFolder:
    """Return the data of a corpus that a command prepares by itself; DVC does not see them."""
    return CorpusFolder(project.root, folder=project.work / "cross" / corpus)


def joined(project: Project, pair: str) -> CorpusFolder:
    """Return the two corpora of a pair as one, see `Crossing.pair`; made anew for each training."""
    return CorpusFolder(project.root, folder=project.work / "cross_pairs" / pair)


def of_run(tags: Mapping[str, str]) -> Project:
    """Return where the data of a run are, from the project's root: of one corpus, or of a pair.

    Args:
        tags: `ser.corpus` is the name of either.
    """
    corpus = tags.get("ser.corpus", "")
    return joined(Project(), corpus) if _TO in corpus else Project()


def trained(project: Project, cell: str, pair: str = "") -> CorpusFolder:
    """Return what is kept of a pair for a cell: manifest, fold, predictions; no features.

    Without a pair the folder is that of all pairs of the cell; without a cell, of all cells.
    """
    return CorpusFolder(project.root, folder=project.data / "crossed" / cell / pair)


def trained_pairs(project: Project) -> list[CorpusFolder]:
    """Return the pairs of all cells that are there, sorted."""
    found = sorted(trained(project, "").folder.glob(f"*-*/*{_TO}*"))
    return [CorpusFolder(project.root, folder=folder) for folder in found]


def table(project: Project) -> Path:
    """Return the cells trained on one corpus and tested on another, CSV; the report shows them."""
    return project.reports / "cross_corpus.csv"


def asked_table(project: Project, crossing: Crossing) -> Path:
    """Return the same of one crossing that a command was asked for; the report does not show it."""
    return project.reports / f"cross_corpus-{crossing.cell}-{crossing.pair}.csv"
