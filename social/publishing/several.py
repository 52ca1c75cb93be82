"""One word of a person for many publications: send them now, or cancel them. Each is decided by itself, as in
`single.py`, and the answer says of each what came of it.

To say it twice changes nothing: what the first time has done is `already` so the second time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import msgspec
from beanie import PydanticObjectId
from beanie.operators import In
from bson import ObjectId

from social.backing import Backing
from social.errors import Conflict, Forbidden, NotFound, Refused
from social.people.roles import Caller
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.plan import may_change
from social.publishing.single import take_out, try_now
from social.publishing.states import BEFORE_SENDING, GOING_OUT, SPACED, State

MOST = 100  # in one call
SIDE_BY_SIDE = 8  # posts that are decided about at the same time, each by short transactions
UNDER_WAY = (*(state for state in BEFORE_SENDING if state is not State.WAITING), *GOING_OUT, State.ONLINE)
Outcome: TypeAlias = Literal["done", "already", "refused"]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one: it was `done`, it was so `already`, or it was `refused` and why. With it as it is now, if it is
    there."""

    id: str
    outcome: Outcome
    publication: Publication | None = None
    refusal: Refused | None = None


Decide: TypeAlias = Callable[[Publication], Awaitable[Publication]]


async def send_now(caller: Caller, ids: Sequence[str], backing: Backing) -> list[Decided]:
    """Lets those of `ids` go out now that wait, are held, failed, were missed or cancelled; what is in doubt is looked
    for. Of one account the earliest due goes out at once and the others follow one by one, never as a burst."""
    places: dict[ObjectId, timedelta] = {}
    times = backing.settings.times
    spacing = times.timedelta("spacing")

    def goes_out(publication: Publication) -> bool:
        return _goes_out(publication, backing.now())

    async def decide(publication: Publication) -> Publication:
        return await try_now(publication, backing, after=places[publication.id])

    async def line_up(publications: Collection[Publication]) -> None:
        at, ends, asked = backing.now(), dict[ObjectId, datetime](), [each.id for each in publications]
        for each in sorted(publications, key=lambda each: (each.due_at, each.id)):
            if each.account_id not in ends:  # a line that an earlier word has made goes on
                until = await Publication.kept_apart_until(
                    each.account_id, overdue=times.timedelta("overdue"), spacing=spacing, at=at, but=asked
                )
                ends[each.account_id] = max(until or at, at)
            places[each.id] = ends[each.account_id] - at
            if not goes_out(each) and not each.ambiguous:
                ends[each.account_id] += spacing

    return await _each(caller, ids, decide, goes_out, line_up)


async def cancel(caller: Caller, ids: Sequence[str], backing: Backing) -> list[Decided]:
    """Takes those of `ids` out that are not going out; a post of which nothing is left is a draft again."""

    async def decide(publication: Publication) -> Publication:
        return await take_out(caller, publication, backing)

    return await _each(caller, ids, decide, lambda each: each.state is State.CANCELLED)


async def _each(
    caller: Caller,
    ids: Sequence[str],
    decide: Decide,
    is_so: Callable[[Publication], bool],
    first: Callable[[Collection[Publication]], Awaitable[None]] | None = None,
) -> list[Decided]:
    """What came of each of `ids`, in their order. Those of one post are decided about one after another."""
    wanted = list(dict.fromkeys(ids))
    there = {str(each.id): each for each in await _read(caller, wanted)}
    lacking = await Publication.lacking(caller, [id for id in wanted if id not in there])
    posts = await _posts(caller, there.values())
    if first is not None:
        await first(there.values())
    room, of_posts = asyncio.Semaphore(SIDE_BY_SIDE), dict[PydanticObjectId, list[Publication]]()
    for each in there.values():
        of_posts.setdefault(each.post_id, []).append(each)

    async def of_one_post(publications: Sequence[Publication]) -> list[Decided]:
        async with room:
            return [await _decided(caller, each, posts.get(each.post_id), decide, is_so) for each in publications]

    found = await asyncio.gather(*map(of_one_post, of_posts.values()))
    decided = {each.id: each for group in found for each in group}
    return [decided.get(id) or Decided(id=id, outcome="refused", refusal=lacking[id]) for id in wanted]


async def _decided(
    caller: Caller, publication: Publication, post: Post | None, decide: Decide, is_so: Callable[[Publication], bool]
) -> Decided:
    id = str(publication.id)
    try:
        if post is None:
            raise (await Post.lacking(caller, [str(publication.post_id)]))[str(publication.post_id)]
        may_change(caller, post)
        if is_so(publication):
            return Decided(id=id, outcome="already", publication=publication)
        return Decided(id=id, outcome="done", publication=await decide(publication))
    except (Conflict, Forbidden, NotFound) as refusal:
        present = await Publication.of(caller, {"_id": publication.id}).first_or_none()
        if isinstance(refusal, Conflict) and present is not None and is_so(present):
            return Decided(id=id, outcome="already", publication=present)  # somebody was quicker
        return Decided(id=id, outcome="refused", publication=present, refusal=refusal)


def _goes_out(publication: Publication, present: datetime) -> bool:
    """Whether it goes out, or is out, without a further word."""
    in_line = publication.reason is not None and publication.reason.code == SPACED
    return publication.state in UNDER_WAY and (publication.due_at <= present or in_line)


async def _read(caller: Caller, ids: Iterable[str]) -> list[Publication]:
    valid = [PydanticObjectId(id) for id in ids if ObjectId.is_valid(id)]
    return await Publication.of(caller, In("_id", valid)).to_list()


async def _posts(caller: Caller, publications: Iterable[Publication]) -> dict[PydanticObjectId, Post]:
    ids = {each.post_id for each in publications}
    return {each.id: each for each in await Post.of(caller, In("_id", list(ids))).to_list()}
