from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pipeline(project):
    """The dvc.yaml of this project beside its source, one dependency too many."""
    for folder in ("ser", "pipelines"):
        (project / folder).symlink_to(ROOT / folder)
    text = (ROOT / "dvc.yaml").read_text()
    path = project / "dvc.yaml"
    path.write_text(text.replace("- pipelines/split.py\n", "- pipelines/split.py\n      - more\n"))
    assert path.read_text() != text
    return path


def test_what_differs_is_said_and_then_mended(ser, pipeline):
    before = pipeline.read_text()
    status, out, err = ser("dependencies", "--check")
    assert (status, out) == (1, "split: - more\n")
    assert "`ser dependencies` writes them" in err
    assert pipeline.read_text() == before
    assert ser("dependencies")[:2] == (0, "split: - more\n")
    assert pipeline.read_text() == (ROOT / "dvc.yaml").read_text()
    status, out, _ = ser("dependencies", "--check")
    assert status == 0
    assert "every stage depends on what it should" in out
