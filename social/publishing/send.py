"""From due to sent: claimed, armed, sent, concluded; of a thread part by part, each with an intent of its own. Every
step may be the process's last; section 5 of the protocol says what the next owner finds."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from social.accounts.tokens import as_account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Disconnected, OutcomeUnknown, PlatformError, QuotaSpent, RetryLater
from social.moments import steady
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Told
from social.publishing import claims
from social.publishing.claims import Claim, HeldLane, TooEarly
from social.publishing.conclusions import Conclusion
from social.publishing.documents import Publication
from social.publishing.facts import FREE, Facts, InHand, Refusal
from social.publishing.gate import Attempted
from social.publishing.reconnect import login_refused
from social.publishing.shown import row
from social.publishing.states import Reason, State, Step, decide, over, repeatable, spaced
from social.publishing.states import went_out as after_going_out

log = structlog.get_logger()
LANES = 800  # that one process holds at most; others may take the rest
AT_ONE_LOOK = 400
AGAIN = 0.01  # seconds until what was armed too early is armed again


async def send_due(before: datetime, backing: Backing) -> None:
    """Claims lanes with something due before `before` and sends it, each lane in due order, lanes side by side.

    Safe to run twice and in many processes: one claim wins. A process that dies with a claim leaves a lease; when it
    runs out, or the process is proven dead, `settle` asks the platform before anyone sends again.
    """
    working: list[asyncio.Task[None]] = []
    try:
        while not backing.stopping.is_set() and (free := LANES - len(backing.in_hand)) > 0:
            claim = await claims.take(before, backing, most=min(free, AT_ONE_LOOK))
            if claim is None:
                break
            crash_here("claimed", backing)
            backing.in_hand.update((lane.account_id, lane) for lane in claim.lanes)
            working.append(asyncio.create_task(_work_off(claim, backing)))
            if not claim.more:
                break
    finally:
        await _all_ended(working)


def crash_here(point: str, backing: Backing, part: int = 0) -> None:
    """Ends the process as SIGKILL does if the settings name this point. How tests crash it at every step.

    For the first part the point is the step's name; for the second one of a thread it is that and ":2", and so on.
    "pause:" before it stops the process as SIGSTOP does instead; "%0.1" behind it lets nine of ten pass.
    """
    if backing.settings.crash_at is None:
        return
    at, _, chance = backing.settings.crash_at.partition("%")
    if at.removeprefix("pause:") != (f"{point}:{part + 1}" if part else point):
        return
    if not chance or random.random() < float(chance):  # noqa: S311 - a dice, not a secret
        os.kill(os.getpid(), signal.SIGSTOP if at.startswith("pause:") else signal.SIGKILL)


async def went_out(publication: Facts, receipt: Receipt, backing: Backing) -> None:
    """The part whose turn it is is online, whoever holds the publication by now: it is the next one's turn, if there is
    one. Running it again changes nothing."""
    fact = _of_a_fact(publication, receipt, backing.now())

    async def body(session: Any) -> None:
        changed = await Publication.went_out(publication, fact, session)
        if changed is not None:
            await announce([row(changed)], session)

    await backing.transaction(body)
    backing.tally.count("publications", fact["state"])


async def _work_off(claim: Claim, backing: Backing) -> None:
    """Works on all lanes of a claim side by side. One that fails lets go of no other's send."""
    try:
        works = [_doubt_what_was_left(claim, backing), *(_send_lane(lane, claim, backing) for lane in claim.lanes)]
        await _all_ended([asyncio.create_task(work) for work in works])
        await claim.all_told()
    finally:
        for lane in claim.lanes:
            backing.in_hand.pop(lane.account_id, None)


