from types import SimpleNamespace

import pytest

from ser.emotion import EMOTIONS
from ser.registry import identity


def bundle(**changes):
    """As much of a bundle as says who it is."""
    corpus = SimpleNamespace(name="emodb", protocol="session")
    training = SimpleNamespace(cell="lstm-focal")
    said = {"tags": {}, "corpus": corpus, "training": training, "emotions": EMOTIONS, **changes}
    return SimpleNamespace(**said, is_synthetic=False)


@pytest.mark.parametrize(
    ("changes", "task"),
    [
        ({"tags": {"ser.task": "csv-helpline"}}, "csv-helpline"),
        ({}, "emodb"),
        ({"emotions": (*EMOTIONS, "bored")}, "emodb-5-bored"),
    ],
)
def test_a_bundle_is_of_the_task_that_it_says_or_that_its_classes_are(changes, task):
    assert identity.task_of(bundle(**changes)) == task


def test_who_answers_is_said_with_name_version_and_classes():
    found = identity.identity_of(bundle(), {"model_name": "ser-emodb-session", "model_version": 3})
    assert found == {
        "name": "ser-emodb-session",
        "version": 3,
        "cell": "lstm-focal",
        "task": "emodb",
        "protocol": "session",
        "emotions": list(EMOTIONS),
        "synthetic": False,
    }
    assert identity.identity_of(bundle(), {})["name"] is None
