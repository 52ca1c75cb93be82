"""What many journeys do in their window."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from beanie import PydanticObjectId
from playwright.async_api import Page, expect

from social.backing import Backing
from social.media.documents import Media
from social.media.probing import probe
from social.media.sources import InBucket
from social.people.documents import Membership
from tests.servers.product import PASSWORD

BERLIN = ZoneInfo("Europe/Berlin")  # where the windows are


async def set_up(page: Page, url: str, token: str | None) -> None:
    """A newcomer becomes the owner."""
    await page.goto(f"{url}/setup#token={token}")
    await page.get_by_test_id("setup-name").fill("Ada Lovelace")
    await page.get_by_test_id("setup-email").fill("ada@example.org")
    await page.get_by_test_id("setup-password").fill(PASSWORD)
    await page.get_by_test_id("setup-workspace").fill("Ada's bakery")
    await page.get_by_test_id("setup-submit").click()
    await page.get_by_test_id("nav-write").first.wait_for()


async def sign_in(page: Page, url: str) -> None:
    """The owner, who is there already."""
    await page.goto(f"{url}/sign-in")
    await page.get_by_test_id("sign-in-email").fill("ada@example.org")
    await page.get_by_test_id("sign-in-password").fill(PASSWORD)
    await page.get_by_test_id("sign-in-submit").click()
    await page.get_by_test_id("nav-write").first.wait_for()


async def choose_all(page: Page, accounts: int) -> None:
    """A new post, for each of the `accounts` there are."""
    await page.get_by_test_id("nav-write").first.click()
    await expect(page.get_by_test_id("compose-account")).to_have_count(accounts)
    for account in await page.get_by_test_id("compose-account").all():
        if await account.get_attribute("aria-pressed") != "true":
            await account.click()


async def choose(page: Page, tab: str) -> None:
    """A tab of the composer: everybody's (""), or a platform's."""
    await page.locator(f"[data-testid=compose-tab][data-key='{tab}']").click()


async def plan(page: Page, within: int = 12) -> datetime:
    """So many seconds from now, to the second; the instant."""
    await page.get_by_test_id("compose-plan").click()
    await page.get_by_test_id("plan-dialog").get_by_role("checkbox").check()
    due = (datetime.now(BERLIN) + timedelta(seconds=within)).replace(microsecond=0)
    await page.get_by_test_id("plan-date").fill(f"{due:%Y-%m-%d}")
    await page.get_by_test_id("plan-time").fill(f"{due:%H:%M:%S}")
    await page.get_by_test_id("plan-confirm").click()
    await expect(page.get_by_test_id("toast").filter(has_text="Planned for")).to_be_visible()
    return due


async def it_fits(page: Page) -> None:
    """Nothing is wider than the window."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window"


async def added(file: Path, backing: Backing) -> Media:
    """A video in the only workspace's library."""
    membership = await Membership.find_one()
    assert membership is not None
    content, key = file.read_bytes(), f"w/{membership.workspace_id}/m/{file.name}"
    await backing.bucket.put(key, content, mime="video/mp4", size=len(content))
    facts = await probe(InBucket(backing.bucket, key, len(content)))
    media = Media(
        id=PydanticObjectId(), workspace_id=membership.workspace_id, name=file.name, mime=facts.mime,
        bytes=facts.bytes, width=facts.width, height=facts.height, animated=False, key=key, thumbnail_key=key,
        thumbnail_mime="image/webp", placeholder="data:,", fingerprint=file.name, probe=facts,
        uploaded_by=membership.user_id,
    )  # fmt: skip
    await media.insert()
    return media
