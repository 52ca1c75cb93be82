"""What the watchdog finds wrong is said in the browser until it is mended, with the post that it is about."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from beanie import PydanticObjectId
from playwright.async_api import Page, WebSocketRoute, expect

from social.backing import Backing
from social.publishing import watchdog
from social.publishing.documents import Publication
from tests.journeys.conftest import DESKTOP, Device
from tests.journeys.steps import it_fits, sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
Json = dict[str, Any]


async def test_what_is_wrong_is_said_until_it_is_mended(
    product: Product, owner: Person, sandbox: Sandbox, backing: Backing, page: Page, device: Device
) -> None:
    account = await owner.connect(sandbox)
    post = await owner.plan(await owner.write("forgotten", account["id"]), at="2031-01-01T00:00:00Z")
    mine = _of(post)
    planned = await Publication.engine().find_one(mine)
    assert planned is not None
    await sign_in(page, product.url)

    await Publication.engine().update_one(mine, {"$set": {"next_at": None}})
    await watchdog.look(backing)
    alarm = page.get_by_test_id("alarm")
    await expect(alarm).to_contain_text("left without anybody who will look at it again")
    await look(page, f"alarm-{device.name}")
    await it_fits(page)
    await page.get_by_test_id("nav-settings").first.click()
    await page.get_by_test_id("alarm-show").click()
    await expect(page.get_by_test_id("details")).to_contain_text("forgotten")
    await page.keyboard.press("Escape")
    await page.reload()
    await expect(alarm).to_contain_text("left without anybody who will look at it again")

    await Publication.engine().update_one(mine, {"$set": {"next_at": planned["next_at"]}})
    await watchdog.look(backing)
    await expect(alarm).to_have_count(0)

    await Publication.engine().update_one(mine, {"$set": {"next_at": None}})
    await watchdog.look(backing)
    await page.get_by_test_id("alarm-dismiss").click()
    await page.reload()
    await expect(page.get_by_test_id("publication-row")).to_have_count(1)
    await expect(alarm).to_have_count(0)  # it was read, in this window


@pytest.mark.parametrize("device", [DESKTOP], ids=lambda device: device.name, indirect=True)
async def test_what_the_live_line_did_not_tell_is_known_once_it_is_open(
    product: Product, owner: Person, sandbox: Sandbox, backing: Backing, page: Page
) -> None:
    account = await owner.connect(sandbox)
    lost, late = [
        await owner.plan(await owner.write(text, account["id"]), at="2031-01-01T00:00:00Z") for text in ("lost", "late")
    ]
    await Publication.engine().update_one(_of(lost), {"$set": {"next_at": None}})
    await watchdog.look(backing)
    slow = asyncio.Event()

    async def opened(towards_page: WebSocketRoute) -> None:
        await slow.wait()
        server = towards_page.connect_to_server()
        towards_page.on_message(server.send)
        server.on_message(towards_page.send)

    await page.route_web_socket(re.compile("/live"), opened)
    await sign_in(page, product.url)
    alarm = page.get_by_test_id("alarm")
    await expect(alarm).to_contain_text("left without anybody")
    await Publication.engine().update_one(_of(lost), {"$set": {"next_at": backing.now() + timedelta(days=1)}})
    await Publication.engine().update_one(_of(late), {"$set": {"next_at": backing.now() - timedelta(hours=1)}})
    await watchdog.look(backing)

    slow.set()

    await expect(alarm).to_contain_text("A post is overdue")
    await expect(alarm).to_have_count(1)


def _of(post: Json) -> Json:
    return {"_id": PydanticObjectId(post["publications"][0]["id"])}
