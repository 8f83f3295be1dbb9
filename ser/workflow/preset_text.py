"""A preset as it is written: the lines of its sections and entries, comments included."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from ser import files
from ser.params import read
from ser.workflow.preset import Preset

_Pairs = Sequence[tuple[yaml.Node, yaml.Node]]

#: In C where PyYAML was built with libyaml.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CURE = "`ser new-preset` takes entries from there; run it in the project's root"


class PresetText:
    """The text of a preset and what it means.

    Args:
        path: The file, in block style as those of configs/ are.

    Raises:
        FileError: It cannot be read.
        ParamsError: It is no valid preset.
    """

    def __init__(self, path: Path) -> None:
        text = files.read_text(path, cure=_CURE)
        self.path = path
        self.lines = text.splitlines()
        self.preset = read(path, Preset)
        root = yaml.compose(text, Loader=_LOADER)
        self._sections = root.value if isinstance(root, yaml.MappingNode) else []

    def section(self, name: str) -> str:
        """Return the lines of a section, with the comment above it.

        Raises:
            KeyError: There is none.
        """
        return self._lines_of(self._sections, name, len(self.lines))

    def entry(self, section: str, name: str) -> str:
        """Return the lines of one entry of a section, with the comment above it.

        Raises:
            KeyError: There is no such section, or no such entry.
        """
        for key, value in self._sections:
            if key.value == section:
                return self._lines_of(value.value, name, value.end_mark.line)
        raise KeyError(section)

    def first_line(self, section: str) -> str:
        """Return the line of a section's name, with its comment."""
        (key,) = (key for key, _ in self._sections if key.value == section)
        line: str = self.lines[key.start_mark.line]
        return line

    def _lines_of(self, pairs: _Pairs, name: str, end: int) -> str:
        """Return the lines from a key, or the comment above it, to the next key's or the end."""
        starts = [self._start(key) for key, _ in pairs]
        for (key, _), start, stop in zip(pairs, starts, [*starts[1:], end], strict=True):
            if key.value == name:
                return "\n".join(_without_tail(self.lines[start:stop]))
        raise KeyError(name)

    def _start(self, key: yaml.Node) -> int:
        """Return the line of a key, or that of the comment right above it."""
        line, indent = key.start_mark.line, " " * key.start_mark.column
        while line > 0 and self.lines[line - 1].startswith(f"{indent}#"):
            line -= 1
        return line


def _without_tail(lines: list[str]) -> list[str]:
    """Return lines without blank ones and comments of the next section at their end."""
    last = max(i for i, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    return lines[: last + 1]
