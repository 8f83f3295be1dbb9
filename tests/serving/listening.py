"""An application that answers on a port, as `ser serve` lets it."""

import threading
import time
from contextlib import contextmanager

import uvicorn

from ser.serving.timed_protocol import TimedProtocol


@contextmanager
def on_a_port(app, **settings):
    """The application on a port of its own; gives the port."""
    config = uvicorn.Config(app, port=0, log_level="warning", http=TimedProtocol, **settings)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
