"""The head of a preset: written and read."""

import pytest

from ser.errors import ParamsError
from ser.workflow import preset_head

HEAD = """\
# Preset mine: an example.
#   corpus    ravdess (not for commercial use)
#   weights   whisper-tiny.en, openai/whisper-base (fetch it first)
#   gpu       no
#   extras    none
#   takes     an hour on two cores (estimated)
#   memory    1.5 GB a process
#   disk      12 GB beside the corpus
# More words.

launcher: python -m
"""


def read(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return preset_head.read(path)


def test_every_field_is_read_without_its_remark(tmp_path):
    head = read(tmp_path, HEAD)
    assert head == preset_head.PresetHead(
        corpus="ravdess",
        weights=("whisper-tiny.en", "openai/whisper-base"),
        gpu=False,
        extras=(),
        takes="an hour on two cores",
        memory_gb=1.5,
        disk_gb=12.0,
    )


@pytest.mark.parametrize("disk", ["disk      12 GB beside the corpus", "disk      unknown"])
def test_what_is_written_is_what_was_read(tmp_path, disk):
    head = read(tmp_path, HEAD.replace("disk      12 GB beside the corpus", disk))
    assert read(tmp_path, f"# Preset mine: x\n{head.text()}\na: 1\n") == head
    assert (head.disk_gb is None) == ("unknown" in disk)


@pytest.mark.parametrize(
    "text", ["corpus: {name: emodb}\n", "# Mine.\ncorpus: {name: emodb}\n", ""]
)
def test_a_file_without_a_head_has_none(tmp_path, text):
    assert read(tmp_path, text) is None


def test_comments_below_the_first_setting_are_no_head(tmp_path):
    assert read(tmp_path, f"launcher: x\n{HEAD}") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("#   takes     an hour on two cores (estimated)\n", "", "does not say takes"),
        ("gpu       no", "gpu       maybe", "gpu in its head must be yes or no, got 'maybe'"),
        ("disk      12 GB", "disk      12 MB", "disk in its head must be like `0.5 GB`"),
        ("memory    1.5 GB", "memory    much", "memory in its head must be like `0.5 GB`"),
    ],
)
def test_a_head_that_cannot_be_read_is_refused_by_its_field(tmp_path, old, new, message):
    assert old in HEAD
    with pytest.raises(ParamsError, match=r"mine\.yaml") as refused:
        read(tmp_path, HEAD.replace(old, new))
    assert message in str(refused.value)
