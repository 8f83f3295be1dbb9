"""Sessions for corpora that have none: groups of speakers, balanced by gender."""

from collections.abc import Mapping

from ser.utterance import Gender


def deal(genders: Mapping[str, Gender | None], *, num_sessions: int) -> dict[str, str]:
    """Deal speakers into groups like cards: the women by name, the men, then who is neither.

    The men are dealt on from where the women ended, and so on, so that groups differ by at
    most one woman, one man and one speaker in all.

    Args:
        genders: Speaker -> gender, None where it is not known.
        num_sessions: Number of groups.

    Returns:
        Speaker -> `group1`, `group2`, ...

    Raises:
        ValueError: There are fewer speakers than groups.

    Example:
        >>> deal({"a": "female", "b": "male", "c": "female", "d": "male"}, num_sessions=2)
        {'a': 'group1', 'c': 'group2', 'b': 'group1', 'd': 'group2'}
    """
    if len(genders) < num_sessions:
        raise ValueError(f"{len(genders)} speakers cannot be dealt into {num_sessions} groups")
    ordered = sorted(genders, key=lambda who: (genders[who] is None, genders[who] or "", who))
    return {speaker: f"group{index % num_sessions + 1}" for index, speaker in enumerate(ordered)}
