"""Opening the studio: a port, an address to open, and a quiet end."""

from __future__ import annotations

import errno
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import uvicorn

from steadygan.errors import ConfigError, StorageError, reason
from steadygan.web.app import create_app
from steadygan.web.studio import Studio

_NEXT = 20  # ports that are tried after one that is taken


def serve(folder: Path, port: int, share: bool, open_it: bool, say: Callable[[str], None], start: str = "/") -> None:
    """Serve the studio until it is interrupted; `start` is the page that is opened.

    ConfigError if `folder` is a file, or neither the port nor the next ones are free.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; give the folder that holds the runs")
    studio = Studio(folder, share=share)
    listener = _listener(port, share)
    taken = listener.getsockname()[1]
    if taken != port and port:
        say(f"port {port} is taken; using {taken}")
    address = f"http://127.0.0.1:{taken}{start}"
    if share:
        address += f"?token={quote(studio.token)}"
        say(f"shared: whoever has this link may look at the runs and start work on this machine\n{_outward(address)}")
    say(f"studio   {address}\nCtrl-C ends it; trainings go on")
    if open_it:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    config = uvicorn.Config(
        create_app(studio),
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    try:
        _Server(config, studio).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn has heard it, ended well, and hands it on
        return
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """Tells streams that they are at their end, so that a browser with a live page keeps nothing waiting."""

    def __init__(self, config: uvicorn.Config, studio: Studio) -> None:
        super().__init__(config)
        self.studio = studio

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.studio.closing.set()
        super().handle_exit(sig, frame)


def _listener(port: int, share: bool) -> socket.socket:
    """A socket on this port, or on the next that is free."""
    for number in range(port, min(port + _NEXT, 65_535) + 1):
        listener = socket.socket()
        if os.name == "posix":  # elsewhere it would take a port from whoever has it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("" if share else "127.0.0.1", number))
            listener.listen(128)
        except OSError as problem:
            listener.close()
            if problem.errno == errno.EACCES:
                raise StorageError(f"port {number} is not for programs of users; choose another with --port") from None
            if problem.errno != errno.EADDRINUSE:
                raise StorageError(f"cannot listen at port {number}: {reason(problem)}") from problem
        else:
            return listener
    raise ConfigError(f"port {port} and the {_NEXT} after it are taken; choose another with --port")


def _outward(address: str) -> str:
    """The address with the name of this machine, by which others may reach it."""
    return address.replace("127.0.0.1", socket.gethostname(), 1)
