import pytest

from ser.cli import extras
from ser.errors import EngineError


def test_ray_is_asked_for_only_where_it_is_not_there(monkeypatch):
    extras.require_ray("--address")
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match="--address needs Ray"):
        extras.require_ray("--address")
