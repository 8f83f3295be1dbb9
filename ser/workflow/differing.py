"""Which settings of a section have changed since something was made with it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError


def differing(made: Mapping[str, Any], said: BaseModel) -> Iterator[str]:
    """Yield a line for each setting that differs, defaults of new settings filled in.

    Args:
        made: The section as it was, JSON.
        said: As params.yaml has it now.
    """
    now = said.model_dump(mode="json")
    try:
        then = type(said).model_validate(made).model_dump(mode="json")
    except ValidationError:  # of another component
        then = dict(made)
    for key in now:
        if then.get(key) != now[key]:
            yield f"{key} was {_shown(then.get(key))}, is {_shown(now[key])}"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
