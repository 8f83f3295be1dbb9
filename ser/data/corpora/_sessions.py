"""Sessions for corpora that have none: groups of speakers, balanced by gender."""

from collections.abc import Collection, Iterable, Mapping

from ser.utterance import Gender


def deal(
    genders: Mapping[str, Gender | None],
    *,
    num_sessions: int,
    conversations: Iterable[Collection[str]] = (),
) -> dict[str, str]:
    """Deal speakers into groups like cards: the women by name, the men, then who is neither.

    The men are dealt on from where the women ended, and so on, so that groups differ by at
    most one woman, one man and one speaker in all. Who talks with whom is dealt as one card, in
    the place of the first of them, so that no conversation is in two groups.

    Args:
        genders: Speaker -> gender, None where it is not known.
        num_sessions: Number of groups.
        conversations: Speakers of each.

    Returns:
        Speaker -> `group1`, `group2`, ...

    Raises:
        ValueError: There are fewer speakers, or circles of speakers, than groups.

    Example:
        >>> deal({"a": "female", "b": "male", "c": "female", "d": "male"}, num_sessions=2)
        {'a': 'group1', 'c': 'group2', 'b': 'group1', 'd': 'group2'}
    """
    ordered = sorted(genders, key=lambda who: (genders[who] is None, genders[who] or "", who))
    circle_of = _circles(ordered, conversations)
    circles = list(dict.fromkeys(circle_of[speaker] for speaker in ordered))
    if len(circles) < num_sessions:
        what = "speakers"
        if len(circles) < len(genders):
            what = "circles of speakers who talk with one another"
        raise ValueError(f"{len(circles)} {what} cannot be dealt into {num_sessions} groups")
    session_of = {name: f"group{n % num_sessions + 1}" for n, name in enumerate(circles)}
    return {speaker: session_of[circle_of[speaker]] for speaker in ordered}


def _circles(
    speakers: Iterable[str], conversations: Iterable[Collection[str]]
) -> Mapping[str, str]:
    """Return speaker -> one of those whom a chain of conversations joins with them."""
    above = {speaker: speaker for speaker in speakers}

    def top(speaker: str) -> str:
        while above[speaker] != speaker:
            above[speaker] = speaker = above[above[speaker]]
        return speaker

    for first, *others in map(sorted, conversations):
        for other in others:
            above[top(other)] = top(first)
    return {speaker: top(speaker) for speaker in above}
