"""Who has planned a post sees it planned, however late the live line is: the answer to planning says so already."""

import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from social.settings import Settings
from tests.journeys.test_three_platforms import plan, sign_in
from tests.servers.browser import chromium, window
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Line:
    """The page's live line, which tells nothing while `silent`."""

    def __init__(self) -> None:
        self.silent = False

    def opened(self, towards_page: WebSocketRoute) -> None:
        server = towards_page.connect_to_server()
        towards_page.on_message(server.send)
        server.on_message(lambda said: None if self.silent else towards_page.send(said))


async def test_what_was_planned_is_shown_before_the_live_line_tells_of_it(
    settings: Settings, backing: object, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Product(settings, tmp_path) as product:
        product.start()
        async with aiohttp.ClientSession() as session:
            person = Person(session, product.url)
            await person.set_up(settings.setup_token or "")
            await person.connect(sandbox, "bakery", "mastodon")
        async with chromium() as browser, window(browser) as (page, complaints):
            await plans_in_silence(page, product.url)
            assert complaints == []
        assert product.stop() == 0


async def plans_in_silence(page: Page, url: str) -> None:
    line = Line()
    await page.route_web_socket(re.compile("/live"), line.opened)
    await sign_in(page, url)
    await page.get_by_test_id("nav-write").first.click()
    await page.get_by_test_id("compose-account").first.wait_for()
    if await page.get_by_test_id("compose-account").first.get_attribute("aria-pressed") != "true":
        await page.get_by_test_id("compose-account").first.click()
    await page.get_by_test_id("compose-text").first.fill("We open tomorrow at eight.")
    await expect(page.get_by_test_id("compose-saving")).to_have_attribute("data-state", "saved")

    line.silent = True
    await plan(page)
    await expect(page.locator("[data-testid=publication-row][data-state=planned]")).to_have_count(1, timeout=5_000)
    await expect(page.get_by_text("Nothing is planned")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_test_id("compose-text").first).to_have_value("We open tomorrow at eight.")
    await page.get_by_test_id("nav-home").first.click()
    await expect(page.locator("[data-state=planned]")).to_have_count(0, timeout=5_000)
