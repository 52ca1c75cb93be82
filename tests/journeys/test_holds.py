"""Everything is held in the browser: said for as long as it lasts, and let go on with what has passed asking."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import Device
from tests.journeys.steps import choose_all, sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_everything_is_held_and_goes_on(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device
) -> None:
    account = await owner.connect(sandbox)
    later = await owner.plan(await owner.write("later", account["id"]), at="2031-01-01T00:00:00Z")
    await sign_in(page, product.url)
    await page.get_by_test_id("hold-open").click()
    await look(page, f"hold-{device.name}")
    await page.get_by_test_id("hold-sure-yes").click()
    await expect(page.get_by_test_id("hold")).to_be_visible()
    passed = await sent_now(page)
    await expect(page.locator("#list li[data-state=held]")).to_have_count(2)
    reason = page.locator(f'[data-post="{passed}"]').get_by_test_id("reason")
    await expect(reason).to_contain_text("you are asked whether to send it then or to cancel it")
    await page.locator(f'[data-post="{later["id"]}"]').get_by_test_id("publication-open").click()
    reason = page.get_by_test_id("details").get_by_test_id("reason")
    await expect(reason).to_contain_text("goes out at its time if the hold is ended before that")
    await page.keyboard.press("Escape")
    await look(page, f"held-{device.name}")
    await page.get_by_test_id("tab-attention").click()
    await expect(page.get_by_text("All is well")).to_be_visible()  # the hold needs somebody, and says so itself
    await page.get_by_test_id("resume").click()
    await expect(page.get_by_test_id("resume-sure")).to_contain_text("Everything is held")
    await page.get_by_test_id("resume-sure-yes").click()
    await expect(page.get_by_test_id("hold")).to_have_count(0)
    await expect(page.locator("#list li[data-state=held]")).to_have_count(1)
    await look(page, f"resumed-{device.name}")

    ahead, asking = [(await owner.ask("GET", f"/posts/{post}"))["publications"][0] for post in (later["id"], passed)]
    assert (ahead["state"], asking["state"], asking["reason"]["code"]) == ("planned", "held", "late")
    assert sandbox.texts() == []


async def sent_now(page: Page) -> str:
    """Under the hold, which is told; the post's id."""
    await choose_all(page, 1)
    await page.get_by_test_id("compose-text").fill("passed")
    await expect(page.get_by_test_id("compose-held")).to_be_visible()
    await page.get_by_test_id("compose-send-now").click()
    await page.get_by_test_id("send-now-yes").click()
    await expect(page.get_by_test_id("toast").filter(has_text="A hold keeps this back")).to_be_visible()
    post = await page.get_by_test_id("publication-row").filter(has_text="passed").get_attribute("data-post")
    assert post
    return post
