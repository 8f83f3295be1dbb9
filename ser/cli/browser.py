"""Opens an address in a browser as soon as its server answers: a program of its own."""

import sys
import time
import urllib.request
import webbrowser

_PATIENCE_S = 60.0


def main(base: str, address: str, *, patience_s: float = _PATIENCE_S) -> bool:
    """Wait for a server and open an address.

    Args:
        base: Address of the server.
        address: What is opened.
        patience_s: How long the server may take to start, in seconds.

    Returns:
        Whether it was opened.
    """
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(base, timeout=5.0).close()
        except OSError:  # not yet; what urllib raises is one of them
            time.sleep(0.2)
        else:
            return webbrowser.open(address)
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
