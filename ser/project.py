"""Where each artefact of a checkout is. Names of files are said here, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The words of a stage that are only known per preset or per item of a `foreach`, as dvc.yaml
#: spells them between `${` and `}`: e.g. `item.feature` -> `mfcc`; `stage` is the stage's name.
Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrainedFold:
    """One finished fold under one seed: `fold-<k>/seed-<s>` of a cell, or a kept fold.

    Args:
        folder: Its folder.
    """

    folder: Path

    @property
    def weights(self) -> Path:
        """The chosen weights, safetensors."""
        return self.folder / "model.safetensors"

    @property
    def statistics(self) -> Path:
        """The normalisation of the inputs, safetensors."""
        return self.folder / "statistics.safetensors"

    @property
    def predictions(self) -> Path:
        """Predictions of dev and test, Parquet."""
        return self.folder / "predictions.parquet"

    @property
    def embeddings(self) -> Path:
        """Embeddings of the test part, safetensors."""
        return self.folder / "embeddings.safetensors"

    @property
    def history(self) -> Path:
        """Metrics per epoch, JSON."""
        return self.folder / "history.json"

    @property
    def facts(self) -> Path:
        """What else is known of the fold, JSON."""
        return self.folder / "facts.json"


@dataclass(frozen=True, slots=True)
class CellFolder:
    """The folder of one cell, trained (`data/trained`) or scored (`runs`).

    Args:
        folder: `<somewhere>/<model>-<loss>`.
    """

    folder: Path

    @property
    def predictions(self) -> Path:
        """Predictions of all folds and seeds, Parquet."""
        return self.folder / "predictions.parquet"

    @property
    def history(self) -> Path:
        """Metrics per fold, seed and epoch, CSV."""
        return self.folder / "history.csv"

    @property
    def metrics(self) -> Path:
        """The cell's scores with their intervals, JSON; only of a scored cell."""
        return self.folder / "metrics.json"

    @property
    def record(self) -> Path:
        """What the tracker is told of the cell's runs, JSON."""
        return self.folder / "run.json"

    @property
    def lineage(self) -> Path:
        """Digests of what the cell was made from, JSON."""
        return self.folder / "lineage.json"

    def fold(self, number: int, seed: int) -> TrainedFold:
        """Return one fold under one seed."""
        return TrainedFold(self.folder / f"fold-{number}" / f"seed-{seed}")

    def folds(self) -> list[TrainedFold]:
        """Return the folds that are there, in order of their paths."""
        return [TrainedFold(path) for path in sorted(self.folder.glob("fold-*/seed-*"))]


@dataclass(frozen=True, slots=True)
class Project:
    """The artefacts of a checkout.

    Args:
        root: The folder of dvc.yaml; paths come out relative where it is relative.
        folds: The folder of splits.csv and split_report.json, where it is not `data`: the
            same corpus under another protocol.
    """

    root: Path = Path()
    folds: Path | None = None

    @property
    def params(self) -> Path:
        """params.yaml."""
        return self.root / "params.yaml"

    @property
    def pipeline(self) -> Path:
        """dvc.yaml."""
        return self.root / "dvc.yaml"

    @property
    def lock(self) -> Path:
        """dvc.lock."""
        return self.root / "dvc.lock"

    @property
    def presets(self) -> Path:
        """Folder of the presets of params.yaml."""
        return self.root / "configs"

    @property
    def data(self) -> Path:
        """Folder of everything between raw recordings and results."""
        return self.root / "data"

    def raw(self, corpus: str) -> Path:
        """Return the folder, or the link to the folder, of a corpus."""
        return self.data / "raw" / corpus

    def checkpoint(self, name: str) -> Path:
        """Return the folder of a checkpoint that DVC watches."""
        return self.data / "weights" / name

    @property
    def manifest(self) -> Path:
        """The utterances, JSONL."""
        return self.data / "manifest.jsonl"

    @property
    def rejected(self) -> Path:
        """What was refused, JSONL."""
        return self.data / "rejected.jsonl"

    @property
    def corpus_card(self) -> Path:
        """The corpus in numbers, JSON."""
        return self.data / "corpus.json"

    @property
    def splits(self) -> Path:
        """The folds, CSV."""
        return (self.folds or self.data) / "splits.csv"

    @property
    def split_report(self) -> Path:
        """The audit of the folds, JSON."""
        return (self.folds or self.data) / "split_report.json"

    def features(self, name: str) -> Path:
        """Return the folder of a feature."""
        return self.all_features / name

    @property
    def tuned(self) -> Path:
        """What tuning chose per cell and fold, JSON."""
        return self.data / "tuned.json"

    @property
    def all_features(self) -> Path:
        """Folder of the folders of features."""
        return self.data / "features"

    def code(self, family: str, name: str) -> Path:
        """Return the digests of the source files of a component, JSON.

        Args:
            family: Its package, dotted, e.g. `ser.models`.
            name: The component.
        """
        return self.all_code / family.rpartition(".")[2] / f"{name}.json"

    @property
    def code_of_tuned(self) -> Path:
        """Digests of the source files of the components of all tuned cells, JSON."""
        return self.all_code / "tuned.json"

    @property
    def all_code(self) -> Path:
        """Folder of the digests of source files."""
        return self.data / "code"

    @property
    def untuned(self) -> Path:
        """Folder of the tuned cells, trained with the values of params.yaml."""
        return self.data / "untuned"

    def trained(self, cell: str, variant: str = "") -> CellFolder:
        """Return where training leaves a cell: `data/trained`, or `data/<variant>`."""
        return CellFolder(self.data / (variant or "trained") / cell)

    @property
    def runs(self) -> Path:
        """Folder of the scored cells."""
        return self.root / "runs"

    def run(self, cell: str) -> CellFolder:
        """Return the folder of a scored cell."""
        return CellFolder(self.runs / cell)

    @property
    def reports(self) -> Path:
        """Folder of tables, figures and the page."""
        return self.root / "reports"

    @property
    def baselines(self) -> Path:
        """The reference rows, CSV."""
        return self.reports / "baselines.csv"

    @property
    def shortcut(self) -> Path:
        """What scripted speech gives away, JSON."""
        return self.reports / "shortcut.json"

    @property
    def tuning_gain(self) -> Path:
        """What tuning brought on test, CSV."""
        return self.reports / "tuning.csv"

    @property
    def tuning_figures(self) -> Path:
        """Folder of tuning's figures, and of its trials."""
        return self.reports / "tuning"

    @property
    def work(self) -> Path:
        """Scratch that survives an interruption, outside what DVC manages."""
        return self.root / "work"

    @property
    def kept_folds(self) -> Path:
        """Folder of finished folds, each named by its run key."""
        return self.work / "folds"
