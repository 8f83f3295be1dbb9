"""A bare `dvc repro` notices every code change that decides an output, and no other.

A copy of the project has stubs for outputs. A source file at a time is changed there, and
DVC is asked which stages are out of date; the digests of components are written anew in
between, as `dvc repro` does it by the stage `code`.
"""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines import code
from ser.workflow.preset import Preset

pytestmark = pytest.mark.stage

ROOT = Path(__file__).parents[1]
MODELS = ("lstm", "vggish", "wav2vec2", "hubert")
LOSSES = ("cross_entropy", "label_smoothing", "focal", "aam", "ccc")
TUNED = ("lstm-focal", "lstm-aam")
SSL = ("wav2vec2", "hubert")


def cells(models=MODELS, losses=LOSSES):
    """Stages that train, of some models with some losses."""
    chosen = [f"{model}-{loss}" for model in models for loss in losses]
    return {f"train@{cell}" for cell in chosen} | {f"untuned@{c}" for c in TUNED if c in chosen}


def extracts(*features):
    return {f"extract@{feature}" for feature in features}


FEATURES = ("mfcc", "logmel", *SSL)
TUNE = {f"tune@{feature}" for feature in FEATURES}
SEARCHING = {"tune@mfcc"}  # what the tuned cells read
TRAINING = {*cells(), *TUNE}

#: Changed file -> the stages that must run, each because of its own dependencies.
EXPECTED = {
    # What computes or chooses.
    "ser/metrics.py": {*TRAINING, "score", "gain", "robustness", "baselines", "compare"},
    "ser/batch.py": {*TRAINING, "code", "baselines", *extracts("mfcc", "logmel", *SSL)},
    "ser/seeding.py": {*TRAINING, "code", "baselines", *extracts("mfcc", "logmel", *SSL)},
    "ser/training/fit.py": TRAINING,
    "ser/training/fold.py": cells(),
    "ser/features/batching.py": TRAINING,
    "ser/data/splits.py": {*TRAINING, "split", "baselines"},
    "ser/data/audio.py": {"prepare", "baselines", "compare", *extracts("mfcc", "logmel", *SSL)},
    "ser/baselines/functionals.py": {"baselines"},
    "ser/baselines/shortcut.py": {"baselines"},
    # Components, and what some of them share.
    "ser/models/lstm.py": {*cells(["lstm"]), *SEARCHING, "code"},
    "ser/models/vggish.py": {*cells(["vggish"]), "code"},
    "ser/models/speech_transformer.py": {*cells(SSL), "code"},
    "ser/nn/pooling.py": {*cells(), *SEARCHING, "code"},
    "ser/losses/focal.py": {*cells(losses=["focal"]), *SEARCHING, "code"},
    "ser/losses/ccc.py": {*cells(losses=["ccc"]), "code"},
    "ser/pretrained/transformer.py": {*cells(SSL), *extracts(*SSL), "code"},
    "ser/pretrained/tiny.py": {f"weights@{name}" for name in SSL},
    "ser/features/extractors/mfcc.py": {*extracts("mfcc"), "code"},
    "ser/features/extractors/speech_transformer.py": {*extracts(*SSL), "code"},
    "ser/data/corpora/demo.py": {"demo@demo", "prepare", "compare", "code"},
    "ser/data/corpora/_iemocap_text.py": {"prepare", "compare", "code"},
    "ser/data/corpora/emodb.py": {"code"},
    "ser/data/demo/voice.py": {"demo@demo"},
    # What searches.
    "ser/tuning/study.py": TUNE,
    "ser/tuning/params.py": {*TUNE, "score", "gain", "compare"},
    # What is written of a cell.
    "ser/grid/cell.py": cells(),
    "ser/tracking/cells.py": {*cells(), "score", "compare", "gain", "robustness"},
    "ser/grid/kept_folds.py": cells(),
    # What scores, compares, draws and tells.
    "ser/evaluation/scored_cell.py": {"score"},
    "ser/evaluation/summary.py": {"score", "gain", "robustness", "compare"},
    "ser/evaluation/comparison.py": {"score", "gain", "robustness", "compare"},
    "ser/evaluation/published_cells.csv": {"compare"},
    "ser/evaluation/cross_corpus.py": {"compare"},
    "ser/grid/crossings.py": {"score", "compare"},
    "ser/grid/cross_corpus.py": set(),  # nobody asks for other corpora
    "ser/figures/heat_map.py": {"compare"},
    "ser/figures/ranks.py": {"compare"},
    "ser/report/page.py": {"compare"},
    "ser/report/functional_rows.py": {"baselines", "compare"},
    "ser/report/templates/report.html.j2": {"compare"},
    # What decides no output of the pipeline.
    "ser/cli/app.py": set(),
    "ser/errors.py": set(),
    "ser/stage_program.py": set(),
    "ser/promotion/refit.py": set(),
    "ser/registry/gates.py": set(),
    "ser/serving/predictor.py": set(),
    "ser/tracking/mlflow_tracker.py": set(),
    "ser/workflow/diagnosis.py": set(),
    "README.md": set(),
}


