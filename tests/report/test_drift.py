import re

import pytest

from ser.monitoring import drift
from ser.report import drift as report
from ser.report.drift import Shown
from tests.monitoring.support import heard, reference_of


@pytest.fixture
def make():
    def run(*, synthetic=False, num_speakers=2, **options):
        known, (new, _) = reference_of(), heard(2, seed=7, **options)
        found = drift.compare(known, new, num_speakers=num_speakers)
        return Shown(found, known, new, "models:/m@champion", "emodb", synthetic)

    return run


def test_the_summary_says_what_moved_where_to_and_by_how_much(make):
    text = report.as_text(make(level=-40.0))
    first, second, *_ = text.splitlines()
    assert re.fullmatch(r"models:/m@champion: drift: level \(lower, -\d\d\.\d dB\)", first)
    assert second.startswith("50 recordings, taken to be of 2 speakers at least; reference: 200 ")
    row = next(line for line in text.splitlines() if line.startswith("level"))
    assert row.endswith("lower")


def test_without_drift_it_says_so(make):
    assert "no drift found" in report.as_text(make())


def test_the_page_is_whole_and_shows_every_quantity_and_note(make):
    page = report.render(make(level=-40.0, num_speakers=1))
    assert page.count("data:image/webp;base64,") == 1
    assert not re.search(r"(src|href)=\"http", page)
    for title in ("duration", "level", "roll-off", "emotions, most: "):
        assert f"<td>{title}" in page
    assert page.count('class="moved"') == 1
    assert "All recordings might be of one speaker" in page
    assert "Synthetic speech" not in page
    assert "Synthetic speech" in report.render(make(synthetic=True))
