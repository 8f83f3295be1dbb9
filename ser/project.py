"""Where each artefact of a checkout is. Names of files are said here, and nowhere else.

Those in the folder of a cell stand in `ser.cell_folders`, those of a corpus in
`ser.corpus_folders`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ser.cell_folders import CellFolder, TrainedFold
from ser.corpus_folders import ShippedCorpus

#: The words of a stage that are only known per preset or per item of a `foreach`, as dvc.yaml
#: spells them between `${` and `}`: e.g. `item.feature` -> `mfcc`; `stage` is the stage's name.
Words = Mapping[str, str]


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

    def shipped(self, corpus: str) -> ShippedCorpus:
        """Return the copy of a corpus that is part of the repository."""
        return ShippedCorpus(self.data / "shipped" / corpus)

    def download(self, corpus: str) -> Path:
        """Return the folder that a corpus is fetched to."""
        return self.data / "downloads" / corpus

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
    def sounds(self) -> Path:
        """Folder of folders of the user's noises and impulse responses."""
        return self.data / "sounds"

    @property
    def protocol_gaps(self) -> Path:
        """Folder of what `ser protocol-gap` measured, for the page."""
        return self.data / "protocol_gaps"

    def tuned(self, feature: str) -> Path:
        """Return what tuning chose per fold for the cells that read a feature, JSON."""
        return self.all_tuned / f"{feature}.json"

    @property
    def all_tuned(self) -> Path:
        """Folder of what tuning chose, a file per feature."""
        return self.data / "tuned"

    @property
    def all_features(self) -> Path:
        """Folder of the folders of features."""
        return self.data / "features"

    def code(self, family: str, name: str) -> Path:
        """Return the digests of a component's source files, JSON; e.g. of `ser.models`, `lstm`."""
        return self.all_code / family.rpartition(".")[2] / f"{name}.json"

    def searched(self, feature: str) -> Path:
        """Return what decides the search over the cells of a feature: params and digests, JSON."""
        return self.all_code / "searched" / f"{feature}.json"

    @property
    def all_code(self) -> Path:
        """Folder of the digests of source files."""
        return self.data / "code"

    def trained(self, cell: str, variant: str = "") -> CellFolder:
        """Return where training leaves a cell, or all of them; beside other folds, where given."""
        return CellFolder((self.folds or self.data) / (variant or "trained") / cell)

    def trained_cells(self, variant: str = "") -> list[CellFolder]:
        """Return the trained cells that are there, sorted by name."""
        return _cells(self.trained("", variant).folder)

    @property
    def runs(self) -> Path:
        """Folder of the scored cells."""
        return self.root / "runs"

    def run(self, cell: str) -> CellFolder:
        """Return the folder of a scored cell."""
        return CellFolder(self.runs / cell)

    def scored_cells(self) -> list[CellFolder]:
        """Return the scored cells that are there, sorted by name."""
        return _cells(self.runs)

    def scored(self, cell: str, variant: str = "") -> CellFolder:
        """Return the folder of a scored cell; that of a variant is no result of its own."""
        return CellFolder(self.work / "scored" / variant / cell) if variant else self.run(cell)

    @property
    def reports(self) -> Path:
        """Folder of tables, figures and the page."""
        return self.root / "reports"

    @property
    def grid(self) -> Path:
        """The comparison, one row per cell, CSV."""
        return self.reports / "grid.csv"

    def for_dvc(self, what: str) -> Path:
        """Return `metrics` (JSON), `curves` or `decisions` (CSV): a folder with a file a cell."""
        return self.reports / ("metrics" if what == "metrics" else f"plots/{what}")

    @property
    def pairs(self) -> Path:
        """Paired comparisons of cells, CSV."""
        return self.reports / "pairs.csv"

    @property
    def calibration(self) -> Path:
        """Calibration of every cell before and after, CSV."""
        return self.reports / "calibration.csv"

    @property
    def slices(self) -> Path:
        """Scores of every cell by speaker, gender and the like, CSV."""
        return self.reports / "slices.csv"

    def breakdown(self, name: str) -> Path:
        """Return a table: `best`, `folds`, `speakers` or `confusions`; or `methods`, a text."""
        return self.reports / f"{name}.{'txt' if name == 'methods' else 'csv'}"

    @property
    def robustness(self) -> Path:
        """Scores of every cell under every copy of its feature, CSV."""
        return self.reports / "robustness.csv"

    @property
    def copies_gain(self) -> Path:
        """Cells trained with and without copies, compared under every copy, CSV."""
        return self.reports / "without_copies.csv"

    @property
    def published(self) -> Path:
        """Published numbers beside ours, CSV."""
        return self.reports / "published.csv"

    @property
    def soft(self) -> Path:
        """Cells beside the raters' votes, CSV; no rows where there are none."""
        return self.reports / "soft.csv"

    @property
    def protocol_gap(self) -> Path:
        """A cell under two protocols, CSV."""
        return self.reports / "protocol_gap.csv"

    @property
    def baselines(self) -> Path:
        """The rows outside the grid, CSV."""
        return self.reports / "baselines.csv"

    @property
    def functional_rows(self) -> Path:
        """Which of these rows need openSMILE, and its version, JSON."""
        return self.reports / "functionals.json"

    @property
    def shortcut(self) -> Path:
        """How well scripted or improvised speech predicts the emotions, JSON."""
        return self.reports / "shortcut.json"

    @property
    def tuning_gain(self) -> Path:
        """Tuned and untuned cells compared on test, CSV."""
        return self.reports / "tuning.csv"

    def tuning_figures(self, feature: str = "") -> Path:
        """Return where figures and trials of the cells that read a feature are, or of all."""
        return self.reports / "tuning" / feature

    @property
    def figures(self) -> Path:
        """Folder of the figures of the page."""
        return self.reports / "figures"

    def cell_figures(self, cell: str, variant: str = "") -> CellFolder:
        """Return the folder of a cell's figures; those of its folds lie below it."""
        return CellFolder(self.figures / variant / cell)

    @property
    def origins(self) -> Path:
        """Where the weights of each cell came from, JSON."""
        return self.reports / "origins.json"

    @property
    def procedures(self) -> Path:
        """How each cell was trained, as far as it belongs beside its scores, JSON."""
        return self.reports / "procedures.json"

    @property
    def page(self) -> Path:
        """The report."""
        return self.reports / "index.html"

    @property
    def tuning_page(self) -> Path:
        """How every search of tuning went, which the report links."""
        return self.reports / "tuning.html"

    @property
    def work(self) -> Path:
        """Scratch that survives an interruption, outside what DVC manages."""
        return self.root / "work"

    @property
    def locks(self) -> Path:
        """Folder of locks between processes."""
        return self.work / "locks"

    @property
    def kept_folds(self) -> Path:
        """Folder of finished folds, each named by its run key."""
        return self.work / "folds"

    def kept_copies(self, feature: str) -> Path:
        """Return the folder of a feature's copies, as far as they are extracted."""
        return self.work / "features" / feature

    def kept_shard(self, key: str) -> Path:
        """Return where a shard of a feature is, extracted by itself, by its key."""
        return self.work / "shards" / key

    def kept_study(self, key: str) -> Path:
        """Return where trials of a study are that another machine has run, by its key."""
        return self.work / "studies" / key

    def kept_digests(self, folder: Path) -> Path:
        """Return where digests of the files of a folder below the root are kept, JSON."""
        name = folder.relative_to(self.root).as_posix().replace("/", "-")
        return self.work / "digests" / f"{name}.json"

    def kept_functionals(self, name: str) -> Path:
        """Return where openSMILE's functionals of a set are kept."""
        return self.work / "functionals" / name

    def kept_fold(self, key: str) -> TrainedFold:
        """Return the finished fold of a run key."""
        return TrainedFold(self.kept_folds / key)

    def checkpoint_files(self, key: str) -> dict[str, Path]:
        """Return where the trainings of a fold go on: the one that chooses, `""`, and `refit`."""
        return {phase: self.checkpoint_file(key, phase) for phase in ("", "refit")}

    def checkpoint_file(self, key: str, phase: str = "") -> Path:
        """Return where the fit of a run key goes on; a second training is the phase `refit`."""
        name = f"{key}-{phase}" if phase else key
        return self.work / "checkpoints" / f"{name}.safetensors"


def _cells(folder: Path) -> list[CellFolder]:
    found = [CellFolder(path) for path in sorted(folder.glob("*-*"))]
    return [cell for cell in found if cell.record.is_file()]
