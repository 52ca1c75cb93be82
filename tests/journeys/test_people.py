"""People in the browser: an app password, whose account it is, an invitation accepted, and signing out elsewhere."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.journeys.conftest import Device
from tests.journeys.steps import sign_in
from tests.servers.browser import look, window
from tests.servers.product import PASSWORD, Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


async def test_an_account_by_app_password_somebody_invited_and_a_session_ended(
    product: Product, owner: Person, sandbox: Sandbox, browser: Browser, device: Device
) -> None:
    await by_app_password(browser, product.url, sandbox, device)
    link = await invited(browser, product.url, device)
    await joined(browser, link, device)
    assert [each["role"] for each in await owner.ask("GET", "/members")] == ["owner", "author"]
    await signed_out_elsewhere(browser, product.url, device)
    await owner.ask("GET", "/members", expect=401)


async def by_app_password(browser: Browser, url: str, sandbox: Sandbox, device: Device) -> None:
    bakery = sandbox.person("bakery", platform="bluesky")
    async with window(browser, phone=device.phone) as (page, complaints):
        await sign_in(page, url)
        await page.goto(f"{url}/accounts")
        await page.get_by_test_id("connect-button").first.click()
        await page.get_by_test_id("connect-platform-x").click()
        await expect(page.get_by_test_id("connect-missing")).to_contain_text("SOCIAL_X_CLIENT_ID")
        await look(page, f"connect-missing-{device.name}")
        await page.get_by_test_id("connect-platform-bluesky").click()
        await page.get_by_test_id("connect-sandbox").click()
        await page.get_by_test_id("connect-by-password").click()
        await page.get_by_test_id("connect-name").fill("bakery.test")
        await page.get_by_test_id("connect-secret").fill("wrong")
        await page.get_by_test_id("connect-go").click()
        await expect(page.get_by_test_id("connect-dialog").locator(".wrong, .notice").first).to_be_visible()
        await page.get_by_test_id("connect-secret").fill(bakery["app_password"])
        await page.get_by_test_id("connect-go").click()
        await expect(page.get_by_test_id("connect-found")).to_contain_text("bakery.test")
        await look(page, f"connect-found-{device.name}")
        await page.get_by_test_id("connect-drop").click()
        await expect(page.get_by_test_id("account-row")).to_have_count(0)
        await page.get_by_test_id("connect-secret").fill(bakery["app_password"])
        await page.get_by_test_id("connect-go").click()
        await page.get_by_test_id("connect-confirm").click()
        await expect(page.get_by_test_id("account-row")).to_have_count(1)
        await look(page, f"account-{device.name}")
        await connected_again(page)
        assert [said for said in complaints if "422" not in said] == []  # the wrong password is an answer


async def connected_again(page: Page) -> None:
    """What is known already is not asked."""
    await page.get_by_test_id("account-menu").click()
    await page.get_by_test_id("account-disconnect").click()
    await page.get_by_test_id("disconnect-yes").click()
    await page.get_by_test_id("account-reconnect").click()
    dialog = page.get_by_test_id("connect-dialog")
    await expect(dialog.get_by_role("heading", name="Connect bakery.test again")).to_be_visible()
    await expect(dialog.get_by_test_id("connect-platform-bluesky")).to_have_count(0)
    await page.keyboard.press("Escape")


async def invited(browser: Browser, url: str, device: Device) -> str:
    """An author is invited; the link."""
    async with window(browser, phone=device.phone) as (page, complaints):
        await sign_in(page, url)
        await page.goto(f"{url}/settings")
        await page.get_by_test_id("invite").click()
        await page.get_by_test_id("invite-role").select_option("author")
        await page.get_by_test_id("invite-note").fill("for Berta")
        await page.get_by_test_id("invite-make").click()
        link = await page.get_by_test_id("invitation-link").inner_text()
        await expect(page.get_by_test_id("invitation-row")).to_contain_text("for Berta")
        await look(page, f"settings-{device.name}")
        assert complaints == []
        return link


async def joined(browser: Browser, link: str, device: Device) -> None:
    async with window(browser, phone=device.phone, dark=True) as (page, complaints):
        await page.goto(link)
        await page.get_by_test_id("join-name").fill("Berta")
        assert "#" not in page.url  # the token is gone from the address
        await page.get_by_test_id("join-email").fill("berta@example.org")
        await page.get_by_test_id("join-password").fill(PASSWORD)
        await look(page, f"join-{device.name}")
        await page.get_by_test_id("join-submit").click()
        await page.get_by_test_id("nav-write").first.wait_for()
        assert complaints == []
    async with window(browser, phone=device.phone) as (page, _):
        await page.goto(link)
        await expect(page.get_by_test_id("join-gone")).to_be_visible()


async def signed_out_elsewhere(browser: Browser, url: str, device: Device) -> None:
    async with window(browser, phone=device.phone) as (first, _), window(browser, phone=device.phone) as (second, _):
        await sign_in(first, url)
        await sign_in(second, url)
        await second.goto(f"{url}/settings")
        await second.get_by_test_id("sessions-end").click()
        await second.get_by_test_id("end-sessions-yes").click()
        await expect(second.get_by_test_id("session-row")).to_have_count(1)
        await first.goto(f"{url}/settings")
        await first.get_by_test_id("sign-in-email").wait_for()