class Pipeline:
    """A copy of the project whose stages all seem to have run."""

    def __init__(self, root, repo):
        self.root, self.repo = root, repo

    def changed(self, *places):
        """Names of the stages of which DVC finds a file changed.

        `Repo.status` reads params.yaml anew for every stage, which takes most of its time.

        Args:
            places: Files and folders, relative to the root; only dependencies that hold one of
                them, or lie in one, are asked for. None: all.
        """
        return {
            stage.name
            for stage in self.repo.index.stages
            if any(dep.status() for dep in stage.deps if self.is_asked_for(dep, places))
        }

    def is_asked_for(self, dep, places):
        own = Path(dep.def_path)
        if own.name == "params.yaml":
            return False
        return not places or any(
            own.is_relative_to(p) or Path(p).is_relative_to(own) for p in places
        )

    def to_run(self, name):
        """Names of the stages that `dvc repro` runs because a file was changed."""
        first = self.changed(name)
        if "code" not in first:
            return first
        digests = self.root / "data" / "code"
        before = {path: path.read_text() for path in digests.rglob("*.json")}
        assert code.main([]) == 0
        found = first | self.changed("data/code")
        for path, text in before.items():
            path.write_text(text)
        return found

    @contextmanager
    def edited(self, name):
        """Change a file for a while."""
        path = self.root / name
        before = path.read_bytes()
        path.write_bytes(before + (b"\nCHANGED = True\n" if path.suffix == ".py" else b"\n"))
        try:
            yield
        finally:
            path.write_bytes(before)


def pretend(out):
    """Make something where a stage would have written."""
    path = Path(out.fs_path)
    if path.exists():
        return
    if path.suffix:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("stub\n")
    else:
        path.mkdir(parents=True)
        (path / "stub").write_text(f"{path.name}\n")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """That copy as the working directory, under the preset demo."""
    from dvc.repo import Repo

    root = tmp_path_factory.mktemp("stubs") / "project"
    root.mkdir()
    for folder in ("ser", "pipelines"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", "README.md"):
        shutil.copy(ROOT / name, root)
    for folder in ("weights", "untuned", "without_copies", "crossed"):
        shutil.copytree(ROOT / "data" / folder / "none", root / "data" / folder / "none")
    for folder in ("sounds", "protocol_gaps"):
        shutil.copytree(ROOT / "data" / folder, root / "data" / folder)
    shutil.copy(ROOT / "configs" / "demo.yaml", root / "params.yaml")
    values = json.dumps({model: dict.fromkeys(LOSSES, "values") for model in MODELS})
    for feature in FEATURES:
        place = root / "data" / "tuned" / f"{feature}.json"
        place.parent.mkdir(exist_ok=True)
        place.write_text(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("DVC_SITE_CACHE_DIR", str(root.parent / "site-cache"))
        assert code.main([]) == 0
        with Repo.init(str(root), no_scm=True) as repo:
            for out in repo.index.outs:
                pretend(out)
            repo.commit(force=True)
        with Repo(str(root)) as repo:
            yield Pipeline(root, repo)


def test_nothing_is_out_of_date_where_nothing_has_changed(pipeline):
    assert pipeline.repo.status() == {}
    assert pipeline.changed() == set()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_changed_file_runs_the_stages_whose_outputs_it_decides_and_no_other(pipeline, name):
    with pipeline.edited(name):
        assert pipeline.to_run(name) == EXPECTED[name]


def test_the_expectations_are_about_the_cells_of_the_preset(pipeline):
    from ser.params import read

    preset = read(pipeline.root / "params.yaml", Preset)
    assert {f"train@{cell}" for cell in preset.cells} | {
        f"untuned@{cell}" for cell in preset.tuning.cells
    } == cells()
