"""Several processes that train one fit: rank 0 decides, and the others follow.

A launcher such as torchrun starts them and says in the environment who they are; a rank is one of
them. What decides (whether a fold is kept, what a checkpoint says, how an epoch scored) is read or
computed by rank 0 alone and given to the others, so that neither another disk nor another
processor lets them part ways. With one process nothing here waits for, or sends, anything.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.rendezvous import rendezvous

from ser import runtime
from ser.errors import RankError, RankLostError
from ser.wording import shown

#: How long a rank waits until all others are there.
JOINING = timedelta(minutes=5)
#: Names how long it waits later until they do what it does too, in seconds. A rank that ends is
#: noticed at once; this is for a machine that no longer answers.
TIMEOUT_VARIABLE = "SER_RANK_TIMEOUT_S"
#: Where the variable is not set: ranks wait, too, while the first evaluates and records.
_TIMEOUT_S = 1800
_TIMEOUTS_S = range(60, 86_401)

#: What a launcher says to each process that it starts, as torchrun does.
_SAID = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
#: How many processes there are, as torchrun and the starters of MPI say it.
_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
#: What gloo says when the other end of a connection is gone; it has no type of error of its own.
_OF_GLOO = "gloo/transport"

_Value = TypeVar("_Value")


def announced() -> int:
    """Return how many processes the environment says there are, at least 1."""
    return max(
        int(value) if (value := os.environ.get(name, "")).isdigit() else 1 for name in _SIZES
    )


def number() -> int:
    """Return which rank the environment says that this process is; 0 of one alone."""
    value = os.environ.get("RANK", "")
    return int(value) if value.isdigit() else 0


def size() -> int:
    """Return how many processes train together: those that have joined, 1 of one alone."""
    return distributed.get_world_size() if _has_joined() else 1


def is_first() -> bool:
    """Return whether this process decides, keeps and records: rank 0, or the only one."""
    return not _has_joined() or distributed.get_rank() == 0


def join() -> None:
    """Join the other processes, if the environment says that there are some; twice is no harm.

    Tensors on the CPU go by gloo, so that ranks can speak whatever they train on; those on an
    accelerator by its own means.

    Raises:
        RankError: This process is alone, though others were asked for, or they do not come, or
            the environment says no time that one waits for another.
    """
    num_processes = announced()
    if num_processes == 1:
        _require_alone()
    if num_processes == 1 or _has_joined():
        return
    if missing := [name for name in _SAID if not os.environ.get(name)]:
        raise RankError(
            f"the environment says that {num_processes} processes train together, but not "
            f"{', '.join(missing)}, so this one cannot find the others; start them with torchrun "
            f"(docs/gpu.md), or, to train alone, unset {' and '.join(_set(_SIZES))}"
        )
    waiting = _timeout()
    try:
        store, rank, _ = next(rendezvous("env://", timeout=JOINING))
        distributed.init_process_group(
            _backend(), store=store, rank=rank, world_size=num_processes, timeout=waiting
        )
    except (RuntimeError, ValueError) as error:
        raise RankError(
            f"WORLD_SIZE says that {num_processes} processes train together, and they did not all "
            f"come to {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']} within "
            f"{JOINING.total_seconds():g} s; start the others, or, to train alone, unset WORLD_SIZE"
        ) from error


def leave() -> None:
    """Part from the other processes once all is done."""
    if _has_joined():
        distributed.destroy_process_group()


def gathered(value: _Value) -> list[_Value]:
    """Return what every rank gives, by rank; anything that can be pickled."""
    if size() == 1:
        return [value]
    found: list[_Value] = [value] * size()
    distributed.all_gather_object(found, value)
    return found


@contextmanager
def together() -> Iterator[None]:
    """Let what fails in the block on one rank fail on all, so that none waits for it.

    Inside, ranks do not speak to each other.

    Raises:
        SerError: What was raised here.
        RankError: What was raised on another rank, with its number and machine.
    """
    if size() == 1:
        yield
        return
    failure: Exception | None = None
    said: str | None = None
    try:
        yield
    except Exception as error:
        if (said := runtime.explained(error)) is None:
            raise
        failure = error
    everywhere = gathered(None if said is None else f"{place()}: {said}")
    if failure is not None:
        raise failure
    if others := [one for one in everywhere if one is not None]:
        raise RankError("; ".join(others))


def decided(decide: Callable[[], _Value]) -> _Value:
    """Return what rank 0 computes, on every rank; the others do not compute it.

    Args:
        decide: Speaks to no other rank; what it returns can be pickled.

    Raises:
        SerError: It failed on rank 0, see `together`.
    """
    if size() == 1:
        return decide()
    value: list[_Value | None] = [None]
    with together():
        if is_first():
            value = [decide()]
    distributed.broadcast_object_list(value, src=0, device=torch.device("cpu"))
    return value[0]  # type: ignore[return-value]  # it is rank 0's now


def shared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return rank 0's tensors on every rank, on the CPU.

    Args:
        tensors: Name -> tensor on the CPU; of other ranks they are not looked at.
    """
    if size() == 1:
        return dict(tensors)
    forms = decided(lambda: {name: (one.shape, one.dtype) for name, one in tensors.items()})
    found = {}
    for name, (shape, dtype) in forms.items():
        tensor = tensors[name].contiguous() if is_first() else torch.empty(shape, dtype=dtype)
        if tensor.numel():
            # As bytes: gloo does not know every type.
            distributed.broadcast(tensor.reshape(-1).view(torch.uint8), src=0)
        found[name] = tensor
    return found


