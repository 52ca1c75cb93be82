"""Publications: what is planned on which account, what became of it, and what a person can do about it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from beanie import PydanticObjectId
from beanie.operators import In
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK, HTTP_202_ACCEPTED
from msgspec import Meta

from social.api.callers import needs
from social.api.pages import Limit, Page, after_due, aware, page
from social.backing import Backing
from social.errors import Invalid, Wrong
from social.media.documents import Media
from social.media.links import link
from social.people.documents import User
from social.people.roles import Caller
from social.platforms.contract import Evidence
from social.posts.when import Plan, at_the_instant, on_the_wall
from social.publishing import several, single, turns
from social.publishing.attempts import Attempt
from social.publishing.documents import Publication
from social.publishing.shown import PublicationOut, shown
from social.publishing.states import State


class WhenIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One of: `now`; `wall` (2026-11-22T09:30:00) with an IANA `zone`; `at` (with offset), shown in `zone`.

    Of a wall time that a clock change makes happen twice, `fold` 0 is the first and 1 the second.
    """

    now: Literal[True] | None = None
    wall: datetime | None = None
    at: datetime | None = None
    zone: Annotated[str, Meta(max_length=64)] | None = None
    fold: Literal[0, 1] = 0

    def plan(self, zone: str, present: datetime) -> Plan:
        """What was asked for at the instant `present`; `zone` is the caller's own. Invalid unless it is exactly one of
        the three."""
        chosen = [name for name in ("now", "wall", "at") if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise Invalid("Say when.", [Wrong("/", "Give exactly one of now, wall (with zone) and at.", "when")])
        if self.wall is not None:
            if self.zone is None:
                raise Invalid(
                    "A wall time needs its zone.", [Wrong("/zone", "Add a zone such as Europe/Berlin.", "missing")]
                )
            return on_the_wall(self.wall, self.zone, self.fold)
        return at_the_instant(self.at or present, self.zone or zone)


class VerdictIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the person saw on the platform: it is there (optionally with its address), or it is not."""

    went_out: bool
    url: Annotated[str, Meta(max_length=2000, pattern="^https?://")] | None = None


class SeveralIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The publications that one word is for."""

    ids: Annotated[list[Annotated[str, Meta(max_length=24)]], Meta(min_length=1, max_length=several.MOST)]


class DecidedOut(msgspec.Struct, kw_only=True):
    """What came of one of several: it was `done`, it was so `already`, or it was `refused`; then `text` says why, and
    `kind` is that of the problem it alone would have been. As it is now, if it is there."""

    id: str
    outcome: several.Outcome
    kind: str | None
    text: str | None
    publication: PublicationOut | None


class AttemptOut(msgspec.Struct, kw_only=True):
    """One attempt at one part (0: the first): when its request was armed and answered, and what came of it."""

    n: int
    rev: int
    part: int
    sent_at: datetime
    answered_at: datetime
    outcome: str
    sentence: str | None
    status: int | None
    said: str | None
    evidence: Evidence | None


class PublicationHistory(PublicationOut, kw_only=True):
    """A publication with all its attempts, oldest first."""

    history: list[AttemptOut]


class PublicationController(Controller):
    """One post on one account."""

    path = "/publications"
    tags = ("publications",)

    @get("/", summary="By due time", guards=[needs("viewer")])
    async def by_due_time(
        self,
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
        since: FromQuery[datetime | None] = None,
        until: FromQuery[datetime | None] = None,
        states: Annotated[list[State] | None, QueryParameter(name="state")] = None,
        on_hold: FromQuery[bool | None] = None,
        newest_first: FromQuery[bool] = False,
        cursor: FromQuery[str | None] = None,
        limit: Limit = 50,
    ) -> Page[PublicationOut]:
        """Due at `since` or later and before `until`, in one of the states; earliest first unless asked otherwise.
        `on_hold`: of what is held only what a hold keeps back, or only the rest."""
        aware(since=since, until=until)
        found = await Publication.page(
            caller,
            states=states,
            on_hold=on_hold,
            since=since,
            until=until,
            after=after_due(cursor),
            newest_first=newest_first,
            limit=limit + 1,
        )
        out = await all_shown(caller, found[:limit], backing)
        return page(found, limit, lambda each: (each.due_at, each.id), out)

    @post("/attempts", summary="Send several now", guards=[needs("author")], status_code=HTTP_202_ACCEPTED)
    async def all_again(
        self, data: JSONBody[SeveralIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> list[DecidedOut]:
        """As "try again now" for each, in one call: what came of each, in the order asked for. On one account the
        earliest due goes out at once and the others follow one by one. To ask twice changes nothing."""
        return await _decided(caller, await several.send_now(caller, data.ids, backing), backing)

    @post("/cancellations", summary="Cancel several", guards=[needs("author")], status_code=HTTP_200_OK)
    async def all_cancelled(
        self, data: JSONBody[SeveralIn], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> list[DecidedOut]:
        """As "cancel one" for each, in one call: what came of each, in the order asked for."""
        return await _decided(caller, await several.cancel(caller, data.ids, backing), backing)

    @get("/{publication_id:str}", summary="One publication and its attempts", guards=[needs("viewer")])
    async def read(
        self, publication_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> PublicationHistory:
        """With every attempt, its stamps and what the platform said."""
        publication = await Publication.found(caller, publication_id)
        out = await _shown(caller, publication, backing)
        history = [_attempt(each) for each in await Attempt.history(publication)]
        return PublicationHistory(**msgspec.structs.asdict(out), history=history)

    @put("/{publication_id:str}/plan", summary="Move one", guards=[needs("author")])
    async def move(
        self,
        publication_id: FromPath[str],
        data: JSONBody[WhenIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> PublicationOut:
        """Another time for this account alone. What was cancelled is planned again, with the words its post has now.
        409 once it is going out or partly online."""
        user = await User.get(caller.user_id)
        when = data.plan(user.zone if user else "UTC", backing.now())
        return await _shown(caller, await single.move(caller, publication_id, when, backing), backing)

    @delete("/{publication_id:str}/plan", summary="Cancel one", guards=[needs("author")], status_code=HTTP_200_OK)
    async def cancel(
        self, publication_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> PublicationOut:
        """Of a thread that is partly online the rest is given up: then it is online, with a note. 409 once it is going
        out."""
        return await _shown(caller, await single.cancel(caller, publication_id, backing), backing)

    @post(
        "/{publication_id:str}/attempts",
        summary="Try again now",
        guards=[needs("author")],
        status_code=HTTP_202_ACCEPTED,
    )
    async def again(
        self, publication_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> PublicationOut:
        """What may already be out is looked for first. A thread that is partly online goes on with its next part."""
        return await _shown(caller, await single.again(caller, publication_id, backing), backing)

    @post(
        "/{publication_id:str}/verdict",
        summary="It is there, or send it again",
        guards=[needs("author")],
        status_code=HTTP_200_OK,
    )
    async def verdict(
        self,
        publication_id: FromPath[str],
        data: JSONBody[VerdictIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> PublicationOut:
        """For what we could not find out ourselves."""
        settled = await single.verdict(caller, publication_id, is_there=data.went_out, url=data.url, backing=backing)
        return await _shown(caller, settled, backing)


def thumbnails(files: Iterable[Media], backing: Backing) -> dict[str | None, str]:
    """The addresses of the files' small pictures, by media id."""
    return {str(file.id): link(file, "thumbnail", backing) for file in files}


async def all_shown(caller: Caller, publications: list[Publication], backing: Backing) -> list[PublicationOut]:
    """The caller's `publications` as they stand now, with their pictures."""
    pictures = await _pictures(caller, publications, backing)
    present, times = backing.now(), backing.settings.times
    before = await turns.before(publications, present)
    return [
        shown(each, pictures.get(each.first_media()), present=present, times=times, before=before.get(each.id, 0))
        for each in publications
    ]


async def _decided(caller: Caller, decided: list[several.Decided], backing: Backing) -> list[DecidedOut]:
    shown = await all_shown(caller, [each.publication for each in decided if each.publication], backing)
    by_id = {each.id: each for each in shown}
    return [
        DecidedOut(
            id=each.id,
            outcome=each.outcome,
            kind=each.refusal.kind if each.refusal else None,
            text=each.refusal.sentence if each.refusal else None,
            publication=by_id.get(each.id),
        )
        for each in decided
    ]


async def _shown(caller: Caller, publication: Publication, backing: Backing) -> PublicationOut:
    return (await all_shown(caller, [publication], backing))[0]


async def _pictures(caller: Caller, publications: list[Publication], backing: Backing) -> dict[str | None, str]:
    firsts = [PydanticObjectId(id) for each in publications if (id := each.first_media())]
    return thumbnails(await Media.of(caller, In("_id", firsts)).to_list(), backing) if firsts else {}


def _attempt(attempt: Attempt) -> AttemptOut:
    return AttemptOut(
        n=attempt.n,
        rev=attempt.rev,
        part=attempt.part,
        sent_at=attempt.sent_at,
        answered_at=attempt.answered_at,
        outcome=attempt.outcome,
        sentence=attempt.sentence,
        status=attempt.status,
        said=attempt.said,
        evidence=attempt.receipt.evidence if attempt.receipt else None,
    )
