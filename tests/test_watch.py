"""`social watch` against a running product: what it shows, what it mends, what it says, and what it leaves behind."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from social.people.documents import Session
from social.settings import Settings
from social.watch import shown
from social.watch.line import FIRST, LONGEST, pause
from tests.servers import ROOT
from tests.servers.product import PASSWORD, Person, Product
from tests.servers.sandbox import Sandbox

EMAIL = "ada@example.org"
KNOWN = {"SOCIAL_WATCH_EMAIL": EMAIL, "SOCIAL_WATCH_PASSWORD": PASSWORD}
Json = dict[str, Any]


class Watch:
    """`social watch` as a child process, with its output in files."""

    def __init__(self, folder: Path, *words: str, given: str = "", **env: str) -> None:
        self.out, self.err = folder / f"out{time.monotonic_ns()}", folder / f"err{time.monotonic_ns()}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SOCIAL_")}
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "social", "watch", *words],
                cwd=ROOT,
                env=clean | {"TZ": "UTC", "PYTHONUNBUFFERED": "1"} | env,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
            )
        assert self.process.stdin
        self.process.stdin.write(given.encode())
        self.process.stdin.close()

    @property
    def lines(self) -> list[str]:
        """What it has said on stdout so far."""
        return self.out.read_text().splitlines()

    @property
    def events(self) -> list[Json]:
        """The same under --json."""
        return [json.loads(line) for line in self.lines]

    @property
    def said(self) -> str:
        """What it has said on stderr so far."""
        return self.err.read_text()

    async def until(self, seen: Any, within: float = 30) -> None:
        """Waits until `seen()` holds."""
        deadline = time.monotonic() + within
        while not seen():
            assert time.monotonic() < deadline, f"{self.lines} {self.said}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said}"
            await asyncio.sleep(0.05)

    def ended(self, within: float = 20) -> int:
        """Waits for its end; the exit code."""
        return self.process.wait(timeout=within)

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
async def product(settings: Settings, sandbox: Sandbox, backing: object, tmp_path: Path) -> AsyncIterator[Product]:
    """The product, running, on a database of its own that is empty."""
    with Product(settings, tmp_path) as product:
        yield product.start()


@pytest.fixture
async def ada(product: Product, session: aiohttp.ClientSession, settings: Settings) -> Person:
    """Its owner."""
    person = Person(session, product.url)
    await person.set_up(settings.setup_token or "")
    return person


async def newest(ada: Person) -> int:
    """The number of the last event so far, as a line that opens now is told."""
    last = await Session.get_pymongo_collection().database["relays"].find_one({})
    return int(last["last_seq"]) if last else 0


async def test_it_sees_a_post_go_out_and_leaves_no_session(
    product: Product, ada: Person, sandbox: Sandbox, tmp_path: Path
) -> None:
    account = await ada.connect(sandbox)
    since = str(await newest(ada))
    with Watch(tmp_path, "--url", product.url, "--since", since, **KNOWN) as watch:
        draft = await ada.write("a new bakery\x1b[31m\nopens", account["id"])
        await watch.until(lambda: watch.lines)  # what is fleeting is heard by who listens already
        await ada.until(await ada.plan(draft, now=True), "online")
        await watch.until(lambda: any("  online " in line for line in watch.lines))

        assert watch.interrupt() == 0
        [online] = [line for line in watch.lines if "  online " in line]
        [sending] = [line for line in watch.lines if "  sending " in line]

    assert watch.lines.index(sending) < watch.lines.index(online)
    assert account["handle"] in sending
    assert "“a new bakery" in sending
    assert account["handle"] in online
    assert "“a new bakery" in online
    assert "ms late" in online or "s late" in online
    assert sandbox.url in online
    assert "\x1b" not in watch.out.read_text()
    assert watch.said == ""
    assert PASSWORD not in watch.out.read_text()
    assert len(await ada.ask("GET", "/sessions")) == 1


@pytest.mark.slow
async def test_nothing_is_missed_and_nothing_doubled_when_the_product_is_killed_in_between(
    product: Product, ada: Person, sandbox: Sandbox, tmp_path: Path
) -> None:
    account = await ada.connect(sandbox)
    since = await newest(ada)
    with Watch(tmp_path, "--url", product.url, "--json", "--since", str(since), **KNOWN) as watch:
        first = await ada.plan(await ada.write("before", account["id"]), now=True)
        await watch.until(lambda: _online(watch, first))

        second = await ada.plan(await ada.write("in between", account["id"]), now=True)
        product.kill()
        await watch.until(lambda: "The line is broken" in watch.said)
        await asyncio.to_thread(product.start)  # meanwhile our own connection learns that it is dead
        third = await ada.plan(await ada.write("after", account["id"]), now=True)
        for post in (second, third):
            await ada.until(post, "online")
        await watch.until(lambda: _online(watch, second) and _online(watch, third))
        assert "The line is back." in watch.said
        assert watch.interrupt() == 0

    numbers = [each["seq"] for each in watch.events if "seq" in each]  # ticks have none
    assert numbers == list(range(since + 1, since + 1 + len(numbers)))
    assert sorted(sandbox.texts()) == ["after", "before", "in between"]


def _online(watch: Watch, post: Json) -> bool:
    return any(
        each["type"] == "publication.changed" and each["post_id"] == post["id"] and each["data"]["state"] == "online"
        for each in watch.events
    )


async def test_it_can_keep_to_one_post(product: Product, ada: Person, sandbox: Sandbox, tmp_path: Path) -> None:
    account = await ada.connect(sandbox)
    draft, other = await ada.write("this one", account["id"]), await ada.write("another", account["id"])
    words = ("--url", product.url, "--json", "--since", "0", "--post", draft["id"])
    with Watch(tmp_path, *words, **KNOWN) as watch:
        await watch.until(lambda: watch.lines)
        for post in (other, draft):
            await ada.until(await ada.plan(post, now=True), "online")
        await watch.until(lambda: _online(watch, draft))
        watch.interrupt()

    assert {each["post_id"] for each in watch.events if each["type"] != "publication.sending"} == {draft["id"]}
    ticks = [each["data"]["publications"] for each in watch.events if each["type"] == "publication.sending"]
    assert ticks == [[each["id"] for each in (await ada.ask("GET", f"/posts/{draft['id']}"))["publications"]]]
    with Watch(tmp_path, *words[:-1], "0" * 24, **KNOWN) as watch:
        assert watch.ended() == os.EX_UNAVAILABLE
    assert watch.said == "social: There is no post with this id.\n"


async def test_what_is_not_kept_any_more_is_looked_up(
    product: Product, ada: Person, sandbox: Sandbox, tmp_path: Path
) -> None:
    account = await ada.connect(sandbox)
    await ada.until(await ada.plan(await ada.write("long ago", account["id"]), now=True), "online")
    await Session.get_pymongo_collection().database["outbox"].delete_many({})

    with Watch(tmp_path, "--url", product.url, "--since", "0", **KNOWN) as watch:
        await watch.until(lambda: any("“long ago”" in line for line in watch.lines))
        watch.interrupt()
    with Watch(tmp_path, "--url", product.url, "--since", "0", "--json", **KNOWN) as raw:
        await raw.until(lambda: bool(raw.lines))
        raw.interrupt()

    assert "More was missed than is kept" in watch.said
    assert [each["type"] for each in raw.events] == ["refetch"]


async def test_the_password_may_be_piped_in_and_only_if_asked_is_anything_kept(
    product: Product, ada: Person, tmp_path: Path
) -> None:
    file = tmp_path / "kept"
    words = ("--url", product.url, "--json", "--remember", str(file))
    with Watch(tmp_path, *words, "--email", EMAIL, given=PASSWORD + "\n") as watch:
        await watch.until(file.exists)
        await watch.until(lambda: json.loads(file.read_bytes())["seq"] is not None)
        await ada.write("one")
        await watch.until(lambda: len(watch.lines) == 1)
        assert watch.interrupt() == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSWORD not in file.read_text()

    await ada.write("two")
    with Watch(tmp_path, *words) as again:  # no password, and on from where it was
        await ada.write("three")
        await again.until(lambda: len(again.lines) == 2)
        again.interrupt()
    numbered = [each["seq"] for each in again.events if "seq" in each]
    assert numbered == [watch.events[0]["seq"] + 1, watch.events[0]["seq"] + 2]
    assert [each["label"] for each in await ada.ask("GET", "/sessions")][1] == "social-watch"

    file.chmod(0o644)
    with Watch(tmp_path, *words) as careless:
        assert careless.ended() == os.EX_NOPERM
    assert careless.said == f"social: Others can read {file}, which holds a sign-in. Run: chmod 600 {file}\n"


async def test_a_token_will_do(product: Product, ada: Person, tmp_path: Path) -> None:
    with Watch(tmp_path, "--url", product.url, "--json", "--since", "0", SOCIAL_WATCH_TOKEN=ada.token or "") as watch:
        await ada.write("one")
        await watch.until(lambda: len(watch.lines) == 1)
        assert watch.interrupt() == 0

    assert len(await ada.ask("GET", "/sessions")) == 1  # and it is not signed out with it


async def test_who_is_signed_out_elsewhere_is_told_and_stays_out(product: Product, ada: Person, tmp_path: Path) -> None:
    with Watch(tmp_path, "--url", product.url, "--since", "0", **KNOWN) as watch:
        await ada.write("one")
        await watch.until(lambda: len(watch.lines) == 1)
        await ada.ask("DELETE", "/sessions")

        assert watch.ended() == os.EX_NOPERM

    assert watch.said == "social: You were signed out, or are not in this workspace any more.\n"
    assert len(await ada.ask("GET", "/sessions")) == 1


@pytest.mark.parametrize(
    ("words", "env", "code", "sentence"),
    [
        ([], {**KNOWN, "SOCIAL_WATCH_PASSWORD": "wrong"}, os.EX_NOPERM, "The e-mail or the password is not right."),
        ([], {"SOCIAL_WATCH_TOKEN": "x"}, os.EX_NOPERM, "Your sign-in has run out. Please sign in again."),
        ([], {}, os.EX_USAGE, "Say who you are: at a terminal"),
        (["--workspace", "Mars"], KNOWN, os.EX_USAGE, "You are in no workspace called Mars; yours: Ada's."),
        (["--url", "http://127.0.0.1:1"], KNOWN, os.EX_UNAVAILABLE, "Nothing answers at http://127.0.0.1:1."),
        (["--url", "ftp://x"], KNOWN, os.EX_USAGE, "ftp://x is no address of a Social"),
    ],
    ids=["password", "token", "nobody", "workspace", "away", "address"],
)
async def test_what_is_the_matter_is_said_in_one_sentence(
    product: Product, ada: Person, tmp_path: Path, words: list[str], env: dict[str, str], code: int, sentence: str
) -> None:
    with Watch(tmp_path, *([] if "--url" in words else ["--url", product.url]), *words, **env) as watch:
        assert watch.ended() == code

    assert watch.said.startswith(f"social: {sentence}")
    assert watch.said.count("\n") == 1
    assert watch.lines == []


async def test_it_ends_quietly_when_nobody_reads_any_more(product: Product, ada: Person, tmp_path: Path) -> None:
    for form in (["--json"], []):
        shell = subprocess.Popen(
            ["bash", "-c", '"$@" | head -n 1; exit ${PIPESTATUS[0]}', "-", sys.executable, "-m", "social", "watch",
             "--url", product.url, "--since", "0", *form],
            cwd=ROOT, env=os.environ | KNOWN, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        while shell.poll() is None:
            await ada.write("again")
            await asyncio.sleep(0.2)
        out, err = shell.communicate()
        assert (shell.returncode, err) == (0, b"")
        assert out.count(b"\n") == 1


PUBLICATION = {
    "state": "online",
    "excerpt": "a new bakery",
    "late_ms": 12,
    "url": "https://m.example/1",
    "reason": None,
    "due_at": "2026-11-22T09:30:00Z",
}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "online       ada (x)  “a new bakery”  12 ms late  https://m.example/1"),
        ({"late_ms": 2345}, "online       ada (x)  “a new bakery”  2.3 s late  https://m.example/1"),
        ({"late_ms": None, "url": None}, "online       ada (x)  “a new bakery”"),
        ({"state": "planned"}, "planned      ada (x)  “a new bakery”  due 2026-11-22 10:30:00"),
        (
            {"state": "held", "reason": {"code": "login", "text": "Connect the account again."}},
            "held         ada (x)  “a new bakery”  Connect the account again.",
        ),
        (
            {"excerpt": "a\x1b]0;evil\x07 \u202eb\nc 👩‍👩‍👧", "state": "cancelled"},
            "cancelled    ada (x)  “a ]0;evil   b c 👩‍👩‍👧”",
        ),
        ({"excerpt": "x" * 70, "state": "cancelled"}, f"cancelled    ada (x)  “{'x' * 59}…”"),
    ],
)
def test_one_line_for_one_thing(monkeypatch: pytest.MonkeyPatch, changes: Json, line: str) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        told = shown.publication(PUBLICATION | changes, "2026-11-22T09:30:00.123Z", "ada (x)")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert told.plain == f"2026-11-22 10:30:00  {line}"


@given(st.text())
def test_no_text_gives_the_terminal_an_order(text: str) -> None:
    said = shown.other("x", {"name": text}, text, None).plain + shown.publication({"excerpt": text}, text, text).plain

    assert all(each.isprintable() or each in shown.JOINERS for each in said)


@given(st.integers(0, 10_000))
def test_pauses_grow_and_differ(failures: int) -> None:
    assert FIRST / 2 <= pause(failures) <= LONGEST
    assert failures < 6 or pause(failures) >= LONGEST / 2
