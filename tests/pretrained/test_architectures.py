import re

import pytest

from ser import components
from ser.pretrained.architectures import ARCHITECTURES


@pytest.mark.parametrize("kind", ["ser.models", "ser.features.extractors"])
def test_every_architecture_is_a_model_and_a_feature(kind):
    held = {
        name
        for name in components.names(kind)
        if components.source(kind, name).stem == "speech_transformer"
    }
    assert held == set(ARCHITECTURES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_published_is_pinned_and_has_a_source(name):
    facts = ARCHITECTURES[name]
    assert re.search(r"\((19|20)\d\d\)", facts.source)
    if facts.published is not None:
        checkpoint, revision = facts.published
        assert re.fullmatch(r"[\w-]+/[\w.-]+", checkpoint)
        assert re.fullmatch(r"[0-9a-f]{40}", revision)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_transformers_knows_the_type_of_its_config(name):
    from transformers import AutoConfig

    facts = ARCHITECTURES[name]
    assert AutoConfig.for_model(facts.model_type).model_type == facts.model_type
