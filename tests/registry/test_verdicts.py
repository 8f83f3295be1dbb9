from ser.registry import gates
from ser.registry.gate_params import GateParams
from ser.registry.verdicts import as_table
from tests.registry.support import GOOD


def test_the_table_says_what_was_measured_against_what():
    text = as_table(gates.judge(GOOD.model_copy(update={"ece": 0.3}), GateParams()))
    (line,) = (line for line in text.splitlines() if line.startswith("calibration"))
    assert line.split()[1:5] == ["0.3", "<=", "0.15", "FAIL"]
    assert text.count("pass") == len(gates.GATES) - 1
