"""Everything that may be done before the due time: uploads, containers, waiting until they are ready.

No visible effect, so it may be repeated freely; each result is saved at once, so an interruption resumes.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from social.accounts.documents import Account
from social.accounts.tokens import as_account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, PlatformError, RetryLater
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Content, Platform, Prepared
from social.publishing.converted import whole
from social.publishing.documents import Publication
from social.publishing.facts import Work
from social.publishing.reconnect import login_refused
from social.publishing.send import crash_here
from social.publishing.shown import row
from social.publishing.states import CONVERTING, DEATHS, State, converting, poisonous, refused

log = structlog.get_logger()
AT_ONCE = 20
POLLS = (0.2, 0.4, 0.8, 1.0, 2.0, 3.0, 5.0)  # seconds between two questions whether the media is ready
LATER = 5.0  # a platform that takes longer is asked again by the clock


async def prepare_due(backing: Backing) -> None:
    """Takes what may be prepared by now, as much as there is room for, and prepares it side by side.

    Never in the room that sends have: a backlog of videos that are converted would keep back everybody's posts.
    """
    work = taken(backing)
    publications: list[Publication] = []
    places = backing.preparing.take(AT_ONCE)
    try:
        if places:
            publications = await Publication.take_to_prepare(work, most=places, at=backing.now())
    finally:
        backing.preparing.give_back(places - len(publications))
    await backing.side_by_side((_prepare(each, work, backing) for each in publications), backing.preparing)


def taken(backing: Backing) -> Work:
    """A lease of this process on the publications it is about to take. Every save begins it anew."""
    return Work(token=secrets.token_hex(12), lease_until=_lease(backing), owner=backing.owner)


async def begun(publication: Publication, work: Work, backing: Backing) -> bool:
    """Begins the lease anew for what was taken and has waited for its turn. False if it is somebody else's by now."""
    return (
        await Publication.at_work(publication, {"work.lease_until": _lease(backing)}, work=work, at=backing.now())
        is not None
    )


