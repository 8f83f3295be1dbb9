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


def test_an_unknown_name_lists_the_alternatives():
    with pytest.raises(UnknownComponentError, match=r"'fcal'; there are: .*cross_entropy"):
        components.load("ser.losses", "fcal")
