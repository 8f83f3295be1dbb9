"""What a command needs that is installed on request only."""

from importlib.util import find_spec

from ser.errors import EngineError


def require_ray(option: str) -> None:
    """Refuse an option that asks for a cluster where Ray is not installed.

    Raises:
        EngineError: It is not; names the cure.
    """
    if find_spec("ray") is None:
        raise EngineError(
            f"{option} needs Ray: `.venv/bin/pip install -c constraints.txt -e '.[cluster]'`"
        )
