import json

from pipelines import code
from ser import components, lineage

EXTRACTED = "extracted: {mfcc: {weights: none}, hubert: {weights: none}}\n"
SECTIONS = """
features: {mfcc: {}, hubert: {freeze: all}}
models: {lstm: {}, hubert: {}}
losses: {cross_entropy: {}, focal: {}}
recipes: {lstm: {}, hubert: {}}
training: {seeds: [0]}
"""
CORPUS = f"corpus: {{name: emodb}}\ncells: {{}}\n{EXTRACTED}{SECTIONS}"
TUNING = """
tuning:
  num_trials: 2
  cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc, num_trials: 3}}
"""
TUNED = CORPUS + TUNING


def digests(workspace, name):
    return json.loads((workspace / "data" / "code" / name).read_text())


def test_every_component_has_the_digests_of_what_it_imports(workspace, stage):
    (workspace / "params.yaml").write_text(TUNED)
    status, err = stage(code.main)
    assert (status, err) == (0, "")
    folder = workspace / "data" / "code"
    for family in components.FAMILIES:
        names = {path.stem for path in (folder / family.rpartition(".")[2]).glob("*.json")}
        assert names == set(components.names(family))
    hubert, lstm = (digests(workspace, f"models/{name}.json") for name in ("hubert", "lstm"))
    own = {"ser/models/speech_transformer.py", "ser/pretrained/transformer.py"}
    assert own <= hubert.keys()
    assert not own & lstm.keys()
    assert not set(lineage.DECIDES_NOTHING) & hubert.keys()
    assert lstm["ser/models/lstm.py"] == lineage.sha256_file(workspace / "ser/models/lstm.py")


def searched(workspace, stage, text):
    """Feature -> what decides the search over the cells that read it."""
    (workspace / "params.yaml").write_text(text)
    status, err = stage(code.main)
    assert (status, err) == (0, "")
    return {name: digests(workspace, f"searched/{name}.json") for name in ("mfcc", "hubert")}


def test_a_search_has_the_digests_of_its_own_models_and_losses(workspace, stage):
    found = searched(workspace, stage, TUNED)
    focal = digests(workspace, "losses/focal.json")
    assert found["mfcc"]["code"] == focal | digests(workspace, "models/lstm.json")
    assert found["hubert"] == {"params": {"cells": {}}, "code": {}}
    assert searched(workspace, stage, f"{CORPUS}tuning: {{cells: {{}}}}\n")["mfcc"]["code"] == {}


def test_a_corpus_with_a_name_of_its_own_has_the_digests_of_its_parser(workspace, stage):
    text = TUNED.replace("name: emodb", "name: helpline, parser: csv")
    (workspace / "params.yaml").write_text(text)
    assert stage(code.main)[0] == 0
    assert digests(workspace, "corpora/helpline.json") == digests(workspace, "corpora/csv.json")


def test_a_further_entry_has_the_digests_of_its_component_under_its_own_name(workspace, stage):
    cell = "{model: whisper__base, loss: focal__hard, feature: whisper__base}"
    tuned = f"tuning: {{cells: {{whisper__base-focal__hard: {cell}}}}}\n"
    cells = f"cells: {{whisper__base-focal__hard: {cell}}}\n"
    extracted = "extracted: {whisper__base: {weights: none}, mfcc: {weights: none}}\n"
    (workspace / "params.yaml").write_text(
        f"corpus: {{name: emodb}}\n{cells}{extracted}{SECTIONS}{tuned}"
    )
    assert stage(code.main)[0] == 0
    for folder, entry in (
        ("extractors", "whisper__base"),
        ("models", "whisper__base"),
        ("losses", "focal__hard"),
    ):
        component = entry.partition("__")[0]
        assert digests(workspace, f"{folder}/{entry}.json"), entry
        assert digests(workspace, f"{folder}/{entry}.json") == digests(
            workspace, f"{folder}/{component}.json"
        )
    both = digests(workspace, "models/whisper.json") | digests(workspace, "losses/focal.json")
    assert digests(workspace, "searched/whisper__base.json")["code"] == both


def test_an_entry_of_no_component_is_refused(workspace, fails):
    cell = "{model: wisper__base, loss: focal, feature: mfcc}"
    (workspace / "params.yaml").write_text(
        TUNED.replace("cells: {}", f"cells: {{wisper__base-focal: {cell}}}")
    )
    assert "no model is named 'wisper', which 'wisper__base' begins with" in fails(code.main)


def test_wrong_params_are_refused_with_their_path(workspace, fails):
    (workspace / "params.yaml").write_text(
        f"{CORPUS}tuning: {{cells: {{lstm-focal: {{model: lstm}}}}}}\n"
    )
    assert "tuning.cells.lstm-focal.loss: Field required" in fails(code.main)


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(code.main, "lstm")[0] == 2
