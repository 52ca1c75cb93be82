"""What a person sees of what is online, in a real browser."""

from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page, expect

from tests.sandbox.conftest import Caller, png
from tests.servers.browser import chromium, window
from tests.servers.sandbox import Sandbox


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser page that fails the test on any complaint of the browser's, a broken policy among them."""
    async with chromium() as browser, window(browser) as (page, complaints):
        yield page
        assert complaints == []


async def test_a_post_appears_changes_and_goes_without_reloading(page: Page, sandbox: Sandbox, caller: Caller) -> None:
    await page.goto(f"{sandbox.url}/sandbox/timeline")
    await expect(page.get_by_text("Nothing is online yet")).to_be_visible()

    media = caller.upload(png(640, 480), description="a teal field").json()["id"]
    posted = caller.status("seen live", media_ids=[media], visibility="unlisted").json()

    article = page.locator("article")
    await expect(article).to_contain_text("seen live")
    await expect(article).to_contain_text("unlisted")
    await expect(article).to_contain_text("Sandbox control")
    await expect(article.get_by_alt_text("a teal field")).to_be_visible()
    assert await article.locator("img").nth(1).evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    await article.get_by_text("ALT").click()
    await expect(article.get_by_text("a teal field")).to_be_visible()

    caller.status("another one")
    await expect(page.locator("article")).to_have_count(2)
    await expect(article.last.get_by_text("a teal field")).to_be_visible()  # what was opened stays open

    caller("PUT", f"/api/v1/statuses/{posted['id']}", json={"status": "seen edited", "media_ids": [media]})
    await expect(article.last).to_contain_text("seen edited")
    caller("DELETE", f"/api/v1/statuses/{posted['id']}")
    await expect(page.locator("article")).to_have_count(1)


async def test_a_posts_address_shows_it_alone_until_it_is_deleted(page: Page, caller: Caller) -> None:
    posted = caller.status("on its own page").json()
    caller.status("not this one")

    await page.goto(posted["url"])
    await expect(page.locator("article")).to_have_count(1)
    await expect(page.locator("article")).to_contain_text("on its own page")

    caller("DELETE", f"/api/v1/statuses/{posted['id']}")
    missing = caller.get(posted["url"].removeprefix(caller.sandbox.url), headers={"Accept": "text/html"})
    assert missing.status_code == 404
    assert "Nothing is here" in missing.text


@pytest.mark.parametrize("width", [390, 1280])
async def test_nothing_sticks_out(page: Page, caller: Caller, sandbox: Sandbox, width: int) -> None:
    caller.status("x" * 400 + " https://example.com/" + "y" * 300)
    await page.set_viewport_size({"width": width, "height": 800})
    for path in ("/sandbox/timeline", "/sandbox/"):
        await page.goto(sandbox.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_consent_in_a_browser_leads_back_to_the_app(
    page: Page, sandbox: Sandbox, anybody: Caller, as_person: Callable[..., Caller]
) -> None:
    as_person("author")
    back = f"{sandbox.url.replace('127.0.0.1', 'localhost')}/sandbox/timeline"  # another origin, as the app's is
    app = anybody.post("/api/v1/apps", json={"client_name": "Social", "redirect_uris": back}).json()
    asked = {"client_id": app["client_id"], "redirect_uri": back, "response_type": "code", "state": "s"}

    await page.goto(f"{sandbox.url}/oauth/authorize?{urlencode(asked)}")
    await page.get_by_text("@author").click()
    await page.get_by_role("button", name="Authorize").click()

    await page.wait_for_url(f"{back}?code=*")
