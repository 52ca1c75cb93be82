"""What the watchdog finds wrong is said in the browser until it is mended, with the post that it is about."""

import pytest
from beanie import PydanticObjectId
from playwright.async_api import Page, expect

from social.backing import Backing
from social.publishing import watchdog
from social.publishing.documents import Publication
from tests.journeys.conftest import Device
from tests.journeys.steps import it_fits, sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_what_is_wrong_is_said_until_it_is_mended(
    product: Product, owner: Person, sandbox: Sandbox, backing: Backing, page: Page, device: Device
) -> None:
    account = await owner.connect(sandbox)
    post = await owner.plan(await owner.write("forgotten", account["id"]), at="2031-01-01T00:00:00Z")
    mine = {"_id": PydanticObjectId(post["publications"][0]["id"])}
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

    await Publication.engine().update_one(mine, {"$set": {"next_at": planned["next_at"]}})
    await watchdog.look(backing)
    await expect(alarm).to_have_count(0)
