"""Presets run whole: those for IEMOCAP on the demo corpus, the others on trees of their corpus.

Networks are small, training is short; what else a preset says is taken as it is.
"""

import hashlib
import json
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import save_file

from pipelines import (
    baselines,
    compare,
    demo,
    extract,
    gain,
    prepare,
    robustness,
    score,
    split,
    train,
    tune,
    weights,
)
from ser.data.corpora import cremad, ravdess
from ser.params import parse
from ser.pretrained.vggish import Trunk
from ser.workflow import commands
from ser.workflow.preset import Preset
from tests.data.corpora.contract import write_wav
from tests.figures.support import leave_blank
from tests.tracking.support import copy_database

pytestmark = pytest.mark.stage

ROOT = Path(__file__).parents[1]
MODELS = ("lstm", "vggish", "wav2vec2", "hubert")
WIDTH = 1 / 32


def shortened(name, losses):
    """A preset with one cell for each loss' models, and as little training as there can be."""
    content = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    content["models"]["vggish"]["width"] = WIDTH
    content["models"]["lstm"] |= {"hidden_size": 16, "embedding_dim": 16}
    for recipe in content["recipes"].values():
        recipe["num_epochs"] = 1
    content["training"]["seeds"] = [0]
    content["cells"] = {
        name: cell
        for name, cell in content["cells"].items()
        if cell["loss"] == losses[cell["model"]]
    }
    return content


def with_demo_corpus(content):
    """The same with the demo corpus, and with random weights in place of large ones."""
    content["corpus"] = {"name": "demo", "utterances_per_session": 24}
    content["synthetic_corpora"] = ["demo"]
    for model in ("wav2vec2", "hubert", "whisper"):
        if model in content["features"]:
            with_random_weights(content, model)
    if "vggish" in content["features"]:
        content["features"]["vggish"] |= {"width": WIDTH, **vggish_weights()}
    return content


def with_random_weights(content, model):
    """Let the pipeline make the weights of a transformer, small ones."""
    tiny = {"architecture": model, "hidden_size": 16, "num_layers": 2, "conv_dim": 8}
    content["synthetic_weights"] = {**content["synthetic_weights"], model: tiny}
    content["features"][model] |= {"checkpoint": f"data/weights/{model}", "revision": None}


def vggish_weights():
    path = Path("data/weights/vggish/random.safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    save_file(Trunk(width=WIDTH).state_dict(), path)
    return {"weights": path.as_posix(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def write_ravdess(root):
    """A man and a woman of each of the six groups, every emotion once; and a song."""
    for actor, emotion in product((n for n in range(1, 25) if n % 4 in (1, 2)), ravdess.EMOTIONS):
        write_wav(root / f"Actor_{actor:02}" / f"03-01-{emotion}-01-01-01-{actor:02}.wav")
    song = root / "Actor_01" / "03-02-03-01-01-01-01.wav"
    write_wav(song)
    return song


def write_cremad(root):
    """A woman and a man for each of the five groups, every emotion once; and a faulty one."""
    women, men = range(1001, 1006), range(1072, 1077)
    for actor, emotion in product((*women, *men), cremad.EMOTIONS):
        write_wav(root / "AudioWAV" / f"{actor}_IEO_{emotion}_HI.wav")
    faulty = root / "AudioWAV" / "1076_MTI_SAD_XX.wav"
    write_wav(faulty)
    rows = [(n, "Female") for n in women] + [(n, "Male") for n in men]
    table = "".join(f"{actor},{sex}\n" for actor, sex in rows)
    (root / cremad.DEMOGRAPHICS).write_text(f"ActorID,Sex\n{table}", encoding="utf-8")
    return faulty


@pytest.fixture
def folder(tmp_path, monkeypatch, template_database):
    """An empty project as the working directory, with the weights that ship."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    Path("ser").symlink_to(ROOT / "ser")  # runs record the digests of their source
    Path("data/weights").mkdir(parents=True)
    Path("data/weights/whisper-tiny.en").symlink_to(ROOT / "data/weights/whisper-tiny.en")
    copy_database(template_database, Path("mlruns/mlflow.db"))
    return tmp_path


def run(content):
    """Run every stage, from the recordings to the report; give the table and the page."""
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    preset = parse(content, Preset, where="params.yaml")
    for corpus in preset.synthetic_corpora:
        assert demo.main([corpus]) == 0
    for model in preset.synthetic_weights:
        assert weights.main([model]) == 0
    assert prepare.main([]) == 0
    assert split.main([]) == 0
    for feature in preset.extracted:
        assert extract.main([feature]) == 0
        assert tune.main([feature]) == 0
    for cell in preset.cells:
        assert train.main(commands.train(preset, cell)[3:]) == 0
    for cell in preset.robustness.without_copies:
        assert train.main([cell, "--variant", "without_copies"]) == 0
    for stage in (baselines, score, gain, robustness, compare):
        assert stage.main([]) == 0
    return pd.read_csv("reports/grid.csv"), Path("reports/index.html").read_text(encoding="utf-8")


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "models"), [("iemocap", (*MODELS, "whisper")), ("iemocap-published", MODELS)]
)
def test_a_preset_runs_from_raw_recordings_to_the_report(name, models, folder, monkeypatch):
    leave_blank(monkeypatch)
    content = shortened(name, dict.fromkeys(models, "cross_entropy"))
    grid, page = run(with_demo_corpus(content))
    assert set(grid["model"]) == set(models)
    assert grid["uar"].between(0, 1).all()
    assert "Synthetic speech" in page
    assert "random weights (seed 0)" in page
    assert ("Speaker-dependent protocol" in page) == (name == "iemocap-published")


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "write", "num_folds"), [("ravdess", write_ravdess, 6), ("cremad", write_cremad, 5)]
)
def test_a_preset_of_an_open_corpus_runs_on_a_tree_of_its_format(
    name, write, num_folds, folder, monkeypatch
):
    if name != "ravdess":  # that one has the most classes
        leave_blank(monkeypatch)
    losses = {"lstm": "ccc", "vggish": "focal", "whisper": "aam"}
    content = shortened(name, losses)
    if name == "ravdess":  # the weights that ship take their time: one corpus is enough
        with_random_weights(content, "whisper")
    root = folder / "data" / "raw" / name
    refused = write(root).relative_to(root).as_posix()
    content["corpus"]["allow_partial"] = True
    grid, page = run(content)
    assert dict(zip(grid["model"], grid["loss"], strict=True)) == losses
    assert set(grid["num_folds"]) == {num_folds}
    assert grid["uar"].between(0, 1).all()
    assert all(emotion in page for emotion in content["corpus"]["emotions"])
    card = json.loads(Path("data/corpus.json").read_text("utf-8"))
    assert set(card["counts"]) == set(content["corpus"]["emotions"])
    assert min(card["counts"].values()) > 0
    rejected = Path("data/rejected.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["audio"] for line in rejected] == [refused]
