"""How the web client's files are served."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from social import web
from social.backing import Backing
from tests.api.serving import Api, served, with_settings

PAGE = b"<!doctype html><title>Social</title>" + b"<!-- long -->" * 50


@pytest.fixture
async def client(backing: Backing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The application with a client that was built."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(PAGE)
    (tmp_path / "assets" / "index-4f3a.js").write_bytes(b"let a = 1\n" * 100)
    (tmp_path / "manifest.webmanifest").write_bytes(b"{}")
    monkeypatch.setattr(web, "files", lambda: tmp_path)
    async with served(with_settings(backing, public_url="http://127.0.0.1:8080")) as api:
        yield api


@pytest.mark.parametrize("path", ["//", "//calendar", "//connect/mastodon?code=a&state=b", "//posts/1/edit", "//setup"])
async def test_pages_of_the_client_are_the_client_with_its_policy(client: Api, path: str) -> None:
    answer = await client.ask("GET", path, headers={"Accept-Encoding": "identity"})

    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "connect-src 'self' ws://127.0.0.1:8080;" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


async def test_names_with_a_hash_are_kept_for_ever_and_sent_small(client: Api) -> None:
    answer = await client.ask("GET", "//assets/index-4f3a.js", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.body in {b"let a = 1\n" * 100, gzip.compress(b"let a = 1\n" * 100, mtime=0)}


async def test_what_the_browser_has_is_not_sent_again(client: Api) -> None:
    first = await client.ask("GET", "//")
    again = await client.ask("GET", "//", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")


async def test_head_answers_without_a_body(client: Api) -> None:
    answer = await client.ask("HEAD", "//manifest.webmanifest")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/manifest+json"


@pytest.mark.parametrize(
    "path",
    [
        "//assets/other.js",
        "//favicon.ico",
        "//api/v1/x",
        "//api",
        "//..%2f..%2fetc%2fpasswd.txt",
        "//%2e%2e/x.js",
        "//live/x",
    ],
)
async def test_what_is_no_file_and_no_page_is_not_found(client: Api, path: str) -> None:
    answer = await client.ask("GET", path)

    assert (answer.status, answer.problem) == (404, "not-found")


async def test_another_name_of_this_machine_is_sent_to_the_one_the_cookie_belongs_to(client: Api) -> None:
    answer = await client.ask("GET", "//posts/1?a=b", headers={"Host": "localhost:8080"})

    assert (answer.status, answer.headers["location"]) == (307, "http://127.0.0.1:8080/posts/1?a=b")
    assert (await client.ask("GET", "//", headers={"Host": "localhost:9090"})).status == 200


async def test_a_client_that_was_not_built_is_said_so(
    backing: Backing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "files", lambda: tmp_path / "nothing")
    async with served(backing) as api:
        answer = await api.ask("GET", "//")

    assert (answer.status, answer.problem) == (404, "not-found")
    assert "/api/v1" in answer.json["detail"]
