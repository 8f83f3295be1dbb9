"""A small project that has run: five cells, a model each, tracked in a store of its own.

Two of them, `lstm-aam` and `wav2vec2-focal`, are trained on copies.
"""

import shutil
from pathlib import Path

import pytest

from pipelines import extract, prepare, score, split, train, weights
from ser.grid import tuned
from ser.tracking import health
from tests.recordings import write_corpus
from tests.tracking.support import copy_database

PARAMS = """
synthetic_weights:
  wav2vec2: {architecture: wav2vec2, hidden_size: 16, num_layers: 2, conv_dim: 8}
  hubert: {architecture: hubert, hidden_size: 16, num_layers: 2, conv_dim: 8, norm: layer, seed: 1}
  whisper: {architecture: whisper, hidden_size: 16, num_layers: 2}
launcher: python -m
synthetic_corpora: []
corpus: {name: csv, synthetic: true, max_rejected: 0}
split: {protocol: session}
audio: {sampling_rate: 16000}
features:
  mfcc: {hop_ms: 20.0, copies: [clean, speed_0.9]}
  logmel: {}
  wav2vec2:
    {checkpoint: data/weights/wav2vec2, freeze: 1, dtype: float16, copies: [clean, speed_1.1]}
  hubert: {checkpoint: data/weights/hubert, freeze: all}
  whisper: {checkpoint: data/weights/whisper, freeze: 1}
models:
  lstm: {hidden_size: 8, num_layers: 1, embedding_dim: 8}
  vggish: {width: 0.03125, batch_norm: true, embedding_dim: 8}
  wav2vec2: {embedding_dim: 8, hidden_dropout: 0.0}
  hubert: {embedding_dim: 8}
  whisper: {embedding_dim: 8, pooling: attention, attention_heads: 2}
losses:
  cross_entropy: {}
  label_smoothing: {}
  focal: {}
  aam: {warmup_epochs: 1}
  ccc: {}
recipes:
  lstm:
    {num_epochs: 2, batch_size: 8, learning_rate: 0.01, copies: {clean: 0.5, speed_0.9: 0.5}}
  vggish: {num_epochs: 1, batch_size: 8}
  wav2vec2: {num_epochs: 1, batch_size: 8, copies: {clean: 0.5, speed_1.1: 0.5}}
  hubert: {num_epochs: 1, batch_size: 8}
  whisper: {num_epochs: 1, batch_size: 8}
training: {seeds: [0], device: cpu}
extracted:
  {mfcc: {weights: none}, logmel: {weights: none}, wav2vec2: {weights: wav2vec2},
   hubert: {weights: hubert}, whisper: {weights: whisper}}
baselines: {feature: mfcc}
cells:
  lstm-aam: {model: lstm, loss: aam, feature: mfcc}
  vggish-cross_entropy: {model: vggish, loss: cross_entropy, feature: logmel}
  wav2vec2-focal: {model: wav2vec2, loss: focal, feature: wav2vec2}
  hubert-label_smoothing: {model: hubert, loss: label_smoothing, feature: hubert}
  whisper-ccc: {model: whisper, loss: ccc, feature: whisper}
tuning: {cells: {}}
robustness: {without_copies: {}}
cross_corpus: {corpora: {}, cells: {}}
"""

WEIGHTS = ("wav2vec2", "hubert", "whisper")
CELLS = {
    "lstm-aam": "mfcc",
    "vggish-cross_entropy": "logmel",
    "wav2vec2-focal": "wav2vec2",
    "hubert-label_smoothing": "hubert",
    "whisper-ccc": "whisper",
}


def build(root: Path, project: Path) -> None:
    """Run the stages up to training in a new folder."""
    with pytest.MonkeyPatch.context() as patch:
        enter(root, patch)
        shutil.copytree(project / "ser", root / "ser", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "params.yaml").write_text(PARAMS)
        write_corpus(root / "data" / "raw" / "csv", per_emotion=2)
        for stage, words in ((prepare, []), (split, []), *((weights, [n]) for n in WEIGHTS)):
            assert stage.main(words) == 0
        for cell, feature in CELLS.items():
            assert extract.main([feature]) == 0
            assert train.main([cell, "--untuned"]) == 0
        assert score.main([]) == 0
        for cell, feature in CELLS.items():
            untouched = dict.fromkeys((1, 2, 3), tuned.UNTUNED)
            tuned.write(Path("data/tuned") / f"{feature}.json", {tuple(cell.split("-")): untouched})
    return root


def copy(source: Path, root: Path) -> Path:
    """Copy a built project into a new folder, for one process alone; give it back."""
    database = Path("mlruns") / "mlflow.db"
    shutil.copytree(source, root, ignore=shutil.ignore_patterns(f"{database.name}*"))
    copy_database(source / database, root / database)
    health.relocate(root / database)
    return root


def enter(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Make a folder the working directory, with a store of its own."""
    patch.chdir(root)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
