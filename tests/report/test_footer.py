import pytest

from ser.report.footer import footer_of
from tests import synthetic


@pytest.mark.parametrize(
    ("is_synthetic", "independent", "line"),
    [
        (True, True, "corpus x (SYNTHETIC speech), protocol superb"),
        (False, False, "corpus x (real speech), protocol superb, SPEAKER-DEPENDENT"),
    ],
)
def test_the_line_below_figures_says_what_speech_and_protocol(is_synthetic, independent, line):
    card = synthetic.card(name="x", synthetic=is_synthetic)
    split = synthetic.split_report(protocol="superb", speaker_independent=independent)
    assert footer_of(card, split) == line
