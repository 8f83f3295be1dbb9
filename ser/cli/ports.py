"""Where a command may listen: asked before it says that it does."""

import socket

from ser.errors import SerError


def require_free(host: str, port: int, *, command: str) -> None:
    """Refuse a place that a server cannot listen at.

    Args:
        host: Its address on this machine.
        port: There.
        command: Which command asks, for the message, e.g. `ser ui`.

    Raises:
        SerError: Something else listens there, this user may not, or it is no address of this
            machine.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do; a port that was just given up is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except socket.gaierror as error:
        raise SerError(
            f"host {host}: no address of this machine ({error.strerror}); 127.0.0.1 is reached "
            f"from here alone, 0.0.0.0 from everywhere"
        ) from error
    except OSError as error:
        raise SerError(
            f"port {port}: cannot listen at {host}:{port}: {error.strerror}; end what runs there, "
            f"perhaps an earlier `{command}`, or name another port: "
            f"`{command} --port {port % 65535 + 1}`"
        ) from error
