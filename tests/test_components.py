from dataclasses import dataclass
from pathlib import Path

import pytest

from ser import components
from ser.errors import ParamsError, UnknownComponentError

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


@pytest.mark.parametrize("family", FAMILIES)
def test_no_component_is_named_as_an_entry_of_another(family):
    assert [name for name in components.names(family) if components.SEPARATOR in name] == []


def test_an_entry_is_its_component():
    whisper, entry = (components.load("ser.models", n) for n in ("whisper", "whisper__tuned_2"))
    assert entry.Params is whisper.Params
    assert components.source("ser.models", "whisper__a__b") == Path(
        "ser/models/speech_transformer.py"
    )
    assert components.load_module("ser.losses", "focal__hard").__name__ == "ser.losses.focal"
    loss = components.load("ser.losses", "focal__hard")
    built = loss.build(loss.Params(gamma=4.0), num_classes=4, class_weights=None)
    assert built.gamma == 4.0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("base_frozen", "no model is named 'base_frozen'; .*; a second entry: <model>__<words>"),
        ("__base", "no model is named '', which '__base' begins with; there are: .*lstm"),
        ("wisper__base", "no model is named 'wisper', which 'wisper__base' begins with; .*"
                         "did you mean 'whisper'"),
        ("whisper__hubert", "'whisper__hubert': hubert is another model, .*; "
                            "write whisper__<other words>"),
        ("whisper__base-frozen", "'whisper__base-frozen': after whisper__ .*; "
                                 "write whisper__base_frozen"),
        ("whisper__Base", "write whisper__base"),
        ("whisper__b.5@x", "write whisper__b_5_x"),
        ("whisper__", "write whisper__second"),
        ("whisper___x", "write whisper__x"),
        (f"whisper__{'x' * 41}", f"40 at most; write whisper__{'x' * 40}$"),
    ],
)  # fmt: skip
def test_a_name_that_no_entry_may_have_is_refused_with_one_that_it_may_have(name, said):
    with pytest.raises(UnknownComponentError, match=said):
        components.load("ser.models", name)


def test_a_corpus_has_no_further_entries():
    with pytest.raises(UnknownComponentError, match="no corpus is named 'csv__mine'"):
        components.load("ser.data.corpora", "csv__mine")


@dataclass(frozen=True)
class Feature:
    """What a model is told of its feature."""

    extractor: str


def test_a_component_is_told_no_entry_and_what_it_refuses_names_them(monkeypatch):
    told = []

    def build(name, params, *, feature):
        told.append((name, feature.extractor))
        raise ParamsError(
            "models.whisper.x: features.whisper.freeze, the feature 'whisper'; models.whispers"
        )

    module = components.load_module("ser.models", "whisper")
    monkeypatch.setattr(module, "build", build)
    entry = components.load("ser.models", "whisper__tuned")
    with pytest.raises(ParamsError) as caught:
        entry.build(None, feature=Feature("whisper__base"))
    assert told == [("whisper", "whisper")]
    assert str(caught.value) == (
        "models.whisper__tuned.x: features.whisper__base.freeze, the feature 'whisper__base'; "
        "models.whispers"
    )
    with pytest.raises(ParamsError, match=r"^models\.whisper\.x: features\.whisper\.freeze"):
        components.load("ser.models", "whisper").build(None, feature=Feature("whisper"))
