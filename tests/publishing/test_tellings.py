"""What a claim wrote down and did not live to tell is told for it, once its owner is gone."""

import asyncio
from datetime import timedelta

import msgspec

from social.backing import Backing
from social.backing.owner import Owner
from social.moments import now
from social.outbox.documents import Row
from social.publishing.documents import Publication
from social.publishing.send import send_due
from social.publishing.states import State
from social.publishing.tellings import Telling, tell_for_the_dead
from tests.publishing.conftest import Connect, Planned, of
from tests.servers.sandbox import Sandbox

SOON = timedelta(seconds=1)


async def concluded_and_not_told(planned: Planned, backing: Backing, owner: Owner, *, ago: float = 0) -> Publication:
    """A publication that is online, of which nothing was told since its claim's `owner` noted it, `ago` seconds ago."""
    publication = await of(await planned("told late"))
    await Publication.engine().update_one({"_id": publication.id}, {"$set": {"state": State.ONLINE, "next_at": None}})
    await Row.get_pymongo_collection().delete_many({})
    at = backing.now() - timedelta(seconds=ago)
    await Telling.begin("a claim", [publication.id], owner=owner, at=at)
    return publication


async def told(publication: Publication) -> list[str]:
    """The states that were told of it, in order."""
    rows = await Row.find({"publication_id": str(publication.id)}).sort("_id").to_list()
    return [row.data["state"] for row in rows]


async def test_what_a_dead_owner_wrote_down_is_told_once(planned: Planned, backing: Backing) -> None:
    dead = msgspec.structs.replace(backing.owner, started=1)
    publication = await concluded_and_not_told(planned, backing, dead)

    await tell_for_the_dead(backing)
    await tell_for_the_dead(backing)

    assert await told(publication) == ["online"]
    assert await Telling.find({}).count() == 0


async def test_who_is_elsewhere_and_not_heard_of_for_two_leases_counts_as_dead(
    planned: Planned, backing: Backing
) -> None:
    elsewhere = msgspec.structs.replace(backing.owner, host="another")
    publication = await concluded_and_not_told(planned, backing, elsewhere, ago=3 * backing.settings.times.lease)

    await tell_for_the_dead(backing)

    assert await told(publication) == ["online"]


async def test_who_lives_tells_it_itself(planned: Planned, backing: Backing) -> None:
    publication = await concluded_and_not_told(planned, backing, backing.owner)

    await tell_for_the_dead(backing)

    assert await told(publication) == []
    assert await Telling.find({}).count() == 1


async def test_nothing_is_left_to_tell_when_a_claim_has_ended(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox
) -> None:
    accounts = [await connect(f"friend{n}") for n in range(5)]
    post = await planned("to everybody", on=tuple(accounts))

    await send_due(now() + SOON, backing)

    publications = await Publication.find({"post_id": post.id}).to_list()
    assert {each.state for each in publications} == {State.ONLINE}
    assert [(await told(each))[-1] for each in publications] == ["online"] * 5
    assert await Telling.find({}).count() == 0


async def test_a_claim_that_many_wait_for_tells_of_each(
    planned: Planned, connect: Connect, backing: Backing, sandbox: Sandbox
) -> None:
    account = await connect("busy")
    posts = [await planned(f"post {n}", on=(account,)) for n in range(7)]

    await asyncio.gather(*(send_due(now() + SOON, backing) for _ in range(2)))

    assert sandbox.texts() == [f"post {n}" for n in range(7)]
    assert [(await told(await of(post)))[-1] for post in posts] == ["online"] * 7
