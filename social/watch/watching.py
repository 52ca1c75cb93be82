"""A watch from beginning to end: signs in, tells what happens, mends what breaks, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import datetime
from typing import TextIO

import aiohttp
from rich.console import Console
from rich.text import Text

from social.watch import shown
from social.watch.desk import Desk, Json
from social.watch.kept import Memory
from social.watch.line import Line, Message
from social.watch.wanted import Away, CannotWatch, Credentials, Wanted

STANDINGS = "50"  # publications that are told when too much was missed
PAGE = "100"
KNOWN = 10_000  # publications of which it is remembered what they are, to name those that are being sent
FEW = 5  # of a tick that are looked up where that was forgotten

SENDING = "publication.sending"
CONVERTING = "rendition.making"

Notice = Callable[[str], None]


async def watch(wanted: Wanted, credentials: Credentials, memory: Memory, out: TextIO, notice: Notice) -> None:
    """Until Ctrl-C or SIGTERM, or until nobody reads any more. CannotWatch says what stands in the way."""
    loop, watching = asyncio.get_running_loop(), asyncio.current_task()
    assert watching
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, watching.cancel)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        desk = Desk(session, wanted.url, credentials, memory)
        try:
            await _Watching(wanted, desk, memory, out, notice).run()
        except Away as away:
            raise CannotWatch(f"Nothing answers at {wanted.url}. Is Social running there?") from away
        except (asyncio.CancelledError, BrokenPipeError):
            return
        finally:
            with suppress(asyncio.CancelledError):  # Ctrl-C once more: whoever asks twice does not want to wait
                await desk.leave()


class _Lines(Console):
    def on_broken_pipe(self) -> None:
        """Nobody reads any more, which is for `watch` to end."""
        raise BrokenPipeError


class _Watching:
    def __init__(self, wanted: Wanted, desk: Desk, memory: Memory, out: TextIO, notice: Notice) -> None:
        self._wanted = wanted
        self._desk = desk
        self._memory = memory
        self._notice = notice
        self._out = out
        self._console = _Lines(file=out, highlight=False, soft_wrap=True, markup=False, emoji=False)
        self._handles: dict[str, str] | None = None
        self._last_at = ""
        self._known: dict[str, Json] = {}

    async def run(self) -> None:
        kept, wanted = self._memory.kept, self._wanted
        workspace = await self._desk.enter(wanted.workspace)
        if wanted.post is not None:
            post = await self._desk.get(f"/posts/{wanted.post}")  # or it is said now that there is none
            self._known = {each["id"]: each for each in post["publications"]}
        since = wanted.since
        if since is None and kept.workspace == workspace:
            since = kept.seq
        kept.workspace = workspace
        line = Line(wanted.url, self._desk, since, self._notice)
        async with aclosing(line.messages()) as messages:
            async for message in messages:
                if message.type != "hello":
                    await self._tell(message)
                kept.seq = line.seen
                self._memory.save()

    async def _tell(self, message: Message) -> None:
        if message.type == "refetch":
            await self._tell_standings(message)
            return
        if message.type == SENDING:
            await self._tell_sending(message)
            return
        if message.type == CONVERTING and not self._wanted.as_json:
            return  # how far a file is: for a page that shows it move
        self._last_at = message.at or self._last_at
        if message.type == "publication.changed":
            self._remember(message.data)
        if self._wanted.post is not None and self._wanted.post != (message.post_id or message.data.get("post_id")):
            return
        if self._wanted.as_json:
            self._say(message.text)
        elif message.type == "publication.changed":
            self._say(shown.publication(message.data, message.at, await self._handle(message.data)))
        elif message.seq is not None:
            if message.type.startswith("account."):
                self._handles = None
            handle = await self._handle(message.data) if message.type.startswith("account.") else None
            self._say(shown.other(message.type, message.data, message.at, handle))

    async def _tell_sending(self, message: Message) -> None:
        """What goes out at this moment; of one post, its own alone. It is fleeting: what comes of it follows."""
        ids = [str(each) for each in message.data.get("publications", ())]
        one = self._wanted.post
        if one is not None or not self._wanted.as_json:  # it may overtake the event that would have told whose it is
            for id in [each for each in ids if each not in self._known][:FEW]:
                with suppress(Away, CannotWatch):
                    self._remember(await self._desk.get(f"/publications/{id}"))
        if one is not None:
            ids = [id for id in ids if self._known.get(id, {}).get("post_id") == one]
        if not ids:
            return
        if self._wanted.as_json:
            self._say(message.text)
            return
        for id in ids:
            if (data := self._known.get(id)) is not None:
                sending = data | {"state": "sending", "reason": None}
                self._say(shown.publication(sending, message.at, await self._handle(data)))
        if more := len([id for id in ids if id not in self._known]):
            self._say(shown.many("sending", more, message.at))

    def _remember(self, data: Json) -> None:
        id = str(data.get("id", ""))
        self._known.pop(id, None)
        self._known[id] = {name: data.get(name) for name in ("id", "post_id", "account_id", "excerpt")}
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]

    async def _tell_standings(self, message: Message) -> None:
        """Where things are, for what happened meanwhile cannot be told any more."""
        if self._wanted.as_json:
            self._say(message.text)
            return
        self._notice("More was missed than is kept; this is how things stand.")
        for each in await self._standings():
            self._say(shown.publication(each, each["updated_at"], await self._handle(each)))

    async def _standings(self) -> list[Json]:
        """The publications that changed after what was told last, in that order. None while the service is away."""
        with suppress(Away):
            if self._wanted.post is not None:
                found = (await self._desk.get(f"/posts/{self._wanted.post}"))["publications"]
            else:
                found = (await self._desk.get("/publications", newest_first="true", limit=STANDINGS))["items"]
            after = _instant(self._last_at)
            changed = [each for each in found if after is None or (_instant(each["updated_at"]) or after) > after]
            return sorted(changed, key=lambda each: str(each["updated_at"]))
        return []

    async def _handle(self, data: Json) -> str:
        """What the account of a publication, or an account itself, is called; its id if nobody can say."""
        id = str(data.get("account_id") or data.get("id") or "")
        if self._handles is None or id not in self._handles:
            with suppress(Away, CannotWatch):
                self._handles = await self._accounts()
        return (self._handles or {}).get(id, id)

    async def _accounts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        params = {"limit": PAGE}
        while True:
            page = await self._desk.get("/accounts", **params)
            found |= {each["id"]: f"{each['handle']} ({each['platform']})" for each in page["items"]}
            if page["next"] is None:
                return found
            params["cursor"] = page["next"]

    def _say(self, what: str | Text) -> None:
        if isinstance(what, Text):
            self._console.print(what, soft_wrap=True)
        else:
            self._out.write(what + "\n")
            self._out.flush()


def _instant(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return None


def nobody_reads() -> None:
    """Keeps Python from complaining at its end that the pipe it wrote to is closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
