"""What every parser of a folder needs: count its recordings, refuse it."""

from collections.abc import Mapping
from pathlib import Path

from ser.errors import CorpusError, NotTheCorpusError


def not_the_corpus(name: str, root: Path, *, expected: str) -> NotTheCorpusError:
    """Return the error for a folder that is not a corpus, with the cure.

    Args:
        name: What the corpus is called: its parser, or the own name of a table.
        root: The folder.
        expected: What was looked for and not found.

    Returns:
        The error, to be raised.
    """
    state = "is not this corpus" if root.is_dir() else "is not a folder"
    return NotTheCorpusError(
        f"{root}: {state}: expected {expected}; "
        f"`ser link-corpus {name} PATH` links the folder that holds it"
    )


def check_counts(
    name: str, *, found: Mapping[str, int], expected: Mapping[str, int], num_faulty: int = 0
) -> None:
    """Refuse a corpus whose number of utterances per label is not the known one.

    Args:
        name: What the corpus is called: its parser, or the own name of a table.
        found: Label -> number of utterances.
        expected: Label -> number of recordings as published.
        num_faulty: So many of the published recordings are known to be unusable; up
            to this many may be missing in all.

    Raises:
        CorpusError: Too many are missing, or there are more than published.
    """
    labels = sorted({*expected, *found})
    lacking = {label: expected.get(label, 0) - found.get(label, 0) for label in labels}
    if min(lacking.values()) >= 0 and sum(lacking.values()) <= num_faulty:
        return
    lines = [
        f"  {label}: {found.get(label, 0)} utterances, expected {expected.get(label, 0)}"
        for label in labels
        if lacking[label]
    ]
    allowed = f" (up to {num_faulty} known to be faulty may be missing)" if num_faulty else ""
    raise CorpusError(
        f"{name}: {sum(found.values())} utterances, expected {sum(expected.values())}{allowed}:\n"
        + "\n".join(lines)
        + "\nget the missing recordings, or set corpus.allow_partial: true to go on with these"
    )
