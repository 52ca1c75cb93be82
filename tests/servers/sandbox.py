"""The sandbox as a process of its own, as the product runs it; a test may kill it and start it again."""

import asyncio
import contextlib
import html
import json
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from social.sandbox.trouble import ODD

PLATFORMS = ODD  # every one that the sandbox simulates
START_WITHIN = 60.0  # seconds; on a quiet machine it takes one
END_WITHIN = 10.0


class Person(TypedDict):
    """Somebody there, with a fresh token. `url` is their page."""

    platform: str
    username: str
    account_id: str
    url: str
    access_token: str
    client_id: str
    client_secret: str
    scopes: list[str]
    refresh_token: NotRequired[str]
    password: NotRequired[str]
    app_password: NotRequired[str]


class Sandbox:
    """One process on `folder`. The port is chosen at the first start and kept, so that addresses survive a restart."""

    def __init__(self, folder: Path, *, rate_scale: float = 1.0) -> None:
        """`rate_scale` times every quota; 0: none, for load."""
        self.folder = folder
        self._rate_scale = rate_scale
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`, without a slash at the end; known from the first start on."""
        assert self._port, "start it first"
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when it listens."""
        assert self._process is None, "it runs"
        command = [sys.executable, "-m", "social.sandbox", "--port", str(self._port), "--data", str(self.folder)]
        command += ["--rate-scale", str(self._rate_scale)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT)
        line = self._first_line()
        assert line.startswith("sandbox ready http://"), f"the sandbox said {line!r}"
        self._port = int(line.rsplit(":", 1)[1])

    def stop(self) -> int:
        """As a good operator does: SIGTERM. Returns the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL; `start` brings it back with what it had accepted."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It accepts connections and answers nothing, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def trouble(self, **switches: Any) -> None:
        """Replaces all trouble: `trouble(publish={"hang_up": "after", "count": 1}, mastodon={"version": "4.2"})`.

        Groups and fields: `social/sandbox/faults.py`, `social/sandbox/mastodon/oddities.py`. A list of faults for a
        group happens one after another. `trouble()` ends it all.
        """
        for platform in PLATFORMS:
            if platform in switches or self._rate_scale != 1.0:
                switches[platform] = {"rate_scale": self._rate_scale} | switches.get(platform, {})
        self._ask("PUT", "/sandbox/trouble", switches)

    def present_trouble(self) -> dict[str, Any]:
        """What is switched on, with the counts that are left."""
        trouble: dict[str, Any] = self._ask("GET", "/sandbox/trouble")
        return trouble

    def statuses(self, *, deleted: bool = False, platform: str | None = None) -> list[dict[str, Any]]:
        """What is online, on one platform or on all, each oldest first; with `deleted` also what was."""
        found: list[dict[str, Any]] = self._ask("GET", "/sandbox/statuses")
        wanted = [status for status in found if platform in (None, status["platform"])]
        return [status for status in wanted if deleted or not status["deleted"]]

    def texts(self) -> list[str]:
        return [status["text"] for status in self.statuses()]

    def requests(self, method: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """Calls that reached the platforms: {method, path, at, status, ended}, oldest first."""
        found: list[dict[str, Any]] = self._ask("GET", "/sandbox/requests")
        return [call for call in found if method in (None, call["method"]) and path in (None, call["path"])]

    def person(self, username: str = "author", **wanted: Any) -> Person:
        """Somebody with a fresh token: `scopes=[...]`, `display_name=`, `app_name=`."""
        made: Person = self._ask("POST", "/sandbox/people", {"username": username, **wanted})
        return made

    def reset(self) -> None:
        """Empty, and without trouble."""
        self._ask("POST", "/sandbox/reset")

    async def consent(self, url: str, username: str = "author", *, deny: bool = False) -> str:
        """Walks the platform's consent page at `url` as `username`; returns the address the browser is sent back to."""
        return await asyncio.to_thread(self.consent_now, url, username, deny=deny)

    def consent_now(self, url: str, username: str = "author", *, deny: bool = False) -> str:
        """The same for tests without a loop."""
        with urllib.request.urlopen(url, timeout=20) as page:
            shown = page.read().decode()
        fields = _hidden_fields(shown)
        fields |= {"new_username": username, "decision": "deny" if deny else "authorize"}
        form = urllib.parse.urlencode(fields).encode()
        with _opened_without_redirects(f"{self.url}{_form_action(shown)}", form) as answer:
            assert answer.status == 302, answer.read().decode()
            return str(answer.headers["Location"])

    def latest_secrets(self) -> tuple[str, str]:
        """The access token handed out last and its app's client secret, as the sandbox itself keeps them."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'sandbox.db'}?mode=ro", uri=True)) as store:
            tokens, apps = _bodies(store, "mastodon_tokens"), _bodies(store, "mastodon_apps")
        latest = max(tokens, key=lambda token: token["created_ms"])
        secret = next(app["client_secret"] for app in apps if app["client_id"] == latest["client_id"])
        return latest["token"], secret

    def advance_scheduled(self, scheduled_id: str) -> None:
        """Makes a post that waits on the server itself due now, in the sandbox's own store."""
        with contextlib.closing(sqlite3.connect(self.folder / "sandbox.db", timeout=10)) as store, store:
            store.execute("UPDATE mastodon_scheduled SET due_ms = 0 WHERE id = ?", (int(scheduled_id),))

    async def until(self, condition: Callable[[], bool], within: float = 10.0) -> None:
        """Waits until `condition` holds; AssertionError when it does not in time."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not in {within} s; online: {self.statuses()}"
            await asyncio.sleep(0.02)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = json.dumps(body).encode() if body is not None else (b"" if method == "POST" else None)
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)

    def _first_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], START_WITHIN)
        if not readable:
            self.kill()
            raise AssertionError(f"the sandbox was not ready in {START_WITHIN} s")
        return self._process.stdout.readline().decode().strip()

    def _end(self, with_signal: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(with_signal)
        try:
            code = process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        assert process.stdout is not None
        process.stdout.close()
        return code


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _opened_without_redirects(url: str, form: bytes) -> Any:
    """A redirect is an answer like any other here; urllib calls it an error."""
    try:
        return _no_redirects.open(url, form, timeout=20)
    except urllib.error.HTTPError as answer:
        return answer


def _hidden_fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def _form_action(page: str) -> str:
    found = re.search(r'<form method="post" action="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])


def _bodies(store: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    return [json.loads(body) for (body,) in store.execute(f"SELECT body FROM {table}")]


_no_redirects = urllib.request.build_opener(_NoRedirects)
_ROOT = Path(__file__).parents[2]
