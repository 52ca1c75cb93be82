"""Did the interrupted attempt go out? The platform is asked before anyone sends again; section 4 of the protocol."""

from typing import Any

import structlog
from pymongo.errors import PyMongoError

from social import errors
from social.accounts.documents import Account
from social.accounts.tokens import call_as
from social.backing import Backing
from social.errors import Disconnected, PlatformError, QuotaSpent
from social.moments import now
from social.outbox.documents import announce
from social.platforms import PLATFORMS
from social.platforms.contract import Receipt, Sought
from social.publishing.documents import Attempt, Publication, Refusal, Work
from social.publishing.prepare import renewing, taken
from social.publishing.reconnect import login_refused
from social.publishing.send import went_out
from social.publishing.shown import row
from social.publishing.states import Step, looked_in_vain, settled

log = structlog.get_logger()
AT_ONCE = 50


async def settle_due(backing: Backing) -> None:
    """Takes what is in doubt and due for a look, and looks, side by side."""
    work = taken(backing)
    publications = await Publication.take_to_settle(work, most=AT_ONCE)
    await backing.side_by_side(_settle(publication, work, backing) for publication in publications)


async def _settle(publication: Publication, work: Work, backing: Backing) -> None:
    account = None
    try:
        fact = await Attempt.receipt_for(publication)
        if fact is not None and fact.receipt is not None:  # the answer had been written down before the owner died
            await went_out(publication, fact.receipt, backing)
            return
        account = await Account.get(publication.account_id)
        async with renewing(publication, work, backing):
            found = await _looked(publication, account, backing)
        if found is not None:
            await went_out(publication, found, backing)
        else:
            await _written(_unfound(publication, backing), publication, work, backing)
        log.info("publication.settled", publication=str(publication.id), found=found is not None)
    except PlatformError as error:
        step = looked_in_vain(error, looks=publication.looks, now=now(), times=backing.settings.times)
        await _written(step, publication, work, backing)
        await login_refused(account, error, backing)
    except PyMongoError as error:  # the lease runs out and somebody looks again
        log.warning("publication.settling_interrupted", publication=str(publication.id), error=type(error).__name__)


async def _looked(publication: Publication, account: Account | None, backing: Backing) -> Receipt | None:
    """What the platform shows of it, or None. PlatformError if it cannot be asked."""
    if account is None or account.state != "connected":
        raise Disconnected("This account is no longer connected. Connect it again.")
    sent_at = publication.sent_at or publication.due_at
    first_sent_at = publication.first_sent_at or sent_at
    sought = Sought(
        content=publication.content,
        prepared=publication.prepared,
        key=publication.key,
        first_sent_at=first_sent_at,
        last_sent_at=sent_at,
        remote_account=account.remote_id,
        known=await Publication.receipts_beside(publication, first_sent_at),
    )
    return await PLATFORMS[publication.platform].find(await call_as(account, backing), sought)


def _unfound(publication: Publication, backing: Backing) -> Step:
    platform = PLATFORMS[publication.platform]
    sent_at = publication.sent_at or publication.due_at
    return settled(
        None,
        settles=platform.settles,
        replay_for=platform.replay_for,
        attempts=publication.attempt_no,
        first_sent_at=publication.first_sent_at or sent_at,
        last_sent_at=sent_at,
        owner_dead=publication.owner is not None and publication.owner.proven_dead(backing.owner),
        refusal=_error(publication.refusal),
        tries=publication.tries,
        now=now(),
        times=backing.settings.times,
    )


def _error(refusal: Refusal | None) -> PlatformError | None:
    """The error that was stored while an earlier attempt was in doubt."""
    if refusal is None:
        return None
    kind = getattr(errors, refusal.kind)
    if kind is QuotaSpent:
        return QuotaSpent(refusal.sentence, until=refusal.until or now())
    error: PlatformError = kind(refusal.sentence)
    return error


async def _written(step: Step, publication: Publication, work: Work, backing: Backing) -> None:
    written = publication.after(step) | {"work": None}
    if step.ambiguous is None:
        written["looks"] = publication.looks + 1

    async def body(session: Any) -> None:
        changed = await Publication.at_work(publication.id, written, work=work, rev=publication.rev, session=session)
        if changed is not None:
            await announce([row(changed)], session)

    await backing.transaction(body)
