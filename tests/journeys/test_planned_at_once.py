"""Who has planned a post sees it planned, however late the live line is: the answer to planning says so already."""

import re

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.journeys.conftest import DESKTOP
from tests.journeys.steps import choose_all, plan, sign_in
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


@pytest.mark.parametrize("device", [DESKTOP], ids=lambda device: device.name, indirect=True)
async def test_what_was_planned_is_shown_before_the_live_line_tells_of_it(
    product: Product, owner: Person, sandbox: Sandbox, page: Page
) -> None:
    await owner.connect(sandbox, "bakery", "mastodon")
    line = Line()
    await page.route_web_socket(re.compile("/live"), line.opened)
    await sign_in(page, product.url)
    await choose_all(page, 1)
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
