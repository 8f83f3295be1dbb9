"""Whether a node would do a unit as it is done here: what decides its result, by name."""

from collections.abc import Mapping

from ser.errors import NodeError
from ser.wording import cut

#: Differences that a message names.
_MOST_NAMED = 5
_MAX_VALUE = 24


def refusal(theirs: Mapping[str, str], ours: Mapping[str, str]) -> NodeError:
    """Return why a unit is refused whose result would be another one here.

    Args:
        theirs: What decides it for whoever asks, name -> value.
        ours: The same by the data, code and versions of this node.

    Returns:
        The error; it names what differs, with both values.
    """
    names = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
    said = [
        f"{name} is {_shown(ours.get(name))} there and {_shown(theirs.get(name))} here"
        for name in names[:_MOST_NAMED]
    ]
    more = f"; and {len(names) - len(said)} more" if len(names) > len(said) else ""
    return NodeError(
        f"its result would be another one: {'; '.join(said)}{more}; bring its code, params.yaml "
        f"and data to what they are here (git pull, dvc pull)"
    )


def _shown(value: str | None) -> str:
    return "absent" if value is None else cut(value, _MAX_VALUE)
