"""Puts the program together. Imports every room and is imported by none but the command line and the tests."""

import asyncio
import base64
import ctypes
import gc
import os
import signal
import socket
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
import uvicorn
from beanie import Document, init_beanie
from pymongo.errors import PyMongoError

from social import logs
from social.accounts.documents import Account, AppRegistration
from social.accounts.pending import FoundAccount, Pending
from social.api.health import Readiness
from social.api.routes import application
from social.backing import Backing, mongo, opened, redis
from social.backing.s3 import BucketError
from social.errors import Unavailable
from social.jobs import clock, watch, worker
from social.jobs.running import Running
from social.live import sockets
from social.live.hub import Hub
from social.media.clips import Clip
from social.media.documents import Media
from social.media.installation import Installation, bucket_is_ours
from social.media.renditions import Rendition
from social.media.uploads import Upload
from social.moments import now
from social.outbox import relay
from social.outbox.documents import Relay, Row
from social.people import new_passwords
from social.people.documents import Membership, Session, Tries, User, Workspace
from social.people.invitations import Invitation
from social.people.password_links import PasswordLink
from social.people.repeats import Repeat
from social.people.tickets import Ticket
from social.platforms import PLATFORMS
from social.posts.documents import Post
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication
from social.publishing.findings import Finding
from social.publishing.holds import Hold
from social.publishing.lanes import Lane
from social.publishing.lateness import Count, LateMinute
from social.publishing.tellings import Telling
from social.publishing.watchdog import Alarm, Beat, Round
from social.settings import Settings
from social.supervised import ready

log = structlog.get_logger()

DOCUMENTS: tuple[type[Document], ...] = (
    User, Workspace, Membership, Session, Tries, Ticket, Invitation, PasswordLink, Repeat, Account, AppRegistration,
    Pending, FoundAccount, Installation, Media, Upload, Rendition, Clip, Post, Publication, Attempt, Lane, Hold,
    Telling, Finding, LateMinute, Count, Alarm, Beat, Round, Row, Relay,
)  # fmt: skip
BACKLOG = 2048
GARBAGE = 20_000  # objects more than before, after which those that refer to each other are looked for
# glibc's names for what it keeps of memory that was given back (malloc.h): arenas besides the first, what lies free at
# the end, and from which size on a piece is the kernel's own. Its usual way is to raise the last two with use.
ARENAS, TRIMMED, MAPPED = (-8, 1), (-1, 128 * 1024), (-3, 128 * 1024)
KEEP_ALIVE = 75  # seconds; longer than clients and proxies keep one idle, or they send on what we are just closing


async def bind(backing: Backing) -> None:
    """Gives every document its collection. Once in a process, for one database."""
    await init_beanie(database=backing.db, document_models=DOCUMENTS, skip_indexes=True)


async def openapi() -> dict[str, Any]:
    """The API's OpenAPI document, as the web client's types are made from. Needs no server to be there."""
    nowhere = Settings(
        mongo_url="mongodb://127.0.0.1",
        redis_url="redis://127.0.0.1",
        s3_endpoint="http://127.0.0.1",
        s3_access_key="-",
        s3_secret_key="-",  # noqa: S106 - nobody is asked
        master_key=base64.b64encode(bytes(32)).decode(),
    )
    async with opened(nowhere) as backing:
        return application(backing).openapi_schema.to_schema()


async def password_link(settings: Settings, email: str) -> str:
    """A link with which whoever has this e-mail chooses another password. NotFound for an unknown one, Unavailable."""
    async with opened(settings) as backing:
        try:
            await bind(backing)
            return await new_passwords.link(email, backing, now())
        except PyMongoError:
            raise Unavailable("MongoDB does not answer. Is Social running?") from None


