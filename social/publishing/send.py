"""From due to sent: claimed, armed, sent, concluded; of a thread part by part, each with an intent of its own. Every
step may be the process's last; section 5 of the protocol says what the next owner finds."""

import asyncio
import os
import signal
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from pymongo.errors import DuplicateKeyError, PyMongoError

from social.accounts.documents import Account
from social.accounts.tokens import as_account
from social.backing import Backing
from social.backing.mongo import as_bson, insist
from social.errors import Disconnected, OutcomeUnknown, PlatformError, QuotaSpent, RetryLater
from social.moments import now, steady
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Receipt
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication, Refusal
from social.publishing.lanes import Claim, HeldLane, Lane
from social.publishing.reconnect import login_refused
from social.publishing.shown import row
from social.publishing.states import Reason, State, Step, decide, repeatable
from social.publishing.states import went_out as after_going_out

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


def crash_here(point: str, backing: Backing, part: int = 0) -> None:
    """Ends the process as SIGKILL does if the settings name this point. How tests crash it at every step.

    For the first part the point is the step's name; for the second one of a thread it is that and ":2", and so on.
    """
    if backing.settings.crash_at == (f"{point}:{part + 1}" if part else point):
        os.kill(os.getpid(), signal.SIGKILL)


async def went_out(
    publication: Publication, receipt: Receipt, backing: Backing, *, token: str | None = None
) -> Publication | None:
    """The part whose turn it is is online, whoever holds the publication by now: it is the next one's turn, if there is
    one. Running it again changes nothing.

    The publication as it is then, if the next part's turn is within the claim `token`; None if it is not, or if there
    is no next part.
    """
    step = after_going_out(publication.progress, now=now())
    written = publication.after(step) | publication.turn_passes(receipt) | {"answered_at": now(), "prepare_at": None}

    async def body(session: Any) -> Publication | None:
        ours = None
        if token is not None and step.state is not State.ONLINE:
            ours = await Publication.goes_on(publication, written, session, token=token)
        changed = ours or await Publication.went_out(publication, written, session)
        if changed is not None:
            await announce([row(changed)], session)
        return ours

    return await backing.transaction(body)


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
                await _until(publication, backing)
                await _send_parts(publication, lane, backing)
            else:
                continue
            break
        await Publication.hand_back(lane.account_id, lane.token)
        await Lane.release(lane)
    except PyMongoError as error:
        # Whether the last write happened is unknown: nothing more is sent under this claim, its lease runs out.
        log.warning("lane.abandoned", account=str(lane.account_id), error=type(error).__name__)


async def _send_parts(publication: Publication, lane: HeldLane, backing: Backing) -> None:
    """Sends the part whose turn it is and then those that follow it, as long as the claim holds. One that must wait
    keeps back the rest of its own thread alone."""
    turn: Publication | None = publication
    while turn is not None:
        account = await Account.get(lane.account_id)  # a lane may be held long, and a login be made anew
        turn = await _send_one(turn, account, lane, backing)
        if turn is not None and (backing.stopping.is_set() or not await _still_ours(lane, backing)):
            return  # whoever has the lane by then goes on


async def _more(lane: HeldLane, backing: Backing) -> bool:
    """Whether it was held so long that more may have fallen due; that is then stamped, as by a new claim."""
    times = backing.settings.times
    if steady() - lane.looked < times.tick or not await Lane.renew(lane, times):
        return False
    lane.looked = steady()
    ahead = now() + timedelta(seconds=times.look_ahead)
    await Publication.stamp({lane.account_id: lane.fence}, ahead, token=lane.token, owner=backing.owner)
    return True


async def _still_ours(lane: HeldLane, backing: Backing) -> bool:
    times = backing.settings.times
    half = lane.asked + (lane.safe_until(times) - lane.asked) / 2
    return steady() < half or await Lane.renew(lane, times)


async def _until(publication: Publication, backing: Backing) -> None:
    """Waits for the due instant, or for the instance to stop."""
    wait = (publication.due_at - now()).total_seconds()
    if wait > 0:
        try:
            await asyncio.wait_for(backing.stopping.wait(), wait)
        except TimeoutError:
            return