async def _all_ended(works: Sequence[Awaitable[None]]) -> None:
    """Returns when all have ended; the first error is raised then."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _send_lane(lane: HeldLane, claim: Claim, backing: Backing) -> None:
    """Sends what is due on one lane until nothing is, then lets the lane go. What it cannot send stays for others."""
    try:
        while not backing.stopping.is_set():
            publication = await claim.next(lane)
            if publication is None:
                if lane.more and await claim.renew(lane):
                    await claim.look_again(lane)
                    continue
                break
            if _too_late(publication, backing.now()) or await _kept_apart(publication, lane, claim, backing):
                continue
            await _until(publication.next_at or publication.due_at, backing)
            if not await _send_parts(publication, lane, claim, backing):
                break
        _let_go(lane, backing)  # what falls due from now on is another claim's
        await claim.release(lane)
    except PyMongoError as error:
        # Whether the last write happened is unknown: nothing more is sent under this claim, its lease runs out.
        log.warning("lane.abandoned", account=str(lane.account_id), error=type(error).__name__)
    finally:
        _let_go(lane, backing)


def _too_late(publication: InHand, at: datetime) -> bool:
    """Whether its arm would come to nothing: it takes no place, in a quota or in the line. `late` says what it is."""
    return not publication.ambiguous and over(publication.deadline, at, publication.progress)


async def _kept_apart(publication: InHand, lane: HeldLane, claim: Claim, backing: Backing) -> bool:
    """Whether it is one of several that a stop has kept back on this account: the first goes out at once, and each
    further one so much later, in due order."""
    at, times = backing.now(), backing.settings.times
    overdue, spacing = times.timedelta("overdue"), times.timedelta("spacing")
    if claim.taken_at - (publication.next_at or publication.due_at) < overdue:
        return False  # if it is late, then for the line before it
    if lane.late_until is None:  # what went out under an earlier claim counts too: not all were ready to go at once
        before = await Publication.kept_apart_until(lane.account_id, overdue=overdue, spacing=spacing, at=at)
        lane.late_until = before or at
    again_at = max(lane.late_until, at)
    lane.late_until = again_at + spacing
    if again_at == at:
        return False
    changes = publication.after(spaced(again_at), at) | {"token": None, "owner": None}
    await claim.conclude(Conclusion(publication=publication, changes=changes, state=State.QUEUED))
    return True


def _let_go(lane: HeldLane, backing: Backing) -> None:
    """Who holds few lanes takes on others at once, if there were more than it could take."""
    lane.account = None  # the lane itself is kept until all of its claim have ended
    backing.in_hand.pop(lane.account_id, None)
    if len(backing.in_hand) == LANES // 2:
        backing.planned.set()


async def _send_parts(publication: InHand, lane: HeldLane, claim: Claim, backing: Backing) -> bool:
    """Sends the part whose turn it is and then those that follow it, as long as the claim holds: whether it does. One
    that must wait keeps back the rest of its own thread alone."""
    turn: InHand | None = publication
    while turn is not None and not backing.stopping.is_set():
        async with backing.room:
            # It may have waited for its instant, and for room; and between two parts a hold may have come.
            further = turn is not publication
            if not await (claim.renew(lane) if further else _still_ours(lane, claim, backing)):
                return False
            attempted = await _send_one(turn, lane, claim, backing)
        turn = await _concluded(*attempted, lane, claim, backing) if attempted is not None else None
    return True


async def _still_ours(lane: HeldLane, claim: Claim, backing: Backing) -> bool:
    half = lane.asked + (lane.safe_until(backing.settings.times) - lane.asked) / 2
    return steady() < half or await claim.renew(lane)


async def _until(instant: datetime, backing: Backing) -> None:
    """Waits for an instant of the database's clock, or for the instance to stop."""
    while not backing.stopping.is_set() and (wait := (instant - backing.now()).total_seconds()) > 0:
        try:
            await asyncio.wait_for(backing.stopping.wait(), wait)
        except TimeoutError:
            continue


async def _send_one(
    publication: InHand, lane: HeldLane, claim: Claim, backing: Backing
) -> tuple[Attempted, InHand] | None:
    """One attempt at one part: what came of it, and it with its intent written. None if it was not made, or not by
    us."""
    if not _may_go_out(publication, backing.now()):
        await _look_first(publication, claim, backing)
        return None
    if publication.part:
        crash_here("claimed", backing, publication.part)
    armed = await _armed(publication, lane, claim, backing)
    if armed is None:
        return None  # edited, held, cancelled or taken over since it was read
    if isinstance(armed, PlatformError):
        await claim.conclude(_kept_back(publication, armed, backing))
        return None
    crash_here("armed", backing, armed.part)
    with claim.told_if_slow(armed):
        outcome, told = await _attempt(armed, lane, backing)
    crash_here("answered", backing, armed.part)
    return Attempted(claims.sending(armed, lane), outcome, told), armed


async def _armed(
    publication: InHand, lane: HeldLane, claim: Claim, backing: Backing
) -> InHand | QuotaSpent | RetryLater | None:
    """It with its intent written, at its instant by the database's clock and not before; or why it must wait. None if
    it is not ours."""
    while isinstance(armed := await claim.arm((publication, lane)), TooEarly):
        await asyncio.sleep(AGAIN)
        if backing.stopping.is_set():
            return None
    return armed


def _may_go_out(publication: InHand, at: datetime) -> bool:
    """What may be online goes out again only while the platform would know it again. It may have waited since that was
    decided: for its lane, or for an instance to be there at all."""
    if not publication.ambiguous:
        return True
    if over(publication.deadline, at, publication.progress):
        return False
    platform = PLATFORMS[publication.platform]
    first_sent_at = publication.first_sent_at or publication.due_at
    return repeatable(platform.settles, first_sent_at, platform.replay_for, at)


async def _look_first(publication: InHand, claim: Claim, backing: Backing) -> None:
    """It may be online and its key is dead: it is settled once more instead of sent."""
    reason = Reason(code="unknown", text="Too much time has passed since it was sent first. Checking again.")
    step = Step(state=State.UNCONFIRMED, again_at=backing.now(), reason=reason)
    changes = publication.after(step, backing.now()) | {"token": None}
    await claim.conclude(Conclusion(publication=publication, changes=changes, state=State.QUEUED))


