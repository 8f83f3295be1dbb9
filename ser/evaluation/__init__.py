"""Numbers that follow from predictions: summaries, intervals, comparisons, calibration, slices."""
