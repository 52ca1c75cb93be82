"""An instance that dies with a request in hand: another finishes it, and nothing is done twice."""

import asyncio
from pathlib import Path

import aiohttp
import msgspec
import pytest
from beanie import PydanticObjectId
from pymongo.asynchronous.client_session import AsyncClientSession

from social.backing import Backing
from social.outbox.documents import Row, announce
from social.people.repeats import Repeat
from social.settings import Settings
from tests.api.serving import Api, served
from tests.api.test_repeats import DEAD, KEY, Counted, claimed_by, dead, posts, replayed
from tests.servers.product import Person, Product

# Seconds for which mongod keeps what a killed process was writing in a transaction: ten as the embedded one is started,
# and it looks for such every five.
LOCKED = 15


async def test_what_a_dead_instance_had_in_hand_is_taken_over_at_once_and_once(api: Api, backing: Backing) -> None:
    await api.set_up()
    await claimed_by(dead(backing), api, lease=60)

    answers = await asyncio.gather(*(api.ask("POST", "/posts", json={"text": "once"}, headers=KEY) for _ in range(10)))

    assert {each.status for each in answers} <= {201, 409}
    assert sum(each.status == 201 and not replayed(each) for each in answers) == 1
    assert await posts(api) == ["once"]


async def test_what_an_instance_elsewhere_had_in_hand_is_taken_over_after_its_lease(api: Api) -> None:
    await api.set_up()
    await claimed_by(msgspec.structs.replace(DEAD, host="elsewhere"), api, lease=60)
    assert (await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)).headers["retry-after"] == "1"

    await Repeat.get_pymongo_collection().update_one({}, [{"$set": {"lease_until": "$$NOW"}}])

    assert (await api.ask("POST", "/posts", json={"text": "another"}, headers=KEY)).status == 422
    assert (await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)).status == 201
    assert await posts(api) == ["once"]


async def test_what_was_done_before_the_crash_is_not_done_again(api: Api, backing: Backing) -> None:
    await api.set_up()
    await claimed_by(dead(backing), api, lease=60, made=[{"type": "post.created", "id": "its id"}])

    answer = await api.ask("POST", "/posts", json={"text": "once"}, headers=KEY)

    assert (answer.status, answer.problem) == (409, "conflict")
    assert answer.json["made"] == [{"type": "post.created", "id": "its id"}]
    assert await posts(api) == []


async def test_who_was_taken_over_does_nothing(backing: Backing) -> None:
    async def write(session: AsyncClientSession) -> None:
        await announce([Row.about(workspace_id=PydanticObjectId(), type="post.created", post_id="x")], session)

    route = Counted(backing)
    route.go_on.clear()
    route.then = [(write, RuntimeError("not reached")), {"by": "the second"}]
    async with served(backing, others=[route.handler]) as api:
        await api.set_up()
        first = asyncio.create_task(api.ask("POST", "//counted", json={}, headers=KEY))
        await route.begun.wait()
        keys = Repeat.get_pymongo_collection()
        await keys.update_one({}, [{"$set": {"token": "another's", "lease_until": {"$add": ["$$NOW", 60_000]}}}])
        route.go_on.set()

        assert ((await first).status, (await first).problem) == (409, "conflict")
    assert await backing.db["outbox"].count_documents({}) == 0
    kept = await keys.find_one({})
    assert kept is not None
    assert (kept["token"], kept["answer"]) == ("another's", None)


@pytest.mark.slow
async def test_however_often_the_instance_is_killed_the_request_happens_once(
    settings: Settings, backing: Backing, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with Product(settings, tmp_path) as product:
        product.start()
        ada = Person(session, product.url)
        await ada.set_up(settings.setup_token or "")
        address, own = f"{product.url}/api/v1/posts", {"Authorization": f"Bearer {ada.token}"}

        async def attempt(n: int) -> tuple[int, str | None] | None:
            """Status and Retry-After, or None without an answer."""
            try:
                headers = own | {"Idempotency-Key": f"key {n}"}
                async with session.post(address, json={"text": f"post {n}"}, headers=headers) as answer:
                    return answer.status, answer.headers.get("Retry-After")
            except aiohttp.ClientError:
                return None

        for n in range(6):
            tries = [asyncio.create_task(attempt(n)) for _ in range(4)]
            await asyncio.sleep(0.004 * n)  # somewhere between before the claim and after the answer
            await asyncio.to_thread(product.kill)
            await asyncio.gather(*tries)
            await asyncio.to_thread(product.start)
            async with asyncio.timeout(LOCKED + 5):
                while (answered := await attempt(n)) is None or answered[1] is not None:
                    await asyncio.sleep(0.05)
            assert answered[0] in {201, 409}
        texts = [each["text"] for each in (await ada.ask("GET", "/posts"))["items"]]

    assert sorted(texts) == [f"post {n}" for n in range(6)]
