"""A password that was forgotten, and the settings in which somebody changes their name, zone and password."""

import asyncio
import os
import re
import sys
from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Browser, Page, expect

from tests.journeys.conftest import Device
from tests.journeys.steps import BERLIN, it_fits
from tests.servers.browser import look, window
from tests.servers.product import PASSWORD, Person, Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FOUND_AGAIN = "a lake that nobody knows"
CHANGED = "an island in the middle"
TOKYO = ZoneInfo("Asia/Tokyo")


async def test_a_password_is_forgotten_and_another_one_chosen_and_changed(
    product: Product, owner: Person, browser: Browser, device: Device
) -> None:
    link = await password_link(product)
    async with window(browser, phone=device.phone, dark=device.dark) as (page, complaints):
        await page.goto(f"{product.url}/sign-in")
        await expect(page.get_by_text("social user password-link")).to_be_visible()
        await look(page, f"sign-in-{device.name}")
        await chosen(page, link, device)
        await owner.ask("GET", "/me", expect=401)
        await gone(page, link, product.url, device)

        await page.get_by_test_id("nav-settings").first.click()
        await renamed(page, product.url)
        await password_changed(page, device)
        assert [said for said in complaints if "404" not in said and "422" not in said] == []
    for password, expected in ((PASSWORD, 401), (FOUND_AGAIN, 401), (CHANGED, 201)):
        await owner.ask("POST", "/session", json={"email": "ada@example.org", "password": password}, expect=expected)
    assert "token=" not in product.log.read_text()
    assert link.partition("token=")[2] not in product.log.read_text()


async def password_link(product: Product) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "social", "user", "password-link", "ada@example.org"]
    env = {**os.environ, **product.env}
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE)
    link = (await process.communicate())[0].decode().strip()
    assert link.startswith(f"{product.url}/password#token=")
    return link


async def chosen(page: Page, link: str, device: Device) -> None:
    await page.goto(link)
    await expect(page.get_by_test_id("forgotten-form")).to_be_visible()
    await expect(page.get_by_text("For Ada, ada@example.org.")).to_be_visible()
    assert "#" not in page.url  # the token is gone from the address
    password = page.get_by_test_id("forgotten-password")
    await password.fill("password1234")
    await page.get_by_test_id("forgotten-submit").click()
    await expect(page.locator(".wrong")).to_contain_text("one of the first passwords that would be guessed")
    await expect(password).to_be_focused()
    await look(page, f"forgotten-{device.name}")
    await it_fits(page)
    await password.fill(FOUND_AGAIN)
    await page.get_by_test_id("forgotten-submit").click()
    await page.get_by_test_id("nav-write").first.wait_for()
    await expect(page.get_by_test_id("toast")).to_contain_text("Everywhere else you are signed out")


async def gone(page: Page, link: str, url: str, device: Device) -> None:
    """The same link once more: it opens nothing, and whoever is signed in stays so."""
    await page.goto(link)
    await expect(page.get_by_test_id("forgotten-gone")).to_be_visible()
    await look(page, f"forgotten-gone-{device.name}")
    await page.goto(url)
    await page.get_by_test_id("nav-write").first.wait_for()


async def renamed(page: Page, url: str) -> None:
    """Name and zone: here, and in another tab that is open."""
    other = await page.context.new_page()
    await other.goto(f"{url}/settings")
    before = await other.get_by_test_id("session-row").first.locator("p").inner_text()
    name, save = page.get_by_test_id("you-name"), page.get_by_test_id("you-save")
    await name.fill(" ")
    await save.click()
    await expect(name).to_be_focused()
    await expect(page.get_by_test_id("you").locator(".wrong")).to_contain_text("enter your name")
    await name.fill("Ada Lovelace")
    await page.get_by_test_id("you-zone").select_option("Asia/Tokyo")
    await save.click()
    await expect(page.get_by_test_id("toast").filter(has_text="Saved.")).to_be_visible()
    await expect(save).to_be_focused()
    there = in_tokyo(before)
    for tab in (page, other):
        await expect(tab.get_by_test_id("session-row").first).to_contain_text(there)
        await expect(tab.get_by_test_id("member-row").first).to_contain_text("Ada Lovelace")
    await expect(other.get_by_test_id("you-zone")).to_have_value("Asia/Tokyo")
    await other.close()


async def password_changed(page: Page, device: Device) -> None:
    opener = page.get_by_test_id("you-password")
    await opener.click()
    present, new = page.get_by_test_id("password-present"), page.get_by_test_id("password-new")
    await expect(present).to_be_focused()
    await present.fill(PASSWORD)
    await new.fill(CHANGED)
    await page.get_by_test_id("password-save").click()
    await expect(page.get_by_test_id("new-password").locator(".wrong")).to_contain_text("not your present password")
    await expect(present).to_be_focused()
    await look(page, f"settings-you-{device.name}")
    await it_fits(page)
    await present.fill(FOUND_AGAIN)
    await page.get_by_test_id("password-save").click()
    await expect(page.get_by_test_id("toast").filter(has_text="Everywhere else you are signed out")).to_be_visible()
    await expect(opener).to_be_focused()
    await expect(page.get_by_test_id("session-row")).to_have_count(1)


def in_tokyo(said: str) -> str:
    """The time in "last used Mon 30 Nov, 09:30", said in Berlin."""
    found = re.search(r"\d\d:\d\d", said)
    assert found, said
    at = datetime.combine(datetime.now(BERLIN).date(), time.fromisoformat(found[0]), BERLIN)
    return f"{at.astimezone(TOKYO):%H:%M}"
