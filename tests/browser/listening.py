"""A studio that listens, in a thread of the tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steadygan.web.studio import Studio


@contextmanager
def listening(studio: Studio) -> Iterator[str]:
    """The address of the studio while the block lasts."""
    import uvicorn

    from steadygan.web.app import create_app

    listener = socket.create_server(("127.0.0.1", 0))  # connections wait in it until the server is there
    server = uvicorn.Server(uvicorn.Config(create_app(studio), log_level="critical"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