async def serve(settings: Settings, listening: socket.socket | None) -> int:
    """Runs an instance until SIGTERM or SIGINT, then lets it finish. Answers the process's exit code.

    `listening` is a socket that already listens, maybe shared with other instances; None where nobody is to come in.
    A task that dies ends the instance with 1: its supervisor starts another.
    """
    logs.configure(style=settings.log_format, level=settings.log_level)
    _give_memory_back()
    gc.freeze()  # what was imported stays: it is not looked through again and again while thousands are sent
    gc.set_threshold(GARBAGE, 20, 50)
    settings.expect_apps(platform.name for platform in PLATFORMS.values() if platform.needs_app)
    async with opened(settings) as backing:
        await _wait_for_servers(backing)
        await bind(backing)
        await mongo.insist(partial(mongo.index, DOCUMENTS))
        with suppress(BucketError):  # whoever sweeps asks again
            await mongo.insist(partial(bucket_is_ours, backing))
        return await _run(backing, listening)


def _give_memory_back() -> None:
    """What a burst needed goes back to the machine when it is over: a small one is shared with a database."""
    with suppress(AttributeError, OSError):  # another libc has no such thing, nor the need
        for what, much in (ARENAS, TRIMMED, MAPPED):
            ctypes.CDLL(None).mallopt(what, much)


async def _run(backing: Backing, listening: socket.socket | None) -> int:
    settings = backing.settings
    running, hub, readiness = Running(), Hub(backing), Readiness()
    serving: uvicorn.Server | None = None
    works: dict[str, Coroutine[Any, Any, Any]] = {}
    if listening is not None:
        serving = server(backing, hub, readiness)
        works["api"] = serving.serve(sockets=[listening])
        works["hub"] = hub.run(backing.stopping)
    if "worker" in settings.tasks:
        works["worker"] = worker.run(backing, running)
    if "clock" in settings.tasks:
        works["clock"] = clock.run(backing, running)
    told = asyncio.Event()  # the relay ends last: what is concluded while draining is still to be told
    works["relay"] = relay.run(backing, told)
    works["watch"] = watch.run(backing, running, told)
    tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
    if listening is None:
        ready(os.environ)  # nobody comes in here: it is ready as it is
    asked = _signalled()
    log.info("instance.started", tasks=sorted(works), pid=os.getpid())
    stop = asyncio.create_task(asked.wait(), name="signal")
    ended, _ = await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
    died = [task for task in ended if task is not stop]
    for task in died:
        log.error("instance.task_died", task=task.get_name(), exc_info=task.exception())
    readiness.draining = True
    await _drain(backing, running, hub, serving)
    told.set()
    await _ended(tasks)
    stop.cancel()
    return 1 if died else 0


async def _drain(backing: Backing, running: Running, hub: Hub, serving: uvicorn.Server | None) -> None:
    """Nothing new is begun, sockets are told to come back, what is being sent is finished."""
    log.info("instance.draining", running=len(running))
    backing.stopping.set()
    await hub.drain()
    if serving is not None:
        serving.should_exit = True
    await running.drained(backing.settings.grace)


async def _ended(tasks: list[asyncio.Task[Any]]) -> None:
    _, left = await asyncio.wait(tasks, timeout=5)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=2)
    log.info("instance.stopped")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process owns the signals."""

    def capture_signals(self) -> Any:
        """Captures nothing."""
        return _nothing()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to answer, and says so to a supervisor that waits for it."""
        await super().startup(sockets)
        ready(os.environ)


class _nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def server(backing: Backing, hub: Hub, readiness: Readiness) -> uvicorn.Server:
    """uvicorn with the API, the live sockets and the web client; to be served on a socket that listens."""
    settings = backing.settings
    app = application(backing, others=sockets.handlers(hub), readiness=readiness)
    return _Server(
        uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=64 * 1024,
            ws_per_message_deflate=False,  # a small frame must not become a large one
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=round(settings.grace),
        )
    )


def _signalled() -> asyncio.Event:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, asked.set)
    return asked


async def _wait_for_servers(backing: Backing) -> None:
    """Returns when Mongo and the bucket answer. An instance that starts before its servers waits and says so."""
    pause = 0.2
    while True:
        try:
            await mongo.wait(backing.client)
            await backing.bucket.wait()
            break
        except (PyMongoError, Unavailable) as error:
            log.warning("instance.waiting_for_servers", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)
    try:
        advice = await redis.check(backing.redis)
    except redis.GONE as away:
        advice = f"Redis does not answer ({type(away).__name__}): posts go out, a little later."
    if advice:
        log.warning("instance.redis", advice=advice)
