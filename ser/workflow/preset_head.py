"""The head of a preset: what it needs, in comments that people read and `ser doctor` checks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ser.errors import ParamsError

#: The fields of a head, in their order, each a line `#   <field>   <value> (<remark>)`.
FIELDS = ("corpus", "weights", "gpu", "extras", "takes", "memory", "disk")
NONE = "none"
UNKNOWN = "unknown"

_LINE = re.compile(rf"#   (?P<field>{'|'.join(FIELDS)})\s+(?P<value>\S.*)")
_REMARK = re.compile(r"\s*\(.*\)$")
_SIZE = re.compile(rf"(?P<gigabytes>\d+(\.\d+)?) GB\b.*|{UNKNOWN}\b.*")


@dataclass(frozen=True, slots=True)
class PresetHead:
    """What a preset needs.

    Args:
        corpus: Name of its parser.
        weights: Published weights: ids of the hub, or the last part of a path.
        gpu: Whether it is made for a GPU.
        extras: Packages beyond the locked ones.
        takes: How long a whole run takes, in words.
        memory_gb: Of one process; None where it is unknown.
        disk_gb: Of features, runs and reports together, the corpus left out; None where it
            is unknown.
    """

    corpus: str
    weights: tuple[str, ...]
    gpu: bool
    extras: tuple[str, ...]
    takes: str
    memory_gb: float | None
    disk_gb: float | None

    def text(self) -> str:
        """Return the lines of the head, as `read` reads them."""
        values = {
            "corpus": self.corpus,
            "weights": ", ".join(self.weights) or NONE,
            "gpu": "yes" if self.gpu else "no",
            "extras": ", ".join(self.extras) or NONE,
            "takes": self.takes,
            "memory": _shown(self.memory_gb, " a process"),
            "disk": _shown(self.disk_gb),
        }
        return "".join(f"#   {field:<7}   {values[field]}\n" for field in FIELDS)


def read(path: Path) -> PresetHead | None:
    """Return the head of a preset, or None where the file has none.

    Args:
        path: A preset, or params.yaml, which may be a copy of one.

    Raises:
        ParamsError: The head lacks a field, or says something else than is expected.
    """
    values = _values(path)
    if not values:
        return None
    if missing := [field for field in FIELDS if field not in values]:
        raise ParamsError(
            f"{path}: its head does not say {', '.join(missing)}; write it as in "
            "configs/emodb.yaml, or remove the other lines of the head"
        )
    return PresetHead(
        corpus=values["corpus"],
        weights=_listed(values["weights"]),
        gpu=_is_yes(path, values["gpu"]),
        extras=_listed(values["extras"]),
        takes=values["takes"],
        memory_gb=_gigabytes(path, "memory", values["memory"]),
        disk_gb=_gigabytes(path, "disk", values["disk"]),
    )


def _values(path: Path) -> Mapping[str, str]:
    """Return field -> value, remarks removed, of the comments above the first setting."""
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if found := _LINE.fullmatch(line.rstrip()):
            values[found["field"]] = _REMARK.sub("", found["value"])
    return values


def _listed(value: str) -> tuple[str, ...]:
    return () if value == NONE else tuple(part.strip() for part in value.split(","))


def _is_yes(path: Path, value: str) -> bool:
    if value not in ("yes", "no"):
        raise ParamsError(f"{path}: gpu in its head must be yes or no, got {value!r}")
    return value == "yes"


def _gigabytes(path: Path, field: str, value: str) -> float | None:
    found = _SIZE.fullmatch(value)
    if found is None:
        raise ParamsError(
            f"{path}: {field} in its head must be like `0.5 GB`, or {UNKNOWN}, got {value!r}"
        )
    return None if found["gigabytes"] is None else float(found["gigabytes"])


def _shown(gigabytes: float | None, suffix: str = "") -> str:
    return UNKNOWN if gigabytes is None else f"{gigabytes:g} GB{suffix}"
