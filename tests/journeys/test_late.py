"""How late a post may go out, in the browser: for the workspace, for one post, and what was too late asks at once."""

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import Device
from tests.journeys.steps import sign_in
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def product_env() -> dict[str, str]:
    """What a stop kept back goes out one a second."""
    return {"SOCIAL_TEST_SPACING": "1"}


async def test_what_was_too_late_is_sent_on_one_word(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device
) -> None:
    account = await owner.connect(sandbox)
    await sign_in(page, product.url)
    await the_workspace_asks_after_three_hours(page, product, owner, device.name)
    await one_post_is_not_sent_after_a_quarter(page, product, owner, account["id"], device.name)
    await two_that_a_hold_kept_back(page, product, owner, account["id"], device.name)
    await sandbox.until(lambda: sorted(sandbox.texts()) == ["first of the late", "second of the late"])


async def the_workspace_asks_after_three_hours(page: Page, product: Product, person: Person, size: str) -> None:
    """The default, in the settings."""
    await page.goto(f"{product.url}/settings")
    settings = page.get_by_test_id("late-settings")
    await settings.get_by_test_id("late-minutes").select_option("180")
    await expect(page.get_by_test_id("toast").first).to_be_visible()
    await look(page, f"late-settings-{size}")
    assert await person.ask("GET", "/workspace/settings") == {
        "lateness": {"then": "ask", "minutes": 180},
        "originals": "keep",
    }


async def one_post_is_not_sent_after_a_quarter(
    page: Page, product: Product, person: Person, account_id: str, size: str
) -> None:
    """One post's own, in the dialog that plans it."""
    draft = await person.write("a flash sale", account_id)
    await page.goto(f"{product.url}/compose/{draft['id']}")
    await page.get_by_test_id("compose-plan").click()
    then = page.get_by_test_id("plan-dialog").get_by_test_id("late-then")
    await expect(then.locator("option").first).to_have_text("As usual: hold it and ask after 3 hours")
    await then.select_option("miss")
    await page.get_by_test_id("late-minutes").select_option("15")
    await look(page, f"late-plan-{size}")
    await page.get_by_test_id("plan-confirm").click()
    await page.get_by_test_id("toast").first.wait_for()
    planned = await person.ask("GET", f"/posts/{draft['id']}")
    assert planned["plan"]["lateness"] == {"then": "miss", "minutes": 15}


async def two_that_a_hold_kept_back(page: Page, product: Product, person: Person, account_id: str, size: str) -> None:
    """They ask when the hold ends, and one word lets both go out."""
    held = await person.ask("POST", "/holds", json={"note": "A storm is coming"})
    for text in ("first of the late", "second of the late"):
        await person.until(await person.plan(await person.write(text, account_id), now=True), "held")
    await page.goto(product.url)
    await expect(page.get_by_test_id("hold")).to_contain_text(held["note"])
    await page.get_by_test_id("resume").click()
    await page.get_by_test_id("resume-sure-yes").click()
    await expect(page.get_by_test_id("belated")).to_contain_text("2 posts could not go out in time")
    await expect(page.get_by_test_id("late-cancel")).to_have_count(2)
    await look(page, f"late-{size}")
    await page.get_by_test_id("send-all").click()
    await look(page, f"late-send-all-{size}")
    decisions = []
    page.on("request", lambda asked: decisions.append(asked.url) if asked.url.endswith("/attempts") else None)
    await page.get_by_test_id("send-all-sure-yes").click()
    await expect(page.get_by_test_id("belated")).to_have_count(0)
    await expect(page.get_by_test_id("toast").last).to_contain_text("Done for 2 posts.")
    assert decisions == [f"{product.url}/api/v1/publications/attempts"], "one call for both"
    await page.get_by_test_id("tab-sent").click()
    await expect(page.get_by_test_id("publication-row")).to_have_count(2, timeout=20_000)
