"""SIGKILL at every step of a publication, then a restart: exactly one post each time, and nobody was asked."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from social.settings import Settings
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.slow


@pytest.fixture
async def product(settings: Settings, sandbox: Sandbox, backing: object, tmp_path: Path) -> AsyncIterator[Product]:
    """The product as a process, on a database of its own that is empty."""
    with Product(settings, tmp_path) as product:
        yield product


async def connected(
    product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> tuple[Person, str]:
    person = Person(session, product.url)
    await person.set_up(settings.setup_token or "")
    account = await person.connect(sandbox)
    return person, account["id"]


@pytest.mark.parametrize(
    "point",
    [
        "claimed",  # before arming
        "armed",  # the intent is written, nothing was sent
        "written",  # the request is handed to the transport
        "answered",  # the platform answered, nothing is written down
        "fact",  # the receipt is written down, the publication is not concluded
    ],
)
async def test_killed_at_any_point_it_goes_out_once(
    point: str, product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> None:
    product.start(SOCIAL_TEST_CRASH_AT=point)
    person, account = await connected(product, session, sandbox, settings)
    post = await person.plan(await person.write(f"killed when {point}", account), now=True)
    assert product.wait_until_dead() == -9

    product.start()
    seen = await person.until(post, "online")

    assert sandbox.texts() == [f"killed when {point}"]
    assert seen["publications"][0]["remote_id"] == sandbox.statuses()[0]["id"]


async def test_killed_after_the_platforms_effect_and_before_its_answer_it_goes_out_once(
    product: Product, session: aiohttp.ClientSession, sandbox: Sandbox, settings: Settings
) -> None:
    product.start()
    person, account = await connected(product, session, sandbox, settings)
    sandbox.trouble(publish={"delay_after": 60})
    post = await person.plan(await person.write("seen, not heard", account), now=True)
    await sandbox.until(lambda: len(sandbox.statuses()) == 1)
    product.kill()
    sandbox.trouble()

    product.start()
    seen = await person.until(post, "online")

    assert sandbox.texts() == ["seen, not heard"]
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
    with Product(without, tmp_path) as product:
        product.start()
        person, account = await connected(product, session, sandbox, settings)
        post = await person.plan(await person.write("no hints needed", account), now=True)

        await person.until(post, "online")

    assert sandbox.texts() == ["no hints needed"]
