"""A tracking server that is away for a while: who waits for it, and how long."""

import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from http.client import HTTPException
from typing import TypeVar

import requests
from mlflow.exceptions import MlflowException

from ser.tracking.place import is_server
from ser.wording import without_password

logger = logging.getLogger(__name__)

#: How long a tracking server may take to say that it is alive, in seconds.
HEALTH_TIMEOUT_S = 3.0

#: A server that answered before is waited for this long, in seconds: it may be starting again.
PATIENCE_S = 120.0

_ASK_EVERY_S = 1.0

#: What proxies and a server whose database starts again answer.
_AWAY = (
    *(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE),
    HTTPStatus.GATEWAY_TIMEOUT,
)
_SAYS_AWAY = tuple(f"too many {status.value} error responses" for status in _AWAY)

T = TypeVar("T")

_is_waiting = ContextVar("is_waiting", default=True)


def is_away(error: BaseException) -> bool:
    """Return whether a failure says that the server does not answer just now.

    Args:
        error: Of `ser.tracking.store.Client`; what it was caused by counts as well.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, requests.ConnectionError | requests.Timeout):
            return True
        if isinstance(cause, requests.exceptions.RetryError):
            return any(said in str(cause) for said in _SAYS_AWAY)
        if isinstance(cause, requests.HTTPError) and cause.response is not None:
            return cause.response.status_code in _AWAY
        if isinstance(cause, MlflowException) and cause.error_code == "TEMPORARILY_UNAVAILABLE":
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def ask(uri: str) -> None:
    """Return if a server's page of health answers.

    Args:
        uri: Of the server.

    Raises:
        Exception: It does not; urllib lets errors of sockets and of http.client through.
    """
    with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=HEALTH_TIMEOUT_S):
        return


@contextmanager
def at_once() -> Iterator[None]:
    """Let calls inside the block fail at once where the server is away, instead of waiting."""
    before = _is_waiting.set(False)
    try:
        yield
    finally:
        _is_waiting.reset(before)


def waits() -> bool:
    """Return whether calls wait for a server that is away; see `at_once`."""
    return _is_waiting.get()


class Patience:
    """Repeats calls to a server that answered before and is away for a moment.

    Where it stays away for `PATIENCE_S`, the next calls do not wait for it again.

    Args:
        uri: Tracking URI; only a server's is waited for.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._is_exhausted = not is_server(uri)

    def call(self, act: Callable[[], T]) -> T:
        """Return what a call gives, which may be made several times.

        Raises:
            Exception: Its own, where the server is there or stays away.
        """
        try:
            return act()
        except Exception as error:
            if self._is_exhausted or not waits() or not is_away(error):
                raise
            shown = without_password(self._uri)
            logger.warning("tracking server %s: no answer; waiting for it", shown)
            return self._again(act, error)

    def _again(self, act: Callable[[], T], error: Exception) -> T:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            time.sleep(_ASK_EVERY_S)
            if not _answers(self._uri):
                continue
            try:
                done = act()
            except Exception as again:
                if not is_away(again):
                    raise
                error = again
            else:
                logger.info("tracking server %s: answers again", without_password(self._uri))
                return done
        self._is_exhausted = True
        raise error


def _answers(uri: str) -> bool:
    try:
        ask(uri)
    except urllib.error.HTTPError as error:
        return error.code not in _AWAY  # others come from a server without a page of health
    except (OSError, HTTPException):
        return False
    return True