async def _attempt(
    publication: InHand, lane: HeldLane, backing: Backing
) -> tuple[Receipt | PlatformError, tuple[Told, ...]]:
    """The one request, and what its answer told of quotas. Everything it can come to is a value, for all of it has to
    be concluded.

    A cancelled one is left `sending`: whoever takes the lane over settles it.
    """
    account = lane.account
    if account is None or account.state != "connected":
        return Disconnected("This account is no longer connected. Connect it again, then this can go out."), ()
    turn, calls = publication.turn(account.remote_id, account.handle), list[Call]()

    async def publish(call: Call) -> Receipt:
        calls.append(call)
        call.deadline = lane.safe_until(backing.settings.times)
        call.on_write = lambda: crash_here("written", backing, turn.part)
        return await PLATFORMS[publication.platform].publish(call, turn)

    outcome: Receipt | PlatformError
    try:
        outcome = await as_account(account, backing, publish)
    except PlatformError as error:
        outcome = error
    return outcome, calls[-1].told if calls else ()


async def _concluded(
    attempted: Attempted, publication: InHand, lane: HeldLane, claim: Claim, backing: Backing
) -> InHand | None:
    """Writes down what came of an attempt. The publication if it is the next part's turn, within this claim."""
    outcome = attempted.outcome
    at = max(backing.now(), publication.sent_at or publication.due_at)  # by the server's clock, which ours only follows
    if isinstance(outcome, PlatformError):
        await claim.conclude(_refused(publication, attempted, outcome, at, backing))
        crash_here("concluded", backing, publication.part)
        await login_refused(lane.account, outcome, backing)
        return None
    changed = await claim.conclude(_received(publication, attempted, outcome, at))
    crash_here("concluded", backing, publication.part)
    return changed if changed is not None and changed.state is State.QUEUED else None


def _received(publication: InHand, attempted: Attempted, receipt: Receipt, at: datetime) -> Conclusion:
    """A receipt is a fact: it is written whoever holds the publication by then. A part that another follows stays in
    the claim."""
    fact = _of_a_fact(publication, receipt, at)
    goes_on = fact["state"] != State.ONLINE
    return Conclusion(
        publication=publication,
        changes=fact | ({"state": State.QUEUED} if goes_on else FREE),
        attempted=attempted,
        fact=fact,
        alike=not goes_on and not publication.part,
    )


def _of_a_fact(publication: Facts, receipt: Receipt, at: datetime) -> dict[str, Any]:
    step = after_going_out(publication.progress, now=at)
    turned = publication.turn_passes(receipt)
    return publication.after(step, at) | turned | {"answered_at": at, "prepare_at": None}


def _kept_back(publication: InHand, error: QuotaSpent | RetryLater, backing: Backing) -> Conclusion:
    """It waits without an intent, which costs nothing: neither an attempt nor a try."""
    at = backing.now()
    step = decide(
        error,
        tries=publication.tries,
        ambiguous=publication.ambiguous,
        now=at,
        times=backing.settings.times,
        progress=publication.progress,
    )
    changes = publication.after(step, at) | {"token": None, "owner": None}
    return Conclusion(publication=publication, changes=changes, state=State.QUEUED)


def _refused(
    publication: InHand, attempted: Attempted, error: PlatformError, at: datetime, backing: Backing
) -> Conclusion:
    """The owner stays written down: whether it is dead decides how long a look must go on."""
    step = decide(
        error,
        tries=publication.tries,
        ambiguous=publication.ambiguous,
        now=at,
        times=backing.settings.times,
        progress=publication.progress,
        attempts=publication.attempt_no - publication.attempts_before,
    )
    changes = publication.after(step, at) | {"answered_at": at, "token": None}
    if step.state is State.UNCONFIRMED and not isinstance(error, OutcomeUnknown | RetryLater | QuotaSpent):
        until, code = getattr(error, "until", None), error.facts.get("code")
        refusal = Refusal(kind=type(error).__name__, sentence=error.sentence, until=until, code=code)
        changes["refusal"] = as_bson(refusal)
    return Conclusion(publication=publication, changes=changes, attempted=attempted)


async def _doubt_what_was_left(claim: Claim, backing: Backing) -> None:
    """What an earlier owner armed and never concluded may be online: it is settled, never sent again blindly.

    Beside the lanes, which do not wait for it.
    """
    reason = Reason(code="unknown", text="It was interrupted while going out. Checking whether it did.")
    step = Step(state=State.UNCONFIRMED, again_at=backing.now(), reason=reason, ambiguous=True)
    at = backing.now()
    doubted = [
        Conclusion(publication=each, changes=each.after(step, at) | {"token": None, "deaths": each.deaths + 1})
        for each in await claim.left_sending()
    ]
    await asyncio.gather(*map(claim.conclude, doubted))