@asynccontextmanager
async def renewing(publication: Publication, work: Work, backing: Backing) -> AsyncIterator[None]:
    """Keeps the lease while the block runs: a slow upload may take longer than one, and is not to begin anew."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(backing.settings.times.lease / 3)
            with suppress(PyMongoError):
                if not await begun(publication, work, backing):
                    return  # it is somebody else's now; the next save will tell

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()


def _lease(backing: Backing) -> datetime:
    return backing.now() + timedelta(seconds=backing.settings.times.lease)


class _Lost(Exception):
    """The publication was edited, cancelled or taken over while it was prepared."""


async def _prepare(publication: Publication, work: Work, backing: Backing) -> None:
    platform, account = PLATFORMS[publication.platform], None
    try:
        if publication.deaths >= DEATHS:
            parked = publication.after(poisonous(publication.deaths), backing.now())
            await _told(parked | {"prepare_at": None, "work": None}, publication, work, backing)
            return
        await _told(_anew(publication, backing), publication, work, backing)  # it may have waited for room
        crash_here("preparing", backing)
        account = await Account.readable(publication.account_id)
        if account is None or account.state != "connected":
            raise Disconnected("This account is no longer connected. Connect it again, then this can go out.")
        async with renewing(publication, work, backing):
            content = await _whole(publication, work, backing)
            if content is None:
                await _told(_not_converted_yet(backing), publication, work, backing)
                return
            prepared = await _made(platform, account, publication, content, work, backing)
        crash_here("prepared", backing)
        later = _later(publication, platform, backing)
        await _told(_done(prepared, publication, platform, backing) if prepared else later, publication, work, backing)
    except PlatformError as error:
        written = _not_prepared(error, publication, backing) | {"work": None}
        with suppress(_Lost):  # then it is somebody else's to say
            await _told(written, publication, work, backing)
        await login_refused(account, error, backing)
        log.info(
            "publication.not_prepared",
            publication=str(publication.id),
            outcome=type(error).__name__,
            state=str(written["state"]),
        )
    except _Lost:
        log.info("publication.preparation_dropped", publication=str(publication.id))
    except PyMongoError as error:  # the lease runs out and somebody resumes
        log.warning("publication.preparation_interrupted", publication=str(publication.id), error=type(error).__name__)


async def _whole(publication: Publication, work: Work, backing: Backing) -> Content | None:
    """What will be sent, once all its files are what the platform takes; None if that takes longer.

    While that is waited for it is the reason, and it is none any more when the platform's turn comes.
    """
    reason = publication.reason
    for pause in POLLS:
        content = await whole(publication.content, publication.workspace_id, backing.now())
        if content is not None:
            if reason is not None and reason.code == CONVERTING:
                await _told({"reason": None}, publication, work, backing)
            return content
        if reason is None or reason.code != CONVERTING:
            reason = converting(len(publication.content.renditions))
            await _told({"reason": as_bson(reason)}, publication, work, backing)
        await asyncio.sleep(pause)
    return None


def _not_converted_yet(backing: Backing) -> dict[str, Any]:
    return {"prepare_at": backing.now() + timedelta(seconds=LATER), "work": None}


async def _made(
    platform: Platform, account: Account, publication: Publication, content: Content, work: Work, backing: Backing
) -> Prepared | None:
    """What the platform made of the media, once it is ready; None if it still works on it after a while."""

    async def save(prepared: Prepared) -> None:
        made.append(prepared)  # whoever begins again, as with a fresh token, goes on from there
        saved = {"prepared": as_bson(prepared), "work.lease_until": _lease(backing)}
        if await Publication.at_work(publication, saved, work=work, at=backing.now()) is None:
            raise _Lost

    async def make(call: Call) -> Prepared | None:
        prepared = await platform.prepare(call, content, made[-1], save)
        await save(prepared)
        for pause in POLLS:
            if (finished := await platform.ready(call, prepared)) is not None:
                return finished
            await asyncio.sleep(pause)
        return None

    made = [Prepared() if publication.prepared_until else publication.prepared]  # what is kept too short is made anew
    return await as_account(account, backing, make)


def _anew(publication: Publication, backing: Backing) -> dict[str, Any]:
    """What was prepared once before and is not kept long enough is not resumed, should this be interrupted."""
    renewed: dict[str, Any] = {"work.lease_until": _lease(backing)}
    return renewed | ({"prepared": {}, "prepared_until": None} if publication.prepared_until else {})


def _not_prepared(error: PlatformError, publication: Publication, backing: Backing) -> dict[str, Any]:
    step = refused(
        error,
        tries=publication.tries,
        now=backing.now(),
        times=backing.settings.times,
        progress=publication.progress,
    )
    return publication.after(step, backing.now()) | {"prepare_at": step.again_at}


def _done(prepared: Prepared, publication: Publication, platform: Platform, backing: Backing) -> dict[str, Any]:
    """It waits for its time; or for its place in line, where it is one of several that go out one after another."""
    next_at = publication.next_at or publication.due_at
    return {
        "state": State.PREPARED,
        "deaths": 0,
        "prepared": as_bson(prepared),
        "prepared_until": backing.now() + platform.keeps_prepared,
        "prepare_at": None,
        "waits_since": None,
        "next_at": next_at if next_at > backing.now() else publication.due_at,
        "reason": None,
        "work": None,
    }


def _later(publication: Publication, platform: Platform, backing: Backing) -> dict[str, Any]:
    """The platform is asked again; but one that never comes to an end has had a try, and gets the files once more."""
    since, most = publication.waits_since or backing.now(), timedelta(seconds=backing.settings.times.made_ready)
    if backing.now() - since < min(most, platform.keeps_prepared):
        return {"prepare_at": backing.now() + timedelta(seconds=LATER), "waits_since": since, "work": None}
    sentence = f"{platform.title} did not finish with what was uploaded for this. It is uploaded again."
    stuck = _not_prepared(RetryLater(sentence, code="never-ready"), publication, backing)
    return stuck | {"prepared": {}, "waits_since": None, "work": None}


async def _told(written: dict[str, Any], publication: Publication, work: Work, backing: Backing) -> None:
    async def body(session: Any) -> None:
        changed = await Publication.at_work(publication, written, work=work, at=backing.now(), session=session)
        if changed is None:
            raise _Lost
        await announce([row(changed)], session)

    await backing.transaction(body)
