"""One post, said three ways: a picture and a thread, planned once, watched, and each part once on each timeline."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.journeys.conftest import Device
from tests.journeys.steps import choose, choose_all, plan, sign_in
from tests.pictures import jpeg
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
FOR_ALL = "We open tomorrow at eight. Come by: https://example.org/bakery"
SECOND = "The first fifty loaves are on us 🍞"
FOR_X = "Open tomorrow, 8:00. First 50 loaves on us 🍞"
FOR_BLUESKY = "Good morning! We open tomorrow at eight: https://example.org/bakery #bakery"
ALT = "A loaf of bread in the morning light"
PLATFORMS = ("mastodon", "x", "bluesky")
SAID = {"mastodon": [FOR_ALL, SECOND], "x": [FOR_X], "bluesky": [FOR_BLUESKY, SECOND]}


async def test_three_variants_a_picture_and_a_thread_go_out_once_on_each(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device, tmp_path: Path
) -> None:
    for platform in PLATFORMS:
        await owner.connect(sandbox, "bakery", platform)
    picture = tmp_path / "bread.jpg"
    picture.write_bytes(jpeg(1200, 900))
    await sign_in(page, product.url)
    await write(page, picture)
    for tab in ("", *PLATFORMS):
        await choose(page, tab)
        await both_looks(page, f"three-{tab or 'all'}-{device.name}")
    due = await plan(page)
    await both_looks(page, f"three-planned-{device.name}")

    await expect(
        page.locator("[data-testid=publication-row][data-state=online], [data-testid=post-row]").first
    ).to_be_visible()
    for platform in PLATFORMS:
        await sandbox.until(lambda name=platform: len(online(sandbox, name)) == len(SAID[name]), within=40)  # type: ignore[misc]
    await page.get_by_role("tab", name="Sent").or_(page.get_by_role("link", name="Sent")).first.click()
    await expect(page.locator("[data-state=online]")).to_have_count(3, timeout=20_000)
    await both_looks(page, f"three-online-{device.name}")
    the_evidence(sandbox, due)
    for platform in PLATFORMS:
        await page.goto(f"{sandbox.url}/sandbox/timeline/{platform}")
        await expect(page.get_by_role("img", name=ALT)).to_have_count(1)
        await look(page, f"three-timeline-{platform}-{device.name}")


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


async def write(page: Page, picture: Path) -> None:
    """For everybody a text with a picture and a second part; on X other words and no thread; on Bluesky other words."""
    await choose_all(page, len(PLATFORMS))
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


async def both_looks(page: Page, name: str) -> None:
    """In the light and in the dark."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await look(page, f"{name}-{scheme}")
    await page.emulate_media(color_scheme="light")
