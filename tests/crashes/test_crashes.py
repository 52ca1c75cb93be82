"""SIGKILL at every step of a publication, then a restart: exactly one post each time, and nobody was asked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from social.backing import Backing
from social.platforms import PLATFORMS
from social.settings import Settings
from tests.crashes.forked import Forked
from tests.platforms.rigs import RIGS, Rig
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.slow
POINTS = (
    "claimed",  # before arming
    "armed",  # the intent is written, nothing was sent
    "written",  # the request is handed to the transport
    "answered",  # the platform answered, nothing is written down
    "concluded",  # all is written down, the lane is still held
)


@pytest.fixture
async def product(settings: Settings, sandbox: Sandbox, backing: Backing, tmp_path: Path) -> AsyncIterator[Product]:
    """The product as a process, on a database of its own that is empty."""
    with Forked(settings, tmp_path) as product:
        yield product


@pytest.fixture
def rig(request: pytest.FixtureRequest, sandbox: Sandbox, backing: Backing) -> Rig:
    """The platform that a test is given, or the first one."""
    name = getattr(request, "param", next(iter(RIGS)))
    return RIGS[name](PLATFORMS[name], sandbox, backing.outbound)


async def connected(
    product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings, platform: str = "mastodon"
) -> tuple[Person, str]:
    person = Person(session, product.url)
    await person.set_up(settings.setup_token or "")
    account = await person.connect(sandbox, platform=platform)
    return person, account["id"]


async def thread(person: Person, account: str, first: str, *further: str) -> dict[str, Any]:
    """A draft in parts."""
    parts = [{"text": text} for text in further]
    post: dict[str, Any] = await person.ask(
        "POST", "/posts", json={"text": first, "thread": parts, "accounts": [account]}
    )
    return post


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_any_point_of_either_part_each_goes_out_once_and_in_order(
    rig: Rig, point: str, product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> None:
    texts = [f"killed when {point}", f"and once more when {point}"]

    seen = await killed_at([point, f"{point}:2"], texts, rig, product, session, sandbox, settings)

    in_order(rig, texts, seen)


@pytest.mark.parametrize("rig", list(RIGS)[1:], indirect=True)
async def test_killed_at_every_point_in_turn_a_thread_is_whole_on_every_platform(
    rig: Rig, product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> None:
    texts = [*(f"killed when {point}" for point in POINTS), "and at last in peace"]
    points = [f"{point}:{part}" if part > 1 else point for part, point in enumerate(POINTS, 1)]

    seen = await killed_at(points, texts, rig, product, session, sandbox, settings)

    in_order(rig, texts, seen)


async def killed_at(
    points: list[str],
    texts: list[str],
    rig: Rig,
    product: Product,
    session: aiohttp.ClientSession,
    sandbox: Sandbox,
    settings: Settings,
) -> dict[str, Any]:
    """A thread of `texts`, whose sender is killed at each of `points` and started again; the post once it is online."""
    first, *further = points
    product.start(SOCIAL_TEST_CRASH_AT=first)
    person, account = await connected(product, session, sandbox, settings, rig.platform.name)
    post = await person.plan(await thread(person, account, *texts), now=True)
    for point in further:
        assert product.wait_until_dead() == -9
        product.start(ready=False, SOCIAL_TEST_CRASH_AT=point)
    assert product.wait_until_dead() == -9
    product.start()
    return await person.until(post, "online")


def in_order(rig: Rig, texts: list[str], post: dict[str, Any]) -> None:
    """Each of `texts` is there once, as a reply to the one before, and `post` knows it."""
    online = rig.online()
    assert [each["text"] for each in online] == texts
    assert [each["parent"] for each in online] == [None, *(each["id"] for each in online[:-1])]
    publication = post["publications"][0]
    assert (publication["remote_id"], publication["parts_online"]) == (online[0]["id"], len(texts))
    assert len([url for url in publication["part_urls"] if url]) == len(texts)


async def test_killed_after_the_platforms_effect_and_before_its_answer_it_goes_out_once(
    rig: Rig, product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> None:
    product.start()
    person, account = await connected(product, session, sandbox, settings, rig.platform.name)
    sandbox.trouble(publish={"delay_after": 60})
    post = await person.plan(await person.write("seen, not heard", account), now=True)
    await sandbox.until(lambda: len(rig.online()) == 1)
    product.kill()
    sandbox.trouble()

    product.start()
    seen = await person.until(post, "online")

    assert [each["text"] for each in rig.online()] == ["seen, not heard"]
    assert seen["publications"][0]["evidence"] == "lookup"


async def test_a_stop_lets_what_is_being_sent_finish_and_sends_nothing_new(
    product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> None:
    product.start()
    person, account = await connected(product, session, sandbox, settings)
    sandbox.trouble(publish={"delay_after": 1})
    first = await person.plan(await person.write("in the air", account), now=True)
    await sandbox.until(lambda: len(sandbox.statuses()) == 1)
    second = await person.plan(await person.write("right behind", account), now=True)

    assert product.stop() == 0
    assert sandbox.texts() == ["in the air"]

    sandbox.trouble()
    product.start()
    await person.until(first, "online")
    await person.until(second, "online")
    assert sorted(sandbox.texts()) == ["in the air", "right behind"]


async def test_everything_still_goes_out_with_redis_away_for_the_whole_run(
    product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings, tmp_path: Path
) -> None:
    without = msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0")
    with Forked(without, tmp_path) as product:
        product.start()
        person, account = await connected(product, session, sandbox, settings)
        post = await person.plan(await person.write("no hints needed", account), now=True)

        await person.until(post, "online")

    assert sandbox.texts() == ["no hints needed"]
