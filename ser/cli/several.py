"""Options that take several values after one name: `--models lstm whisper`."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from typer.core import TyperArgument, TyperCommand


class SeveralValues(TyperCommand):
    """A command whose repeatable options also take their values in one go.

    A command with positional arguments stays as it is: nothing would tell them apart.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line."""
        if any(isinstance(param, TyperArgument) for param in self.params):
            return super().parse_args(ctx, args)
        several = {
            name
            for param in self.params
            if getattr(param, "multiple", False)
            for name in param.opts
        }
        return super().parse_args(ctx, list(repeated(args, several)))


def repeated(words: Sequence[str], options: Collection[str]) -> Iterator[str]:
    """Yield words so that each value of such an option has the option before it.

    Args:
        words: E.g. `--models lstm whisper`.
        options: Those that take several values.

    Example:
        >>> list(repeated(["--models", "lstm", "whisper", "--force"], {"--models"}))
        ['--models', 'lstm', '--models', 'whisper', '--force']
    """
    option, has_value = "", True
    for word in words:
        if word in options:
            if not has_value:
                yield option
            option, has_value = word, False
        elif word.startswith("--"):
            if not has_value:
                yield option
            name = word.partition("=")[0]
            option, has_value = name if name in options else "", True
            yield word
        elif option:
            yield from (option, word)
            has_value = True
        else:
            yield word
    if not has_value:
        yield option