@contextmanager
def noticing_the_lost() -> Iterator[None]:
    """Turn what torch says where another rank has ended into an error of ours.

    Raises:
        RankLostError: A rank does not answer any more.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or _OF_GLOO in str(error)):
            raise
        raise RankLostError(
            f"{place()}: another process of this fit has ended, so this one ends as well; its "
            f"messages say why, and the same command goes on from the last checkpoint"
        ) from error


def place() -> str:
    """Return what this process is called in messages: its rank and its machine."""
    return f"rank {number()} on {socket.gethostname()}"


def require_all_joined(num_processes: int) -> None:
    """Refuse a library's other opinion of how many processes train together.

    Args:
        num_processes: Its opinion.

    Raises:
        RankError: It is not `size()`.
    """
    if num_processes != size():
        raise RankError(
            f"{size()} processes have joined, but Accelerate trains with {num_processes}; start "
            f"them with torchrun (docs/gpu.md)"
        )


def _has_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def _require_alone() -> None:
    """Refuse to be the only one where others were meant, each of which would think so, too."""
    if os.environ.get("MASTER_ADDR") and "WORLD_SIZE" not in os.environ:
        raise RankError(
            f"MASTER_ADDR is set ({os.environ['MASTER_ADDR']}), so several processes were to train "
            f"together, but no WORLD_SIZE says how many: each would train alone. `accelerate "
            f"launch --cpu` does so; write `torchrun` in its place (docs/gpu.md), or, to train "
            f"alone, unset MASTER_ADDR"
        )


def _timeout() -> timedelta:
    """Return how long a rank waits for another one, as the environment has it."""
    said = os.environ.get(TIMEOUT_VARIABLE) or str(_TIMEOUT_S)
    if not re.fullmatch(r"[0-9]{1,9}", said) or int(said) not in _TIMEOUTS_S:
        raise RankError(
            f"{TIMEOUT_VARIABLE} must be whole seconds from {_TIMEOUTS_S[0]} to {_TIMEOUTS_S[-1]}, "
            f"got {shown(said)}; unset it for {_TIMEOUT_S}"
        )
    return timedelta(seconds=int(said))


def _backend() -> str:
    """Return what carries tensors, for each kind of device that is here."""
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if device is None:
        return "cpu:gloo"
    return f"cpu:gloo,{device.type}:{distributed.get_default_backend_for_device(device)}"


def _set(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in os.environ]
