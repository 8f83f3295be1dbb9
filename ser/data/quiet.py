"""Keep off the terminal what a C library writes there itself.

The MP3 decoder comments on damaged files on the standard error stream, past Python. What is wrong
with a recording is said by `ser.data.decoding`, in one sentence.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_STDERR = 2
#: One at a time: the stream belongs to the whole process.
_taken = threading.Lock()

#: mpg123's messages: `Note: ...`, `Warning: ...`, `[src/libmpg123/layer3.c:...] error: ...`.
_NOISE = re.compile(rb"(?:Note|Warning): .*\n|\[?\S*libmpg123\S*.*\n|\n(?=(?:Note|Warning): |\[)")


@contextmanager
def mpg123() -> Iterator[None]:
    """Drop the messages of the MP3 decoder; what others write meanwhile is shown afterwards."""
    with _taken, ExitStack() as stack:
        try:
            written = stack.enter_context(tempfile.TemporaryFile())
            shown = os.dup(_STDERR)
        except OSError:  # there is no such stream, or no place to keep what is written
            yield
            return
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(shown, _STDERR)
            os.close(shown)
            written.seek(0)
            os.write(_STDERR, _NOISE.sub(b"", written.read()))
