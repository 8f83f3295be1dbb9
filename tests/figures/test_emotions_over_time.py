import numpy as np
import pytest

from ser.figures.emotions_over_time import emotions_over_time


@pytest.mark.parametrize("num_steps", [1, 200, 100_000])
@pytest.mark.parametrize(("end_s", "unit"), [(10.0, "s"), (3600.0, "min")])
def test_waveform_segments_and_probabilities_share_one_axis_of_time(num_steps, end_s, unit):
    outline = np.tile(np.array([[-0.5, 0.25]], np.float32), (num_steps, 1))
    stretches = [
        (0.0, end_s / 2, "sad", True),
        (end_s / 2, end_s * 0.7, None, False),
        (end_s * 0.7, end_s, "angry", False),
    ]
    shares = np.array([0.2, np.nan, 0.8])
    figure = emotions_over_time(
        outline,
        stretches,
        np.array([0.25, 0.6, 0.85]) * end_s,
        {"angry": shares, "sad": 1 - shares},
        title="title",
        footer="footer",
    )
    waveform, segments, lines = figure.axes
    scale = 1.0 if unit == "s" else 1 / 60
    assert lines.get_xlim() == (0.0, end_s * scale)
    assert lines.get_xlabel() == f"time ({unit})"
    assert len(segments.patches) == 3
    assert [bool(patch.get_hatch()) for patch in segments.patches] == [False, False, True]
    np.testing.assert_array_equal(lines.lines[0].get_ydata(), shares)
    vertices = waveform.collections[0].get_paths()[0].vertices
    assert vertices[:, 1].min() == -0.5
    assert vertices[:, 1].max() == 0.25
