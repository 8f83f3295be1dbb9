import numpy as np

from ser.monitoring.quantities import QUANTITIES


def test_ratios_are_compared_by_factors_and_levels_by_differences():
    assert QUANTITIES["duration_s"].scaled(np.array([1.0]))[0] == 0.0
    assert QUANTITIES["duration_s"].moved(np.log(1.5)) == "x 1.50"
    assert QUANTITIES["level_dbfs"].moved(-6.02) == "-6.0 dB"
    assert QUANTITIES["confidence"].moved(0.1) == "+0.100"
    assert QUANTITIES["rolloff_hz"].spelt(3400.4) == "3400 Hz"
