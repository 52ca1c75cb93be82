"""The library through the browser: filled, searched, described, deleted and taken back."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from social.settings import Settings
from tests.journeys.conftest import Device
from tests.journeys.steps import it_fits, set_up
from tests.media import awkward, films
from tests.pictures import jpeg
from tests.servers.browser import look
from tests.servers.product import Product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MOVING = "moving_" * 9 + ".gif"


@pytest.fixture
def product_env() -> dict[str, str]:
    """So little that it is seen to fill."""
    return {"SOCIAL_WORKSPACE_GB": "0.05"}


def some_files(folder: Path) -> list[Path]:
    """Pictures, an animation and a film; the first is there twice."""
    contents = {
        "bread.jpg": jpeg(1600, 1200),
        "bread-again.jpg": jpeg(1600, 1200),
        "corners.png": awkward.png(),
        MOVING: awkward.moving_gif(),
        "film.mp4": films.of_size(12_000_000),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


async def test_files_are_found_described_deleted_and_taken_back(
    product: Product, settings: Settings, page: Page, device: Device, tmp_path: Path
) -> None:
    files = some_files(tmp_path)
    await set_up(page, product.url, settings.setup_token)
    await page.get_by_test_id("nav-media").first.click()
    await expect(page.get_by_text("Nothing here yet")).to_be_visible()
    await look(page, f"library-empty-{device.name}")
    items = page.get_by_test_id("media-item")

    await page.get_by_test_id("media-file").set_input_files(files)
    await expect(items).to_have_count(5, timeout=60_000)
    await expect(page.get_by_test_id("media-storage")).to_contain_text("5 files")
    await expect(page.get_by_test_id("media-storage")).to_contain_text("of 50.0 MB")
    await look(page, f"library-{device.name}")

    await describe(page, device.name)
    search = page.get_by_test_id("media-search")
    await search.fill("LOAF morn")
    await expect(items).to_have_count(1)
    await search.fill("nothing like it")
    await expect(page.get_by_text("Nothing found")).to_be_visible()
    await look(page, f"library-none-{device.name}")
    await page.get_by_role("button", name="Show all").click()
    await expect(items).to_have_count(5)
    await page.get_by_test_id("media-kind").select_option("video")
    await expect(items).to_have_count(1)
    await page.get_by_test_id("media-kind").select_option("")
    await page.get_by_test_id("media-copied").check()
    await expect(items).to_have_count(2)
    await page.get_by_test_id("media-copied").uncheck()
    await expect(items).to_have_count(5)

    await by_keys(page)
    await delete_and_take_back(page)
    await needed_by_a_draft(page)
    await page.get_by_test_id("media-from-web").click()
    await page.get_by_test_id("from-web-url").fill("http://127.0.0.1/cat.jpg")
    await look(page, f"library-from-web-{device.name}")
    await page.get_by_test_id("from-web-go").click()
    await expect(page.get_by_test_id("upload-fetched")).to_contain_text("not on the public internet")
    await look(page, f"library-not-fetched-{device.name}")
    await page.get_by_test_id("upload-dismiss").click()
    await expect(page.get_by_test_id("upload-fetched")).to_have_count(0)
    await what_becomes_of_files(page, device.name)
    await it_fits(page)


async def describe(page: Page, size: str) -> None:
    """Words and a tag for one of the pictures."""
    await page.get_by_role("button", name="Open bread.jpg").click()
    dialog = page.get_by_test_id("media-look")
    await expect(dialog).to_contain_text("once more")
    await page.get_by_test_id("media-alt").fill("A loaf in the morning light")
    await page.get_by_test_id("media-tags").fill("bakery, autumn")
    await look(page, f"library-look-{size}")
    await page.get_by_test_id("media-save").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_test_id("media-tag")).to_contain_text("bakery")


async def what_becomes_of_files(page: Page, size: str) -> None:
    """The workspace chooses, and asks whether platforms could fetch its files."""
    await page.get_by_test_id("nav-settings").first.click()
    await page.get_by_test_id("originals-drop").check()
    await page.get_by_test_id("toast").first.wait_for()
    await page.get_by_test_id("reach-check").click()
    await expect(page.get_by_test_id("reach")).to_contain_text("over https only")
    await look(page, f"settings-files-{size}")


async def by_keys(page: Page) -> None:
    """Arrows walk, Enter opens, Escape closes and comes back to where one was."""
    places = page.get_by_test_id("media-item").get_by_role("button")
    await places.first.focus()
    await page.keyboard.press("ArrowRight")
    await expect(places.nth(1)).to_be_focused()
    await page.keyboard.press("End")
    await expect(places.nth(4)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("media-look")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("media-look")).to_have_count(0)
    await expect(places.nth(4)).to_be_focused()


async def delete_and_take_back(page: Page) -> None:
    """A deletion can be undone for ten seconds, and then it is one."""
    items = page.get_by_test_id("media-item")
    await page.get_by_role("button", name="Open corners.png").click()
    await page.get_by_test_id("media-delete").click()
    await expect(items).to_have_count(4)
    await page.get_by_test_id("toast-action").click()
    await expect(items).to_have_count(5)
    await page.get_by_role("button", name="Open corners.png").click()
    async with page.expect_response(re.compile(r"/media/[0-9a-f]{24}$"), timeout=20_000) as deleted:
        await page.get_by_test_id("media-delete").click()
    assert (await deleted.value).request.method in {"DELETE", "GET"}
    await expect(page.get_by_test_id("media-storage")).to_contain_text("4 files", timeout=20_000)


async def needed_by_a_draft(page: Page) -> None:
    """What a post needs says so and stays."""
    await page.get_by_role("button", name=f"Open {MOVING}").click()
    await page.get_by_role("link", name="Write a post with it").click()
    await page.get_by_test_id("compose-text").fill("It moves, and there is much to be said of it. " * 9)
    await page.wait_for_url(re.compile(r"/compose/[0-9a-f]{24}"))
    await page.get_by_test_id("nav-media").first.click()
    await page.get_by_role("button", name=f"Open {MOVING}").click()
    await expect(page.get_by_test_id("media-uses")).to_contain_text("It moves")
    for part in ("", " .body"):  # of the dialog; its title is the name
        inside = page.locator(f"[data-testid=media-look]{part}")
        assert await inside.evaluate("box => box.scrollWidth <= box.clientWidth"), part
    await page.get_by_test_id("media-delete").click()
    await expect(page.get_by_test_id("media-look")).to_contain_text("not online yet")
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("media-item")).to_have_count(4)
