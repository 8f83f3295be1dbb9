import pytest

from ser.engine.launcher_params import DIRECTLY, LauncherParams
from ser.errors import ParamsError
from ser.params import parse


def test_one_process_trains_unless_params_say_otherwise():
    assert parse({"corpus": {}}, LauncherParams, where="params.yaml").launcher == DIRECTLY
    content = {"launcher": "accelerate launch -m"}
    said = parse(content, LauncherParams, where="params.yaml").launcher
    assert said == "accelerate launch -m"


@pytest.mark.parametrize("launcher", ["torchrun", "python", "torchrun -mx"])
def test_a_launcher_that_takes_no_module_is_refused(launcher):
    with pytest.raises(ParamsError, match=rf"must end in -m, .* got '{launcher}'") as refused:
        parse({"launcher": launcher}, LauncherParams, where="params.yaml")
    assert str(refused.value).count("got") == 1
