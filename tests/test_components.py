from pathlib import Path

import pytest

from ser import components
from ser.errors import UnknownComponentError

FAMILIES = ("ser.data.corpora", "ser.features.extractors", "ser.losses", "ser.models")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_component_has_params_with_defaults_and_a_builder(family):
    for name in components.names(family):
        module = components.load(family, name)
        assert callable(module.build), name
        defaults = {"name": name} if "name" in module.Params.model_fields else {}
        if getattr(module.Params, "published", "elsewhere") is None:
            # Nothing to fall back on: no revision of its published weights is pinned here.
            defaults["checkpoint"] = "data/weights/its-own"
        assert module.Params(**defaults), name


def test_shared_helpers_are_no_components():
    assert "_base" not in components.names("ser.losses")
    with pytest.raises(UnknownComponentError):
        components.load("ser.losses", "_base")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_component_is_found_in_its_file(family):
    root = Path(__file__).parents[1]
    for name in components.names(family):
        path = components.source(family, name)
        assert (root / path).is_file(), name
        module = components.load_module(family, name)
        assert Path(module.__file__) == root / path


def test_a_file_may_hold_a_family(tmp_path, monkeypatch):
    package = tmp_path / "birds"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "owl.py").write_text(
        "class Params: pass\ndef build(params, *, loud): return ('owl', loud)\n"
    )
    (package / "waders.py").write_text(
        'NAMES = (\n    "snipe",\n    "avocet",\n)\n'
        "PARAMS = {n: type(n, (), {}) for n in NAMES}\n"
        "def params_class(name): return PARAMS[name]\n"
        "def build(name, params, *, loud): return (name, loud)\n"
        "def inspect_weights(name, params): return f'weights of {name}'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert components.names("birds") == ("avocet", "owl", "snipe")
    assert components.source("birds", "snipe") == Path("birds/waders.py")
    for name in components.names("birds"):
        found = components.load("birds", name)
        assert found.build(found.Params(), loud=True) == (name, True)
    assert components.load("birds", "avocet").Params.__name__ == "avocet"
    assert components.load("birds", "avocet").inspect_weights(None) == "weights of avocet"
    assert components.load("birds", "owl").inspect_weights is None
    with pytest.raises(UnknownComponentError, match="'waders'; there are: avocet, owl, snipe"):
        components.source("birds", "waders")


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("ser.losses", "no loss is named 'fcal'; there are: .*cross_entropy"),
        ("ser.data.corpora", "no corpus is named 'fcal'; there are: .*emodb"),
        ("ser.features.extractors", "no feature is named 'fcal'; there are: .*mfcc"),
        ("ser.models", "no model is named 'fcal'; there are: .*lstm"),
    ],
)
def test_an_unknown_name_lists_the_alternatives_in_the_words_of_params(family, said):
    with pytest.raises(UnknownComponentError, match=f"^{said}"):
        components.load(family, "fcal")