async def _send_one(
    publication: Publication, account: Account | None, lane: HeldLane, backing: Backing
) -> Publication | None:
    """One attempt at one part, from the intent to the conclusion. The publication if its next part's turn is now."""
    if backing.stopping.is_set() or publication.due_at > now():
        return None
    if not _may_go_out(publication):
        await _look_first(publication, lane, backing)
        return None
    if publication.part:
        crash_here("claimed", backing, publication.part)
    armed = (await Publication.arm([publication.id], token=lane.token)).get(publication.id)
    if armed is None or armed.attempt_no != publication.attempt_no + 1:
        return None  # edited, held, cancelled or taken over since it was read
    crash_here("armed", backing, armed.part)
    await _say(armed, backing)
    outcome = await _attempt(armed, account, lane, backing)
    crash_here("answered", backing, armed.part)
    return await _conclude(armed, outcome, account, lane, backing)


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
        doubted = await Publication.conclude(publication, doubt, session, token=lane.token, state=State.QUEUED)
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
    turn = publication.turn(account.remote_id, account.handle)

    async def publish(call: Call) -> Receipt:
        call.deadline = lane.safe_until(backing.settings.times)
        call.on_write = lambda: crash_here("written", backing, turn.part)
        return await PLATFORMS[publication.platform].publish(call, turn)

    try:
        return await as_account(account, backing, publish)
    except PlatformError as error:
        return error


async def _conclude(
    publication: Publication,
    outcome: Receipt | PlatformError,
    account: Account | None,
    lane: HeldLane,
    backing: Backing,
) -> Publication | None:
    """Writes down what came of the attempt. A receipt is a fact and is written before anything depends on it.

    The publication if it is the next part's turn, within this claim.
    """
    attempt = _written_down(publication, outcome)
    if isinstance(outcome, Receipt):
        await insist(attempt.note)
        crash_here("fact", backing, publication.part)
        following = await insist(partial(went_out, publication, outcome, backing, token=lane.token))
        _log(publication, outcome, following.state if following else State.ONLINE)
        return following
    step = decide(
        outcome,
        tries=publication.tries,
        ambiguous=publication.ambiguous,
        now=now(),
        times=backing.settings.times,
        progress=publication.progress,
    )
    written = publication.after(step) | {"answered_at": attempt.answered_at}
    if publication.ambiguous and not isinstance(outcome, OutcomeUnknown | RetryLater | QuotaSpent):
        written["refusal"] = as_bson(
            Refusal(kind=type(outcome).__name__, sentence=outcome.sentence, until=getattr(outcome, "until", None))
        )

    async def body(session: Any) -> None:
        concluded = await Publication.conclude(publication, written, session, token=lane.token)
        await attempt.insert(session=session)
        if concluded is not None:
            await announce([row(concluded)], session)

    with suppress(DuplicateKeyError):  # an earlier commit had succeeded, only its answer was lost
        await insist(partial(backing.transaction, body))
    _log(publication, outcome, step.state)
    await login_refused(account, outcome, backing)
    return None


def _written_down(publication: Publication, outcome: Receipt | PlatformError) -> Attempt:
    refused = outcome if isinstance(outcome, PlatformError) else None
    return Attempt(
        workspace_id=publication.workspace_id,
        publication_id=publication.id,
        rev=publication.rev,
        part=publication.part,
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
            doubted = await Publication.conclude(left, doubt, session, token=left.token)
            if doubted is not None:
                await announce([row(doubted)], session)

        await backing.transaction(body)


def _log(publication: Publication, outcome: Receipt | PlatformError, state: State) -> None:
    begun_at = publication.begun_at or publication.sent_at
    late = (begun_at - publication.due_at) / timedelta(milliseconds=1) if begun_at else None
    log.info(
        "publication.attempted",
        publication=str(publication.id),
        workspace=str(publication.workspace_id),
        part=publication.part,
        attempt=publication.attempt_no,
        outcome=type(outcome).__name__,
        state=str(state),
        late_ms=late,
    )
