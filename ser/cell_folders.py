"""What lies where in the folder of a cell, and in that of one of its finished folds."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrainedFold:
    """The folder of a finished fold under a seed: `fold-<k>/seed-<s>` of a cell, or a kept one."""

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
    def copies(self) -> Path:
        """Predictions of test under every copy but clean, Parquet; only of a feature with some."""
        return self.folder / "copies.parquet"

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

    @property
    def provenance(self) -> Path:
        """Where the fold was trained, JSON; only of a kept one, and in no output of DVC."""
        return self.folder / "provenance.json"


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
    def copies(self) -> Path:
        """The copies' predictions of all folds and seeds, Parquet, see `TrainedFold.copies`."""
        return self.folder / "copies.parquet"

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
