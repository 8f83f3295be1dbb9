"""How far a long job is: what wraps its loop, to show it to a person."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """Hands the items of a loop on, one by one, and shows how many have passed.

    `tqdm` and `functools.partial(tqdm, desc="extract")` are such; `iter` shows nothing.
    """

    def __call__(self, items: Iterable[Item], /) -> Iterable[Item]:
        """Return the items, in order."""
        ...
