"""People in the browser: an app password, whose account it is, an invitation accepted, and signing out elsewhere."""

from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from social.settings import Settings
from tests.journeys.test_three_platforms import sign_in
from tests.servers.browser import chromium, look, window
from tests.servers.product import PASSWORD, Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_an_account_by_app_password_somebody_invited_and_a_session_ended(
    phone: bool, settings: Settings, backing: object, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Product(settings, tmp_path) as product:
        product.start()
        async with aiohttp.ClientSession() as session:
            person = Person(session, product.url)
            await person.set_up(settings.setup_token or "")
            async with chromium() as browser:
                await by_app_password(browser, product.url, sandbox, phone)
                link = await invited(browser, product.url, phone)
                await joined(browser, link, phone)
                assert [each["role"] for each in await person.ask("GET", "/members")] == ["owner", "author"]
                await signed_out_elsewhere(browser, product.url, phone)
            await person.ask("GET", "/members", expect=401)
        assert product.stop() == 0


async def by_app_password(browser: Browser, url: str, sandbox: Sandbox, phone: bool) -> None:
    bakery = sandbox.person("bakery", platform="bluesky")
    size = "phone" if phone else "desktop"
    async with window(browser, phone=phone) as (page, complaints):
        await sign_in(page, url)
        await page.goto(f"{url}/accounts")
        await page.get_by_test_id("connect-button").first.click()
        await page.get_by_test_id("connect-platform-x").click()
        await expect(page.get_by_test_id("connect-missing")).to_contain_text("SOCIAL_X_CLIENT_ID")
        await look(page, f"connect-missing-{size}")
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
        await look(page, f"connect-found-{size}")
        await page.get_by_test_id("connect-drop").click()
        await expect(page.get_by_test_id("account-row")).to_have_count(0)
        await page.get_by_test_id("connect-secret").fill(bakery["app_password"])
        await page.get_by_test_id("connect-go").click()
        await page.get_by_test_id("connect-confirm").click()
        await expect(page.get_by_test_id("account-row")).to_have_count(1)
        await look(page, f"account-{size}")
        assert [said for said in complaints if "422" not in said] == []  # the wrong password is an answer


async def invited(browser: Browser, url: str, phone: bool) -> str:
    """An author is invited; the link."""
    async with window(browser, phone=phone) as (page, complaints):
        await sign_in(page, url)
        await page.goto(f"{url}/settings")
        await page.get_by_test_id("invite").click()
        await page.get_by_test_id("invite-role").select_option("author")
        await page.get_by_test_id("invite-note").fill("for Berta")
        await page.get_by_test_id("invite-make").click()
        link = await page.get_by_test_id("invitation-link").inner_text()
        await expect(page.get_by_test_id("invitation-row")).to_contain_text("for Berta")
        await look(page, f"settings-{'phone' if phone else 'desktop'}")
        assert complaints == []
        return link


async def joined(browser: Browser, link: str, phone: bool) -> None:
    async with window(browser, phone=phone, dark=True) as (page, complaints):
        await page.goto(link)
        await page.get_by_test_id("join-name").fill("Berta")
        assert "#" not in page.url  # the token is gone from the address
        await page.get_by_test_id("join-email").fill("berta@example.org")
        await page.get_by_test_id("join-password").fill(PASSWORD)
        await look(page, f"join-{'phone' if phone else 'desktop'}")
        await page.get_by_test_id("join-submit").click()
        await page.get_by_test_id("nav-write").first.wait_for()
        assert complaints == []
    async with window(browser, phone=phone) as (page, _):
        await page.goto(link)
        await expect(page.get_by_test_id("join-gone")).to_be_visible()


async def signed_out_elsewhere(browser: Browser, url: str, phone: bool) -> None:
    async with window(browser, phone=phone) as (first, _), window(browser, phone=phone) as (second, _):
        await sign_in(first, url)
        await sign_in(second, url)
        await second.goto(f"{url}/settings")
        await second.get_by_test_id("sessions-end").click()
        await second.get_by_test_id("end-sessions-yes").click()
        await expect(second.get_by_test_id("session-row")).to_have_count(1)
        await first.goto(f"{url}/settings")
        await first.get_by_test_id("sign-in-email").wait_for()
