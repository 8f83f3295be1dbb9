"""By what names a server may be asked.

A web page can let its own name point to this machine (DNS rebinding): the browser then takes the
server's answers for that page's own. Such a request names the page's host, so a name that is not
the server's is refused. An address in numbers is nobody's name, and passes.
"""

import ipaddress
import re
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from ser.errors import SerError
from ser.serving.request_guard import Headers, refused, single
from ser.wording import shown

#: Allows every name.
ANY = "*"
#: Names of this machine to itself, which no other can have (RFC 6761).
_OWN = ("localhost", "*.localhost")
_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_MISDIRECTED = 421


def allowed(host: str, further: str | None = None) -> tuple[str, ...]:
    """Return the names that a server may be asked by.

    Args:
        host: Address or name that it listens at.
        further: More names, by commas: `a.example.org`, `*.example.org` for all below it, or
            `*` for every name.

    Returns:
        Those, the machine's own, and the name that it listens at; `*` alone where all are.

    Raises:
        SerError: One is no name of a host.
    """
    given = [name.strip().lower() for name in (further or "").split(",") if name.strip()]
    if ANY in given:
        return (ANY,)
    for name in given:
        if not (_NAME.fullmatch(name) or _is_address(name)):
            raise SerError(
                f"--allowed-hosts {shown(name)}: no name of a host; write names without http:// "
                f"and port, by commas: ser.example.org,*.example.org, or '*' for every name"
            )
    own = (*_OWN, host.lower(), socket.gethostname().lower(), socket.getfqdn().lower())
    return tuple(dict.fromkeys((*own, *given)))


def is_allowed(name: str, names: Collection[str]) -> bool:
    """Return whether a server may be asked by a name.

    Args:
        name: Without port, in lower case.
        names: From `allowed`.

    Example:
        >>> is_allowed("a.example.org", ["*.example.org"])
        True
        >>> is_allowed("example.org.evil.net", ["*.example.org"])
        False
        >>> is_allowed("10.0.0.7", [])
        True
    """
    if ANY in names or name in names or _is_address(name):
        return True
    return any(one.startswith("*.") and name.endswith(one[1:]) for one in names)


def host_in(headers: Headers) -> str | None:
    """Return the name in the header `Host`, in lower case and without port; None: there is none.

    Example:
        >>> host_in([(b"host", b"[::1]:5050")])
        '::1'
    """
    given = single(headers, b"host")
    try:
        name = urlsplit(f"//{given or ''}").hostname
    except ValueError:  # brackets that are no address
        return None
    return name.rstrip(".") if name else None


class HostGuard:
    """Refuses requests by names that are not the server's.

    Args:
        app: What is guarded.
        names: From `allowed`.
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421, or pass the request on."""
        if scope["type"] != "http" or ANY in self.names:
            await self.app(scope, receive, send)
            return
        name = host_in(scope["headers"])
        if name is not None and is_allowed(name, self.names):
            await self.app(scope, receive, send)
            return
        said = "no host" if name is None else f"the host {shown(name)}"
        reason = (
            f"the request names {said}, by which this server does not answer; ask it by its own "
            f"name or address, or start it with --allowed-hosts and the name"
        )
        await refused(_MISDIRECTED, reason)(scope, receive, send)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
