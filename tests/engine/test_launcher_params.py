import pytest

from ser.engine.launcher_params import DIRECTLY, LauncherParams, other_machine
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


TWO = "torchrun --nnodes 2 --nproc-per-node 4 --master-addr head --master-port 29500 -m"


@pytest.mark.parametrize(
    ("launcher", "environment", "machine"),
    [
        (TWO, {}, None),
        (TWO, {"PET_NODE_RANK": "0"}, None),
        (TWO, {"PET_NODE_RANK": "1"}, "head"),
        (TWO.replace(" -m", " --node-rank=2 -m"), {"PET_NODE_RANK": "0"}, "head"),
        (TWO.replace(" -m", " --node_rank 0 -m"), {"PET_NODE_RANK": "1"}, None),
        ("torchrun --nnodes 2 -m", {"PET_NODE_RANK": "1", "PET_MASTER_ADDR": "a"}, "a"),
        ("torchrun --nnodes 2 -m", {"PET_NODE_RANK": "1"}, "the machine of rank 0"),
        ("accelerate launch --machine_rank 1 --main_process_ip head -m", {}, "head"),
        ("accelerate launch -m", {}, None),
        ("torchrun --standalone --nproc-per-node 2 -m", {"PET_NODE_RANK": "1"}, None),
        ("mpirun -n 2 python -m", {}, None),
        (DIRECTLY, {"PET_NODE_RANK": "1"}, None),
        (DIRECTLY, {"RANK": "0", "MASTER_ADDR": "head"}, None),
        (DIRECTLY, {"RANK": "3", "MASTER_ADDR": "head"}, "head"),
    ],
)
def test_the_machine_that_gets_the_results_is_known(launcher, environment, machine):
    assert other_machine(launcher, environment) == machine
