"""`--models lstm whisper` is `--models lstm --models whisper`."""

import pytest

from ser.cli.several import repeated

OPTIONS = {"--models", "--seeds"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--models a b --seeds 1", "--models a --models b --seeds 1"),
        ("--models a --models b", "--models a --models b"),
        ("--models=a b", "--models=a --models b"),
        ("--models a b --name c", "--models a --models b --name c"),
        ("--name c --models a --force", "--name c --models a --force"),
        ("--seeds -1 2", "--seeds -1 --seeds 2"),
        ("--models --seeds 1", "--models --seeds 1"),
        ("--name c --models", "--name c --models"),
        ("--force stray", "--force stray"),
    ],
)
def test_each_value_gets_its_option(words, expected):
    assert " ".join(repeated(words.split(), OPTIONS)) == expected
