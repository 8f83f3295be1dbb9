"""The presets for IEMOCAP run whole on the demo corpus, small weights in place of large ones."""

import hashlib
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
    score,
    split,
    train,
    tune,
    weights,
)
from ser.params import parse
from ser.pretrained.vggish import Trunk
from ser.workflow import commands
from ser.workflow.preset import Preset

pytestmark = pytest.mark.stage

ROOT = Path(__file__).parents[1]
MODELS = ("lstm", "vggish", "wav2vec2", "hubert")
WIDTH = 1 / 32


def overridden(name):
    """A preset with other corpus and weights, and with as little training as there can be."""
    content = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    content["corpus"] = {"name": "demo", "utterances_per_session": 24}
    content["synthetic_corpora"] = ["demo"]
    content["synthetic_weights"] = {
        model: {"architecture": model, "hidden_size": 16, "num_layers": 2, "conv_dim": 8}
        for model in ("wav2vec2", "hubert")
    }
    for model in content["synthetic_weights"]:
        content["features"][model] |= {"checkpoint": f"data/weights/{model}", "revision": None}
    content["models"]["vggish"]["width"] = WIDTH
    content["models"]["lstm"] |= {"hidden_size": 16, "embedding_dim": 16}
    if "vggish" in content["features"]:
        content["features"]["vggish"] |= {"width": WIDTH, **vggish_weights()}
    for recipe in content["recipes"].values():
        recipe["num_epochs"] = 1
    content["training"]["seeds"] = [0]
    content["cells"] = {
        name: cell for name, cell in content["cells"].items() if cell["loss"] == "cross_entropy"
    }
    return content


def vggish_weights():
    path = Path("data/weights/vggish/random.safetensors")
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    save_file(Trunk(width=WIDTH).state_dict(), path)
    return {"weights": path.as_posix(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.mark.parametrize("name", ["iemocap", "iemocap-published"])
def test_a_preset_runs_from_raw_recordings_to_the_report(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    Path("ser").symlink_to(ROOT / "ser")  # runs record the digests of their source
    content = overridden(name)
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    preset = parse(content, Preset, where=name)

    assert demo.main(["demo"]) == 0
    for model in preset.synthetic_weights:
        assert weights.main([model]) == 0
    assert prepare.main([]) == 0
    assert split.main([]) == 0
    for feature in preset.extracted:
        assert extract.main([feature]) == 0
    assert tune.main([]) == 0
    for cell in preset.cells:
        assert train.main(commands.train(preset, cell)[3:]) == 0
    for stage in (baselines, score, gain, compare):
        assert stage.main([]) == 0

    grid = pd.read_csv("reports/grid.csv")
    assert set(grid["model"]) == set(MODELS)
    assert grid["uar"].between(0, 1).all()
    page = Path("reports/index.html").read_text(encoding="utf-8")
    assert "Synthetic speech" in page
    assert "random weights (seed 0)" in page
    assert ("Speaker-dependent protocol" in page) == (name == "iemocap-published")
