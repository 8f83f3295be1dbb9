"""Columns of a table that nobody reads: which of them must not be passed over in silence."""

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from ser.errors import CorpusError
from ser.wording import cut, shown

logger = logging.getLogger(__name__)

_SEGMENT = "which part of its recording an utterance is"
_CHANNEL = "which channel of its recording an utterance is"
_PART = "who trains and who is tested"

_CURES: Mapping[str, str] = {
    _SEGMENT: "corpus.columns.start and corpus.columns.end name the columns of a part's times, in "
    "seconds",
    _CHANNEL: "channels are averaged, so write a file per channel",
    _PART: "corpus.columns.part (of train, dev and test) or corpus.columns.fold names the column "
    "that split.protocol: file deals by, corpus.columns.session the groups of other protocols",
}

#: What a column's name says where it matches as a whole; underscores and the like are left out.
_MEANINGS: Mapping[re.Pattern[str], str] = {
    re.compile(
        r"(segment|frame|sample|time|t)?(start|begin|from|onset|offset|end|stop|to)"
        r"(time|frame|sample|segment)?|(t|x)(min|max)|segment|numframes"
    ): _SEGMENT,
    re.compile(r"ch|chan|channel(id|no|number)?|side"): _CHANNEL,
    re.compile(
        r"(official|data)?(split|part|partition|set|subset|fold|cvfold|kfold|usage)(s|id|set|no)?"
        r"|(is)?(train|training|test|testing|dev|val|valid|validation|eval)(set)?"
        r"|train(dev|val)?test"
    ): _PART,
}
_MAX_NAMED, _MAX_LISTED = 10, 1000
_UNIT = re.compile(
    r"[_ .(\[-](?:s|sec|secs|seconds?|ms|msec|milliseconds?|samples?|frames?)[)\]]?$"
)


def check(path: Path, unread: Sequence[str]) -> None:
    """Refuse columns that change what is heard or who is tested; say which others are not read.

    Args:
        path: The table, for messages.
        unread: Names of its columns that nobody reads.

    Raises:
        CorpusError: There are such columns; names each, its meaning and the cure.
    """
    meant = {name: meaning for name in unread if (meaning := _meaning(name)) is not None}
    if meant:
        lines = "".join(
            f"\n  {name}: by its name it says {meaning}; {_CURES[meaning]}"
            for name, meaning in islice(meant.items(), _MAX_NAMED)
        )
        raise CorpusError(
            f"{path}:1: columns that are not read and must not be passed over:{lines}\n"
            f"or, to pass them over: corpus.ignored_columns: [{cut(', '.join(meant), _MAX_LISTED)}]"
        )
    if unread:
        names = cut(", ".join(shown(name)[1:-1] for name in unread), _MAX_LISTED)
        logger.warning("%s: columns that are not read: %s", path, names)


def _meaning(name: str) -> str | None:
    """Return what a column says by its name, or None."""
    plain = name.strip().lower()
    words = (re.sub(r"[^a-z0-9]", "", text) for text in (plain, _UNIT.sub("", plain)))
    found = (pattern for word in words for pattern in _MEANINGS if pattern.fullmatch(word))
    return next((_MEANINGS[pattern] for pattern in found), None)
