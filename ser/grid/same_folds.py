"""Whether the processes that train a cell together would each train the same: by name, if not."""

from collections.abc import Callable, Mapping

from ser.engine import agreement
from ser.errors import RankError
from ser.tracking.recording import flatten
from ser.training import ranks

_Job = tuple[int, int]


def by_name(decisive: Mapping[str, object], sources: Mapping[str, str]) -> dict[str, str]:
    """Return what decides a fold's result as texts by name, each source file by its own.

    Args:
        decisive: See `ser.grid.specs.decisive`.
        sources: File -> digest.
    """
    return {**flatten({k: v for k, v in decisive.items() if k != "source"}), **sources}


def require(keys: Mapping[_Job, str], decided_by: Callable[[_Job], Mapping[str, str]]) -> None:
    """Refuse, on every rank, what one of them would train otherwise than rank 0.

    Args:
        keys: (fold, seed) -> its run key, by the data, code and versions of this process.
        decided_by: Says what decides the result of one of them, name -> value.

    Raises:
        RankError: A rank would train something else; names what differs, with both values.
    """
    everywhere = ranks.gathered(dict(keys))
    if all(theirs == everywhere[0] for theirs in everywhere):
        return
    job = next((job for job in everywhere[0] if _differ(job, everywhere)), None)
    jobs = {"folds and seeds": ", ".join(f"{fold}/{seed}" for fold, seed in keys)}
    said = ranks.gathered((ranks.place(), dict(decided_by(job)) if job else jobs))
    first, theirs = said[0]
    raise RankError(
        "; ".join(
            f"{first} says of {place}: {agreement.refusal(theirs, ours)}"
            for place, ours in said[1:]
            if ours != theirs
        )
    )


def _differ(job: _Job, everywhere: list[dict[_Job, str]]) -> bool:
    """Return whether all ranks know a fold under a seed, and not all as the same."""
    found = [theirs.get(job) for theirs in everywhere]
    return None not in found and len(set(found)) > 1
