"""The public listening socket: bound once, handed to every instance over a unix socket.

All instances accept from one queue that outlives each of them, so a connection that waits in it while one of them stops
is answered by another. With SO_REUSEPORT every instance had a queue of its own, and a restart reset what was in it.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from social.embedded.unfit import Unfit

BACKLOG = 2048
LONGEST = 107  # bytes of a unix socket's path, sockaddr_un
ASK_PATIENCE = 10.0  # seconds that an instance waits for the one who hands over
ASK_AGAIN = 0.05  # seconds
UNREAD_MS = 30_000  # for which a peer may leave our bytes unread


def bind(host: str, port: int) -> socket.socket:
    """Listens on `host`:`port` (0: any free one). Unfit, naming the option to change, when that is not possible.

    Its protocol is IPPROTO_TCP and not 0: only then does asyncio set TCP_NODELAY on what it accepts. An answer on a
    kept connection took 49 ms without it and 6 ms with it.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # inherited: ends a peer that stops reading, which uvicorn never does
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as wrong:
        raise Unfit(_unbound(host, port, wrong)) from None
    return listening


@contextmanager
def handed_over(listening: socket.socket, run: Path, on_asked: Callable[[int], None]) -> Iterator[Path]:
    """Serves the socket to whoever asks, until the end of the context; yields the path to ask at.

    Must be entered in a running event loop. `on_asked` is told the pid of each process that is about to get it.
    """
    loop = asyncio.get_running_loop()
    with _path(run) as path, contextlib.closing(socket.socket(socket.AF_UNIX)) as door:
        door.setblocking(False)
        door.bind(str(path))
        path.chmod(0o600)
        door.listen(64)

        def give() -> None:
            with contextlib.suppress(OSError), contextlib.closing(door.accept()[0]) as asker:  # it may have gone again
                on_asked(_pid(asker))
                socket.send_fds(asker, [b"listening"], [listening.fileno()])

        loop.add_reader(door, give)
        try:
            yield path
        finally:
            loop.remove_reader(door)


def ask(path: str | Path) -> socket.socket:
    """The public listening socket from whoever serves it at `path`: blocking, to be closed by the caller.

    Waits up to ASK_PATIENCE seconds for somebody to serve it. Unfit when nobody does.
    """
    deadline = time.monotonic() + ASK_PATIENCE
    while True:
        try:
            return _asked(path)
        except OSError as wrong:
            if time.monotonic() > deadline:
                raise Unfit(
                    f"Nobody hands over the listening socket at {path} ({wrong.strerror}): start `social servers`, "
                    f"or unset SOCIAL_LISTEN to listen on SOCIAL_HOST and SOCIAL_PORT."
                ) from None
        time.sleep(ASK_AGAIN)


def _asked(path: str | Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ASK_PATIENCE)
        asking.connect(str(path))
        _, descriptors, _, _ = socket.recv_fds(asking, 64, 1)
    if not descriptors:
        raise ConnectionResetError(errno.ECONNRESET, "it went away")
    os.set_inheritable(descriptors[0], False)
    return socket.socket(fileno=descriptors[0])


def _pid(asker: socket.socket) -> int:
    pid, _, _ = struct.unpack("iII", asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII")))
    return int(pid)


@contextmanager
def _path(run: Path) -> Iterator[Path]:
    """DATA/run/listen.sock, or one in a private temporary folder when that is too long for a unix socket."""
    path = run / "listen.sock"
    short = None
    if len(os.fsencode(path)) > LONGEST:
        short = Path(tempfile.mkdtemp(prefix="social-"))
        path = short / "listen.sock"
    path.unlink(missing_ok=True)  # of a run that was killed
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        if short is not None:
            shutil.rmtree(short)


def _unbound(host: str, port: int, wrong: OSError) -> str:
    match wrong.errno:
        case errno.EADDRINUSE:
            return f"Port {port} on {host} is taken by another program: choose another one with --port."
        case errno.EACCES:
            return f"Port {port} needs more rights than this user has: choose one above 1023 with --port."
        case _:
            return f"Cannot listen on {host}:{port} ({wrong.strerror}): choose an address of this machine with --host."
