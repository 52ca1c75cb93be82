"""Callers of the simulated Mastodon: a plain one that says exactly what it sends, and a real client library."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from mastodon import Mastodon
from PIL import Image

from tests.sandbox.bluesky import Xrpc
from tests.servers.sandbox import Person, Sandbox


class Caller:
    """HTTP with somebody's token; `post("/api/v1/statuses", json={...})` and so on, as requests takes it."""

    def __init__(self, sandbox: Sandbox, person: Person | None = None, token: str | None = None) -> None:
        self.sandbox = sandbox
        self.person = person
        self._session = requests.Session()
        token = token or (person and person["access_token"])
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **sent: Any) -> requests.Response:
        return self._session.request(method, self.sandbox.url + path, **{"timeout": 20, **sent})

    def get(self, path: str, **sent: Any) -> requests.Response:
        return self("GET", path, **sent)

    def post(self, path: str, **sent: Any) -> requests.Response:
        return self("POST", path, **sent)

    def status(self, text: str = "hello", *, key: str | None = None, **more: Any) -> requests.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.post("/api/v1/statuses", json={"status": text, **more}, headers=headers)

    def upload(self, data: bytes, mime: str = "image/png", **fields: str) -> requests.Response:
        return self.post("/api/v2/media", files={"file": ("file", data, mime)}, data=fields)

    def statuses(self, **query: Any) -> list[dict[str, Any]]:
        assert self.person is not None
        reply = self.get(f"/api/v1/accounts/{self.person['account_id']}/statuses", params=query)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()
        return found

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def as_person(sandbox: Sandbox) -> Iterator[Callable[..., Caller]]:
    """`as_person("bob", scopes=["read"])`: a caller with a fresh token."""
    made: list[Caller] = []

    def one(username: str = "author", **wanted: Any) -> Caller:
        made.append(Caller(sandbox, sandbox.person(username, **wanted)))
        return made[-1]

    yield one
    for caller in made:
        caller.close()


@pytest.fixture
def caller(as_person: Callable[..., Caller]) -> Caller:
    """Somebody who may read and write."""
    return as_person()


@pytest.fixture
def anybody(sandbox: Sandbox) -> Iterator[Caller]:
    """Without a token."""
    caller = Caller(sandbox)
    yield caller
    caller.close()


@pytest.fixture
def client(sandbox: Sandbox, caller: Caller) -> Iterator[Mastodon]:
    """Mastodon.py, as the same person as `caller`."""
    assert caller.person is not None
    with requests.Session() as session:
        yield Mastodon(
            access_token=caller.person["access_token"],
            api_base_url=sandbox.url,
            version_check_mode="created",
            ratelimit_method="throw",
            session=session,
        )


@pytest.fixture
def as_bluesky(sandbox: Sandbox) -> Iterator[Callable[..., Xrpc]]:
    """`as_bluesky("bob")`: somebody on Bluesky, with a session of an app password."""
    made: list[Xrpc] = []

    def one(username: str = "author", **wanted: Any) -> Xrpc:
        made.append(Xrpc(sandbox, sandbox.person(username, platform="bluesky", **wanted)))
        return made[-1]

    yield one
    for caller in made:
        caller.close()


@pytest.fixture
def bluesky(as_bluesky: Callable[..., Xrpc]) -> Xrpc:
    """Somebody on Bluesky."""
    return as_bluesky()


def png(width: int = 8, height: int = 6, colour: str = "teal") -> bytes:
    return picture("PNG", width, height, colour)


def picture(kind: str, width: int = 8, height: int = 6, colour: str = "teal", **how: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind, **how)
    return file.getvalue()


def moving_gif(width: int = 8, height: int = 6) -> bytes:
    frames = [Image.new("RGB", (width, height), colour) for colour in ("teal", "orange")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\x00" * 64
