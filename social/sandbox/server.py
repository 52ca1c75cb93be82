"""Runs the sandbox on uvicorn: as a process of its own, ended by SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pillow_heif
import uvicorn
from PIL import Image

from social.sandbox.app import made
from social.sandbox.connection import Protocol
from social.sandbox.trouble import Trouble

Ready = Callable[[str], None]


async def serve(
    host: str,
    port: int,
    folder: Path,
    *,
    origin: str | None = None,
    at_start: Trouble | None = None,
    ready: Ready | None = None,
) -> None:
    """Runs until SIGTERM or SIGINT; port 0 takes a free one. Calls `ready` with the origin once it listens.

    `origin` is how others reach it where that is not `http://host:port`. Raises OSError where the port is taken,
    store.FolderTaken where another sandbox has the folder.
    """
    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # the platforms' own limits are below it; this process decodes nothing else
    with _listening(host, port) as listener:
        address = origin or f"http://{host}:{listener.getsockname()[1]}"
        app = made(address, folder, at_start)
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        await _Server(config, lambda: ready(address) if ready else None).serve(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it listens, and ends quietly: uvicorn would raise the signal again and die of it."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self.force_exit = self.should_exit  # asked twice: at once
        self.should_exit = True


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        yield listener
