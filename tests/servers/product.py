"""The product as a process of its own, and a person who uses it through its API alone."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from social.settings import Settings
from tests.servers.sandbox import Sandbox

PASSWORD = "a long and quiet river"
READY_WITHIN = 90.0  # seconds; on a quiet machine it takes two
Json = dict[str, Any]


class Product:
    """`social serve` on servers that are there already. Killed and started again as often as a test likes."""

    def __init__(self, settings: Settings, folder: Path, **env: str) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "product.log"
        self.env = _environment(settings, self.url, self.port) | env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True, **env: str) -> Self:
        """Starts it, with more of the environment for this start alone; waits until it is `ready`, if it has a door."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "social", "serve"],
                env={**os.environ, **self.env, **env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if ready:
            self._wait_until_ready()
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process. Fails the test if it was never started."""
        assert self._process is not None, "not started"
        return self._process

    def kill(self) -> None:
        """SIGKILL: no farewell."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)

    def wait_until_dead(self, within: float = 20) -> int:
        """Waits until it has ended by itself; the exit code, -9 for SIGKILL."""
        return self.process.wait(timeout=within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log.read_text()[-2000:]}"
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if b" 200 " in connection.recv(200):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready within {READY_WITHIN} s: {self.log.read_text()[-2000:]}")


class Away(AssertionError):
    """The product has asked to be asked again in a moment; what was asked for may have happened."""


class Person:
    """Somebody who uses the product through its API, as any client would."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/api/v1"
        self.token: str | None = None

    async def ask(self, method: str, path: str, *, expect: int | None = None, **given: Any) -> Any:
        """One call; its decoded answer. Fails the test with the problem's words unless the status is as expected."""
        status, body = await self.tried(method, path, **given)
        ok = status == expect if expect else status < 300
        if status == 503 and not ok:
            raise Away(f"{method} {path}: {body}")
        assert ok, f"{method} {path}: {status} {body}"
        return body

    async def tried(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """One call, whatever comes of it: status and decoded answer."""
        headers = {"Social-Client": "tests", **given.pop("headers", {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self._session.request(method, self._url + path, headers=headers, **given) as answer:
            empty = answer.content_length == 0 or answer.status == 204
            return answer.status, None if empty else await answer.json(content_type=None)

    async def set_up(self, token: str) -> Json:
        """Becomes the owner of a fresh instance."""
        signed_in: Json = await self.ask(
            "POST",
            "/setup",
            json={
                "token": token,
                "name": "Ada",
                "email": "ada@example.org",
                "password": PASSWORD,
                "workspace": "Ada's",
                "zone": "Europe/Berlin",
            },
        )
        self.token = signed_in["access_token"]
        return signed_in

    async def connect(self, sandbox: Sandbox, username: str = "ada", platform: str = "mastodon") -> Json:
        """Connects an account of the sandbox, over the platform's consent page."""
        found = await self.find(sandbox, username, platform)
        account: Json = await self.ask("POST", f"/connections/{found['id']}/account")
        return account

    async def find(self, sandbox: Sandbox, username: str = "ada", platform: str = "mastodon") -> Json:
        """Gives the permission on the consent page: whose account it is, not linked yet."""
        start = await self.ask("POST", "/connections", json={"platform": platform, "realm": "sandbox"})
        back = parse_qs(urlsplit(await sandbox.consent(start["url"], username)).query)
        answer = {name: back[name][0] for name in ("code", "state", "iss") if name in back}
        found: Json = await self.ask("POST", f"/connections/{platform}/answer", json=answer)
        return found

    async def upload(self, picture: bytes | BinaryIO, name: str = "picture.jpg") -> Json:
        """A picture into the library."""
        media: Json = await self.ask("POST", "/media", params={"name": name}, data=picture)
        return media

    async def write(self, text: str, *accounts: str, media: tuple[Mapping[str, str], ...] = ()) -> Json:
        """A draft."""
        post: Json = await self.ask(
            "POST", "/posts", json={"text": text, "accounts": list(accounts), "media": list(media)}
        )
        return post

    async def plan(self, post: Json, **when: Any) -> Json:
        """Gives it a date: now=True, at=..., or wall=... and zone=...."""
        planned: Json = await self.ask("PUT", f"/posts/{post['id']}/plan", json={"revision": post["revision"], **when})
        return planned

    async def until(self, post: Json, *states: str, within: float = 20) -> Json:
        """Waits until every publication of the post is in one of `states`; the post as it is then."""
        deadline = time.monotonic() + within
        while True:
            seen: Json = await self.ask("GET", f"/posts/{post['id']}")
            if seen["publications"] and all(each["state"] in states for each in seen["publications"]):
                return seen
            found = [(each["state"], each["reason"]) for each in seen["publications"]]
            assert time.monotonic() < deadline, f"not {states} within {within} s but {found}"
            await asyncio.sleep(0.05)


def _environment(settings: Settings, url: str, port: int) -> dict[str, str]:
    given = {
        "MONGO_URL": settings.mongo_url,
        "MONGO_DATABASE": settings.mongo_database,
        "REDIS_URL": settings.redis_url,
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_ACCESS_KEY": settings.s3_access_key,
        "S3_SECRET_KEY": settings.s3_secret_key,
        "S3_BUCKET": settings.s3_bucket,
        "MASTER_KEY": settings.master_key,
        "SANDBOX_URL": settings.sandbox_url or "",
        "SETUP_TOKEN": settings.setup_token or "",
        "PUBLIC_URL": url,
        "PORT": str(port),
    }
    times = {f"TEST_{name.upper()}": str(getattr(settings.times, name)) for name in settings.times.__struct_fields__}
    apps = {f"{name.upper()}_CLIENT_ID": app.client_id for name, app in settings.apps.items()}
    apps |= {f"{name.upper()}_CLIENT_SECRET": app.client_secret for name, app in settings.apps.items()}
    return {f"SOCIAL_{name}": value for name, value in (given | apps | times).items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
