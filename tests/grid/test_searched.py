import pytest

from ser.grid.searched import SEARCHED, SearchedSections
from ser.params import parse
from ser.plain_yaml import load

PARAMS = """
cells:
  lstm-focal: {model: lstm, loss: focal, feature: mfcc}
  hubert-focal: {model: hubert, loss: focal, feature: hubert}
features: {mfcc: {}, hubert: {freeze: all}}
models: {lstm: {}, hubert: {}}
losses: {cross_entropy: {}, focal: {}}
recipes: {lstm: {}, hubert: {}}
training: {seeds: [0]}
tuning:
  num_trials: 2
  cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc, num_trials: 3}}
"""


def decisive(text):
    """Feature -> what decides the search over the cells that read it."""
    sections = parse(load(text), SearchedSections, where="params.yaml")
    return {name: sections.decisive(name) for name in ("mfcc", "hubert")}


def test_a_search_has_all_that_it_reads_and_a_feature_without_one_the_names_of_its_cells():
    found = decisive(PARAMS)
    assert set(found["mfcc"]) == {*SEARCHED}
    assert found["mfcc"]["tuning"]["num_trials"] == 2
    assert found["mfcc"]["tuning"]["cells"]["lstm-focal"]["num_trials"] == 3
    assert found["hubert"] == {"cells": {"hubert-focal": ["hubert", "focal"]}}


@pytest.mark.parametrize(
    ("old", "new", "features"),
    [
        ("recipes: {lstm: {}, ", "recipes: {lstm: {num_epochs: 3}, ", ["mfcc"]),
        ("recipes: {lstm: {}, hubert: {}}", "recipes: {lstm: {}, hubert: {num_epochs: 3}}", []),
        ("models: {lstm: {}, hubert: {}}", "models: {lstm: {}, hubert: {dropout: 0.3}}", []),
        ("models: {lstm: {}", "models: {lstm: {dropout: 0.3}", ["mfcc"]),
        ("focal: {}", "focal: {gamma: 4.0}", ["mfcc"]),
        ("cross_entropy: {}", "cross_entropy: {x: 1}", []),
        ("features: {mfcc: {}", "features: {mfcc: {num_mels: 9}", ["mfcc"]),
        ("freeze: all", "freeze: 1", []),
        ("seeds: [0]", "seeds: [1]", ["mfcc"]),
        ("num_trials: 2", "num_trials: 4", ["mfcc"]),
        ("num_trials: 3", "num_trials: 4", ["mfcc"]),
        ("hubert-focal:", "hubert__a-focal:", ["hubert"]),
    ],
)
def test_a_changed_param_is_told_to_the_searches_that_it_decides_alone(old, new, features):
    assert PARAMS.count(old) == 1
    before, after = decisive(PARAMS), decisive(PARAMS.replace(old, new))
    assert [name for name in before if before[name] != after[name]] == features
