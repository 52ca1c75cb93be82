"""Did the interrupted attempt go out? The platform is asked before anyone sends again; section 4 of the protocol.

Of a thread it is one part that is in doubt: those before it are online, those after it were never sent.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import msgspec
import structlog
from pymongo.errors import PyMongoError

from social import errors
from social.accounts.documents import Account
from social.accounts.tokens import as_account
from social.backing import Backing
from social.errors import Disconnected, PlatformError, QuotaSpent, RetryLater
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.calls import Call
from social.platforms.contract import Receipt, Sought
from social.publishing.documents import Publication
from social.publishing.facts import Refusal, Work
from social.publishing.findings import MAYBE_ANOTHER_S, Finding, another_s, has_a_key, said_to_be_there
from social.publishing.prepare import begun, renewing, taken
from social.publishing.reconnect import login_refused
from social.publishing.send import crash_here, went_out
from social.publishing.shown import row
from social.publishing.states import ASKS, DEATHS, Step, looked_in_vain, over, poisonous, settled

log = structlog.get_logger()
AT_ONCE = 50
FEW = 3  # looks at one account at a time, and the next ones so much later: X answers 900 in 15 minutes (its sheet)
APART = timedelta(seconds=3)
SAID = "There is a post with these words, and somebody said that one of them is another post of yours."
QUESTIONS = 3  # in one look, where what is found first stands for others


async def settle_due(backing: Backing) -> None:
    """Takes what is in doubt and due for a look, as much as there is room for, and looks: accounts side by side, on one
    account one after another. Never in the room that sends have: a platform that is silent is looked at for long."""
    work = taken(backing)
    of_accounts: list[list[Publication]] = []
    places = backing.settling.take(AT_ONCE)
    try:
        if places:
            publications = await Publication.take_to_settle(work, most=places, few=FEW, apart=APART, at=backing.now())
            publications.sort(key=lambda each: (each.account_id, each.sent_at or each.due_at, each.id))
            of_accounts = [list(few) for _, few in groupby(publications, key=lambda each: each.account_id)]
    finally:
        backing.settling.give_back(places - len(of_accounts))
    await backing.side_by_side((_settle_in_turn(few, work, backing) for few in of_accounts), backing.settling)


async def _settle_in_turn(publications: Iterable[Publication], work: Work, backing: Backing) -> None:
    """What one look finds is known to the next: two posts of the same words are told apart."""
    for publication in publications:
        await _settle(publication, work, backing)


async def _settle(publication: Publication, work: Work, backing: Backing) -> None:
    account = None
    try:
        if not await begun(publication, work, backing):  # it waited for others of its account
            return
        account = await Account.readable(publication.account_id)
        fact = await Finding.written_down(publication, account.origin if account else "", at=backing.now())
        if fact is not None:
            await went_out(publication, fact, backing)
            return
        if publication.deaths >= 2 * DEATHS:  # it is the look that they die of
            await _written(poisonous(publication.deaths), publication, work, backing)
            return
        crash_here("looking", backing)
        async with renewing(publication, work, backing):
            found = await _looked(publication, account, backing)
        crash_here("looked", backing)
        if found is not None:
            await went_out(publication, found, backing)
        else:
            await _written(_unfound(publication, backing), publication, work, backing)
        log.info("publication.settled", publication=str(publication.id), found=found is not None)
    except PlatformError as error:
        step = looked_in_vain(error, looks=publication.looks, now=backing.now(), times=backing.settings.times)
        await _written(step, publication, work, backing)
        await login_refused(account, error, backing)
    except PyMongoError as error:  # the lease runs out and somebody looks again
        log.warning("publication.settling_interrupted", publication=str(publication.id), error=type(error).__name__)


async def _looked(publication: Publication, account: Account | None, backing: Backing) -> Receipt | None:
    """What the platform shows of it, or None. PlatformError if it cannot be asked."""
    if account is None or account.state != "connected":
        raise Disconnected("This account is no longer connected. Connect it again.")
    turn = publication.turn(account.remote_id, account.handle)
    same = await Account.of_the_same_profile(account)
    sought = Sought(
        **msgspec.structs.asdict(turn),
        last_sent_at=publication.sent_at or turn.first_sent_at,
        known=await Publication.ids_beside(publication, same, turn.first_sent_at),
    )
    platform = PLATFORMS[publication.platform]
    for _ in range(QUESTIONS):
        found = await _found(sought, account, backing)
        if found is None or platform.settles == "rkey":
            return found
        if await another_s(found, sought, publication, same, backing.now()):
            if _goes_out_again(publication, backing.now()):
                return None  # and its key tells it from the other
            break
        if await said_to_be_there(sought, same):
            if _goes_out_again(publication, backing.now()):
                return None
            raise RetryLater(SAID, code=ASKS)
        if await Finding.stands_for(publication, found.id, account.origin, at=backing.now()):
            return found
        sought = msgspec.structs.replace(sought, known=sought.known | {found.id})  # another workspace's, of this person
    raise RetryLater(MAYBE_ANOTHER_S)


async def _found(sought: Sought, account: Account, backing: Backing) -> Receipt | None:
    async def find(call: Call) -> Receipt | None:
        return await PLATFORMS[account.platform].find(call, sought)

    return await as_account(account, backing, find)


def _goes_out_again(publication: Publication, at: datetime) -> bool:
    """Whether what is in doubt at the instant `at` is sent once more under its key if a look does not find it."""
    late = over(publication.deadline, at, publication.progress)
    return has_a_key(publication, at) and publication.refusal is None and not late


def _unfound(publication: Publication, backing: Backing) -> Step:
    platform = PLATFORMS[publication.platform]
    sent_at = publication.sent_at or publication.due_at
    return settled(
        None,
        settles=platform.settles,
        replay_for=platform.replay_for,
        attempts=publication.attempt_no - publication.attempts_before,
        first_sent_at=publication.first_sent_at or sent_at,
        last_sent_at=sent_at,
        owner_dead=publication.owner is not None and publication.owner.proven_dead(backing.owner),
        refusal=_error(publication.refusal, backing),
        tries=publication.tries,
        now=backing.now(),
        times=backing.settings.times,
        progress=publication.progress,
        deadline=publication.deadline,
        deaths=publication.deaths,
    )


def _error(refusal: Refusal | None, backing: Backing) -> PlatformError | None:
    """The error that was stored while an earlier attempt was in doubt."""
    if refusal is None:
        return None
    kind = getattr(errors, refusal.kind)
    if kind is QuotaSpent:
        return QuotaSpent(refusal.sentence, until=refusal.until or backing.now())
    error: PlatformError = kind(refusal.sentence, **({"code": refusal.code} if refusal.code else {}))
    return error


async def _written(step: Step, publication: Publication, work: Work, backing: Backing) -> None:
    written = publication.after(step, backing.now()) | {"work": None}
    if step.ambiguous is None:
        written["looks"] = publication.looks + 1

    async def body(session: Any) -> None:
        changed = await Publication.at_work(publication, written, work=work, at=backing.now(), session=session)
        if changed is not None:
            await announce([row(changed)], session)

    await backing.transaction(body)
    backing.tally.count("publications", step.state)
