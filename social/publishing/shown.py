"""A publication as the API and the live events show it."""

from datetime import datetime

import msgspec

from social.outbox.documents import Announcement, Row
from social.people.lateness import Lateness
from social.platforms.contract import Evidence, Realm
from social.publishing.facts import Facts
from social.publishing.states import Reason, State
from social.publishing.waiting import Why, why
from social.settings import Times

EXCERPT = 140
USUAL = Times()  # of what is told live, where nobody's settings are at hand: a sentence does not depend on them


class PublicationOut(msgspec.Struct, kw_only=True):
    """One post on one account. Instants are UTC; `wall` is what the clock in `zone` shows at `due_at`.

    From `deadline` on (null: never) it is not sent without a person's word, by what `lateness` says. `late_ms` is from
    the due instant to the moment the (first part's) request was armed; `thumbnail_url` is left out of live events. Of a
    thread, `remote_id`, `url` and `evidence` are the first part's; `part_urls` has one for each part that is online,
    null where nobody knows it.
    """

    id: str
    post_id: str
    account_id: str
    platform: str
    realm: Realm
    state: State
    reason: Reason | None
    why: Why | None  # of what has not ended: what it waits for, and until when or for whom
    due_at: datetime
    wall: str
    zone: str
    fold: int
    lateness: Lateness | None
    deadline: datetime | None
    next_at: datetime | None
    rev: int
    attempts: int
    remote_id: str | None
    url: str | None
    evidence: Evidence | None
    parts: int
    parts_online: int
    part_urls: list[str | None]
    notes: list[str]  # where what is public differs from what was asked for
    excerpt: str
    in_doubt: bool
    renditions: list[str]  # ids of what is made of its files, as the ticks `rendition.making` name them
    thumbnail_url: str | None = None
    planned_at: datetime
    started_at: datetime | None
    armed_at: datetime | None
    answered_at: datetime | None
    late_ms: int | None
    updated_at: datetime


def shown(
    publication: Facts,
    thumbnail_url: str | None = None,
    *,
    present: datetime | None = None,
    times: Times = USUAL,
    before: int = 0,
) -> PublicationOut:
    """`publication` for its workspace's people, at the instant `present`: that of its last change if none is given.
    `before`: how many are before it on its account."""
    receipt = publication.receipt
    return PublicationOut(
        id=str(publication.id),
        post_id=str(publication.post_id),
        account_id=str(publication.account_id),
        platform=publication.platform,
        realm=publication.realm,
        state=publication.state,
        reason=publication.reason,
        why=why(publication, present or publication.updated_at, times, before=before),
        due_at=publication.due_at,
        wall=publication.wall,
        zone=publication.zone,
        fold=publication.fold,
        lateness=publication.lateness,
        deadline=publication.deadline,
        next_at=None if publication.state is State.SENDING else publication.next_at,
        rev=publication.rev,
        attempts=publication.attempt_no,
        remote_id=receipt.id if receipt else None,
        url=receipt.url if receipt else None,
        evidence=receipt.evidence if receipt else None,
        parts=publication.progress.parts,
        parts_online=publication.progress.online,
        part_urls=[each.url for each in publication.receipts],
        notes=list(receipt.notes) if receipt else [],
        excerpt=_excerpt(publication.content.text),
        in_doubt=publication.ambiguous,
        renditions=sorted(publication.content.renditions),
        thumbnail_url=thumbnail_url,
        planned_at=publication.planned_at,
        started_at=publication.started_at,
        armed_at=_armed_at(publication),
        answered_at=publication.answered_at,
        late_ms=_late(publication),
        updated_at=publication.updated_at,
    )


def row(publication: Facts) -> Announcement:
    """The event that `publication` has changed, with all of it but the picture's address."""
    data = msgspec.to_builtins(shown(publication))
    del data["thumbnail_url"]
    return Row.about(
        workspace_id=publication.workspace_id,
        type="publication.changed",
        post_id=str(publication.post_id),
        publication_id=str(publication.id),
        rev=publication.rev,
        data=data,
    )


def _excerpt(text: str) -> str:
    """The beginning, which says that it is only that."""
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1].rstrip()}…"


def _armed_at(publication: Facts) -> datetime | None:
    return publication.begun_at or publication.sent_at


def _late(publication: Facts) -> int | None:
    armed_at = _armed_at(publication)
    return max(0, round((armed_at - publication.due_at).total_seconds() * 1000)) if armed_at else None
