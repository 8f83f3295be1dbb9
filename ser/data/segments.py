"""Utterances that are parts of one recording, and hold some of the same sound."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from ser.utterance import Annotation, Segment

_Said = TypeVar("_Said", bound=Annotation)
_WHOLE = Segment(0.0, math.inf)


def place_of(annotation: Annotation) -> Segment:
    """Return which part of its recording an utterance is; a whole one has no known end."""
    return annotation.segment or _WHOLE


def overlapping(annotations: Iterable[_Said]) -> Iterator[tuple[_Said, _Said]]:
    """Yield pairs of utterances of one recording that hold some of the same sound.

    Args:
        annotations: In any order.

    Yields:
        Each pair once, the one that begins first in front. Two that are the whole of one
        recording are no pair: they are copies, and found by their samples.
    """
    of_recording: defaultdict[str, list[_Said]] = defaultdict(list)
    for annotation in annotations:
        of_recording[annotation.audio].append(annotation)
    for _, members in sorted(of_recording.items()):
        if any(member.segment for member in members):
            yield from _pairs(sorted(members, key=_order))


def refused(annotations: Sequence[Annotation]) -> dict[int, str]:
    """Return position -> reason for utterances that overlap another one of their speaker.

    Nobody says two things at once: a label, or a time, is wrong. The first is kept. What is the
    very same part is left to the intake, which compares labels. Speakers may talk at once.

    Args:
        annotations: In any order, with times that are possible.
    """
    of_speaker: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for position, annotation in enumerate(annotations):
        of_speaker[annotation.audio, annotation.speaker].append(position)
    reasons: dict[int, str] = {}
    for positions in of_speaker.values():
        if not any(annotations[position].segment for position in positions):
            continue
        last: Annotation | None = None
        for position in sorted(positions, key=lambda index: _order(annotations[index])):
            found = annotations[position]
            if last is not None and _clash(found, last):
                reasons[position] = (
                    f"it overlaps {last.id} of the same speaker and recording, {_shown(last)}, "
                    f"which is kept"
                )
            else:
                last = found
    return reasons


def _clash(found: Annotation, last: Annotation) -> bool:
    place, before = place_of(found), place_of(last)
    return place != before and place.overlaps(before)


def _pairs(members: Sequence[_Said]) -> Iterator[tuple[_Said, _Said]]:
    open_: list[_Said] = []
    for member in members:
        place = place_of(member)
        open_ = [other for other in open_ if place_of(other).end_s > place.start_s]
        yield from ((other, member) for other in open_ if other.segment or member.segment)
        open_.append(member)


def _order(annotation: Annotation) -> tuple[Segment, str]:
    return place_of(annotation), annotation.id


def _shown(annotation: Annotation) -> str:
    return "the whole of it" if annotation.segment is None else str(annotation.segment)
