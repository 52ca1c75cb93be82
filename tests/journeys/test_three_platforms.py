"""One post, said three ways: a picture and a thread, planned once, watched, and each part once on each timeline."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from social.settings import Settings
from tests.pictures import jpeg
from tests.servers.browser import chromium, look, window
from tests.servers.product import PASSWORD, Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
BERLIN = ZoneInfo("Europe/Berlin")
FOR_ALL = "We open tomorrow at eight. Come by: https://example.org/bakery"
SECOND = "The first fifty loaves are on us 🍞"
FOR_X = "Open tomorrow, 8:00. First 50 loaves on us 🍞"
FOR_BLUESKY = "Good morning! We open tomorrow at eight: https://example.org/bakery #bakery"
ALT = "A loaf of bread in the morning light"
PLATFORMS = ("mastodon", "x", "bluesky")
SAID = {"mastodon": [FOR_ALL, SECOND], "x": [FOR_X], "bluesky": [FOR_BLUESKY, SECOND]}


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_three_variants_a_picture_and_a_thread_go_out_once_on_each(
    phone: bool, settings: Settings, backing: object, sandbox: Sandbox, tmp_path: Path
) -> None:
    with Product(settings, tmp_path) as product:
        product.start()
        async with aiohttp.ClientSession() as session:
            person = Person(session, product.url)
            await person.set_up(settings.setup_token or "")
            for platform in PLATFORMS:
                await person.connect(sandbox, "bakery", platform)
        async with chromium() as browser:
            await the_job(browser, product, sandbox, phone, tmp_path)
        assert product.stop() == 0


async def the_job(browser: Browser, product: Product, sandbox: Sandbox, phone: bool, folder: Path) -> None:
    size = "phone" if phone else "desktop"
    picture = folder / "bread.jpg"
    picture.write_bytes(jpeg(1200, 900))
    async with window(browser, phone=phone) as (page, complaints):
        await sign_in(page, product.url)
        await write(page, picture)
        for tab in ("", *PLATFORMS):
            await choose(page, tab)
            await both_looks(page, f"three-{tab or 'all'}-{size}")
        due = await plan(page)
        await both_looks(page, f"three-planned-{size}")

        await expect(
            page.locator("[data-testid=publication-row][data-state=online], [data-testid=post-row]").first
        ).to_be_visible()
        for platform in PLATFORMS:
            await sandbox.until(lambda name=platform: len(online(sandbox, name)) == len(SAID[name]), within=40)  # type: ignore[misc]
        await page.get_by_role("tab", name="Sent").or_(page.get_by_role("link", name="Sent")).first.click()
        await expect(page.locator("[data-state=online]")).to_have_count(3, timeout=20_000)
        await both_looks(page, f"three-online-{size}")
        assert complaints == []
        the_evidence(sandbox, due)
        for platform in PLATFORMS:
            await page.goto(f"{sandbox.url}/sandbox/timeline/{platform}")
            await expect(page.get_by_role("img", name=ALT)).to_have_count(1)
            await look(page, f"three-timeline-{platform}-{size}")


def the_evidence(sandbox: Sandbox, due: datetime) -> None:
    """Each part once, in order, the thread a chain, the picture with its words, none before its time."""
    for platform in PLATFORMS:
        posts = online(sandbox, platform)
        assert [post["text"] for post in posts] == SAID[platform]
        assert [post["in_reply_to_id"] for post in posts] == [None, *(post["id"] for post in posts[:-1])]
        assert [[item["alt"] for item in post["media"]] for post in posts] == [[ALT], *([] for _ in posts[1:])]
        assert len(sandbox.statuses(platform=platform, deleted=True)) == len(posts)


def online(sandbox: Sandbox, platform: str) -> list[dict[str, Any]]:
    return sandbox.statuses(platform=platform)


async def sign_in(page: Page, url: str) -> None:
    await page.goto(f"{url}/sign-in")
    await page.get_by_test_id("sign-in-email").fill("ada@example.org")
    await page.get_by_test_id("sign-in-password").fill(PASSWORD)
    await page.get_by_test_id("sign-in-submit").click()
    await page.get_by_test_id("nav-write").first.wait_for()


async def write(page: Page, picture: Path) -> None:
    """For everybody a text with a picture and a second part; on X other words and no thread; on Bluesky other words."""
    await page.get_by_test_id("nav-write").first.click()
    await expect(page.get_by_test_id("compose-account")).to_have_count(len(PLATFORMS))
    for account in await page.get_by_test_id("compose-account").all():
        if await account.get_attribute("aria-pressed") != "true":
            await account.click()
    await page.get_by_test_id("compose-text").first.fill(FOR_ALL)
    await page.get_by_test_id("compose-file").first.set_input_files(picture)
    await page.get_by_test_id("compose-alt").fill(ALT)
    await page.get_by_test_id("compose-add-part").click()
    await page.get_by_test_id("compose-text").nth(1).fill(SECOND)

    await choose(page, "x")
    await page.get_by_test_id("part-remove").last.click()
    await expect(page.get_by_test_id("compose-text")).to_have_count(1)
    await page.get_by_test_id("compose-text").fill(FOR_X)

    await choose(page, "bluesky")
    await page.get_by_test_id("compose-text").first.fill(FOR_BLUESKY)
    await expect(page.get_by_test_id("compose-text")).to_have_count(2)
    await expect(page.locator("[data-testid=compose-tab][data-differs]")).to_have_count(2)
    await expect(page.get_by_test_id("compose-saving")).to_have_attribute("data-state", "saved")
    await expect(page.get_by_test_id("compose-problems")).to_have_count(0)


async def choose(page: Page, tab: str) -> None:
    """A tab of the composer: everybody's (""), or a platform's."""
    await page.locator(f"[data-testid=compose-tab][data-key='{tab}']").click()


async def plan(page: Page) -> datetime:
    """Twelve seconds from now, to the second; the instant."""
    await page.get_by_test_id("compose-plan").click()
    await page.get_by_test_id("plan-dialog").get_by_role("checkbox").check()
    due = (datetime.now(BERLIN) + timedelta(seconds=12)).replace(microsecond=0)
    await page.get_by_test_id("plan-date").fill(f"{due:%Y-%m-%d}")
    await page.get_by_test_id("plan-time").fill(f"{due:%H:%M:%S}")
    await page.get_by_test_id("plan-confirm").click()
    await expect(page.get_by_test_id("toast").filter(has_text="Planned for")).to_be_visible()
    return due


async def both_looks(page: Page, name: str) -> None:
    """In the light and in the dark."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await look(page, f"{name}-{scheme}")
    await page.emulate_media(color_scheme="light")
