"""From due to sent: claimed, armed, sent, concluded. Every step may be the process's last; section 5 of the protocol
says what the next owner finds."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from pymongo.errors import ConnectionFailure, DuplicateKeyError, PyMongoError

from social.accounts.documents import Account
from social.accounts.tokens import call_as
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, OutcomeUnknown, PlatformError, QuotaSpent, RetryLater
from social.moments import now
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.contract import Receipt
from social.publishing.documents import Attempt, Publication, Refusal
from social.publishing.lanes import Claim, HeldLane, Lane
from social.publishing.reconnect import login_refused
from social.publishing.shown import row
from social.publishing.states import Reason, State, Step, decide, repeatable

log = structlog.get_logger()
LANES = 500  # taken at one look
LINE = 100  # publications read at once from one lane


async def send_due(before: datetime, backing: Backing) -> None:
    """Claims lanes with something due before `before` and sends it, each lane in due order, lanes side by side.

    Safe to run twice and in many processes: one claim wins. A process that dies with a claim leaves a lease; when it
    runs out, or the process is proven dead, `settle` asks the platform before anyone sends again.
    """
    claim = await Lane.claim(before, owner=backing.owner, times=backing.settings.times, most=LANES)
    if claim is None:
        return
    crash_here("claimed", backing)
    await _doubt_what_was_left(claim, backing)
    await backing.side_by_side(_send_lane(lane, backing) for lane in claim.lanes)


def crash_here(point: str, backing: Backing) -> None:
    """Ends the process as SIGKILL does if the settings name this point. How tests crash it at every step."""
    if backing.settings.crash_at == point:
        os.kill(os.getpid(), signal.SIGKILL)


async def went_out(publication: Publication, receipt: Receipt, backing: Backing) -> None:
    """The publication is online, whoever holds it by now. Running it again changes nothing."""
    step = publication.after(Step(state=State.ONLINE, ambiguous=False))
    step |= {"receipt": as_bson(receipt), "answered_at": now(), "prepare_at": None}

    async def body(session: Any) -> None:
        online = await Publication.went_out(publication.id, publication.rev, step, session)
        if online is not None:
            await announce([row(online)], session)

    await backing.transaction(body)


async def _send_lane(lane: HeldLane, backing: Backing) -> None:
    """Sends what is due on one lane until nothing is, then lets the lane go. What it cannot send stays for others."""
    try:
        while not backing.stopping.is_set():
            line = await Publication.in_line(lane.account_id, token=lane.token, most=LINE)
            if not line and not await _more(lane, backing):
                break
            for publication in line:
                if backing.stopping.is_set() or not await _still_ours(lane, backing):
                    break
                account = await Account.get(lane.account_id)  # a lane may be held long, and a login be made anew
                await _until(publication, backing)
                await _send_one(publication, account, lane, backing)
            else:
                continue
            break
        await Publication.hand_back(lane.account_id, lane.token)
        await Lane.release(lane)
    except PyMongoError as error:
        # Whether the last write happened is unknown: nothing more is sent under this claim, its lease runs out.
        log.warning("lane.abandoned", account=str(lane.account_id), error=type(error).__name__)


async def _more(lane: HeldLane, backing: Backing) -> bool:
    """Whether it was held so long that more may have fallen due; that is then stamped, as by a new claim."""
    times = backing.settings.times
    if time.monotonic() - lane.looked < times.tick or not await Lane.renew(lane, times):
        return False
    lane.looked = time.monotonic()
    ahead = now() + timedelta(seconds=times.look_ahead)
    await Publication.stamp({lane.account_id: lane.fence}, ahead, token=lane.token, owner=backing.owner)
    return True


async def _still_ours(lane: HeldLane, backing: Backing) -> bool:
    times = backing.settings.times
    half = lane.asked + (lane.safe_until(times) - lane.asked) / 2
    return time.monotonic() < half or await Lane.renew(lane, times)


async def _until(publication: Publication, backing: Backing) -> None:
    """Waits for the due instant, or for the instance to stop."""
    wait = (publication.due_at - now()).total_seconds()
    if wait > 0:
        try:
            await asyncio.wait_for(backing.stopping.wait(), wait)
        except TimeoutError:
            return


async def _send_one(publication: Publication, account: Account | None, lane: HeldLane, backing: Backing) -> None:
    """One attempt at one publication, from the intent to the conclusion."""
    if backing.stopping.is_set() or publication.due_at > now():
        return
    if not _may_go_out(publication):
        await _look_first(publication, lane, backing)
        return
    armed = (await Publication.arm([publication.id], token=lane.token)).get(publication.id)
    if armed is None:
        return  # edited, held, cancelled or taken over since it was read
    crash_here("armed", backing)
    if armed.attempt_no == publication.attempt_no + 1:
        await _say(armed, backing)
        outcome = await _attempt(armed, account, lane, backing)
        crash_here("answered", backing)
        await _conclude(armed, outcome, account, lane, backing)


def _may_go_out(publication: Publication) -> bool:
    """What may be online goes out again only while the platform would know it again. It may have waited since that was
    decided: for its lane, or for an instance to be there at all."""
    if not publication.ambiguous:
        return True
    platform = PLATFORMS[publication.platform]
    first_sent_at = publication.first_sent_at or publication.due_at
    return repeatable(platform.settles, first_sent_at, platform.replay_for, now())


async def _look_first(publication: Publication, lane: HeldLane, backing: Backing) -> None:
    """It may be online and its key is dead: it is settled once more instead of sent."""
    reason = Reason(code="unknown", text="Too much time has passed since it was sent first. Checking again.")
    doubt = publication.after(Step(state=State.UNCONFIRMED, again_at=now(), reason=reason))

    async def body(session: Any) -> None:
        doubted = await Publication.conclude(publication.id, doubt, session, token=lane.token, state=State.QUEUED)
        if doubted is not None:
            await announce([row(doubted)], session)

    await backing.transaction(body)


async def _attempt(
    publication: Publication, account: Account | None, lane: HeldLane, backing: Backing
) -> Receipt | PlatformError:
    """The one request. Everything it can come to is a value, for all of it has to be concluded.

    A cancelled one is left `sending`: whoever takes the lane over settles it.
    """
    if account is None or account.state != "connected":
        return Disconnected("This account is no longer connected. Connect it again, then this can go out.")
    platform = PLATFORMS[publication.platform]
    try:
        call = await call_as(account, backing)
        call.deadline = lane.safe_until(backing.settings.times)
        call.on_write = lambda: crash_here("written", backing)
        return await platform.publish(call, publication.content, publication.prepared, publication.key)
    except PlatformError as error:
        return error


async def _conclude(
    publication: Publication,
    outcome: Receipt | PlatformError,
    account: Account | None,
    lane: HeldLane,
    backing: Backing,
) -> None:
    """Writes down what came of the attempt. A receipt is a fact and is written before anything depends on it."""
    attempt = _written_down(publication, outcome)
    if isinstance(outcome, Receipt):
        await _insist(attempt.note)
        crash_here("fact", backing)
        await _insist(partial(went_out, publication, outcome, backing))
        _log(publication, outcome, State.ONLINE)
        return
    step = decide(
        outcome,
        tries=publication.tries,
        ambiguous=publication.ambiguous,
        now=now(),
        times=backing.settings.times,
    )
    written = publication.after(step) | {"answered_at": attempt.answered_at}
    if publication.ambiguous and not isinstance(outcome, OutcomeUnknown | RetryLater | QuotaSpent):
        written["refusal"] = as_bson(
            Refusal(kind=type(outcome).__name__, sentence=outcome.sentence, until=getattr(outcome, "until", None))
        )

    async def body(session: Any) -> None:
        concluded = await Publication.conclude(publication.id, written, session, token=lane.token)
        await attempt.insert(session=session)
        if concluded is not None:
            await announce([row(concluded)], session)

    with suppress(DuplicateKeyError):  # an earlier commit had succeeded, only its answer was lost
        await _insist(partial(backing.transaction, body))
    _log(publication, outcome, step.state)
    await login_refused(account, outcome, backing)


async def _insist(write: Callable[[], Awaitable[None]]) -> None:
    """Repeats `write` while Mongo is away: what the platform answered is known only here."""
    for pause in itertools.chain((0.2, 0.5, 1.0, 2.0), itertools.repeat(5.0)):
        try:
            await write()
        except PyMongoError as error:
            if not (error.timeout or isinstance(error, ConnectionFailure)):
                raise
            log.warning("publication.waiting_for_mongo", error=type(error).__name__)
            await asyncio.sleep(pause)
        else:
            return


def _written_down(publication: Publication, outcome: Receipt | PlatformError) -> Attempt:
    refused = outcome if isinstance(outcome, PlatformError) else None
    return Attempt(
        workspace_id=publication.workspace_id,
        publication_id=publication.id,
        rev=publication.rev,
        n=publication.attempt_no,
        fence=publication.fence,
        key=publication.key,
        sent_at=publication.sent_at or now(),
        answered_at=now(),
        outcome=type(outcome).__name__,
        sentence=refused.sentence if refused else None,
        status=refused.facts.get("status") if refused else None,
        said=refused.facts.get("said") if refused else None,
        receipt=outcome if isinstance(outcome, Receipt) else None,
    )


async def _say(publication: Publication, backing: Backing) -> None:
    """Tells that it is being sent. A row lost here is followed by the conclusion's."""
    await announce([row(publication)])
    backing.announced.set()


async def _doubt_what_was_left(claim: Claim, backing: Backing) -> None:
    """What an earlier owner armed and never concluded may be online: it is settled, never sent again blindly."""
    for left in await Publication.left_sending(list(claim.fences), token=claim.token):
        doubt = {
            "state": State.UNCONFIRMED,
            "ambiguous": True,
            "next_at": now(),
            "reason": as_bson(
                Reason(code="unknown", text="It was interrupted while going out. Checking whether it did.")
            ),
            "updated_at": now(),
        }

        async def body(session: Any, left: Publication = left, doubt: dict[str, Any] = doubt) -> None:
            doubted = await Publication.conclude(left.id, doubt, session, token=left.token)
            if doubted is not None:
                await announce([row(doubted)], session)

        await backing.transaction(body)


def _log(publication: Publication, outcome: Receipt | PlatformError, state: State) -> None:
    late = (publication.sent_at - publication.due_at) / timedelta(milliseconds=1) if publication.sent_at else None
    log.info(
        "publication.attempted",
        publication=str(publication.id),
        workspace=str(publication.workspace_id),
        attempt=publication.attempt_no,
        outcome=type(outcome).__name__,
        state=str(state),
        late_ms=late,
    )
