"""Everything is held in the browser: said for as long as it lasts, and let go on with what has passed asking."""

from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from social.settings import Settings
from tests.journeys.test_three_platforms import sign_in
from tests.servers.browser import chromium, look, window
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
async def test_everything_is_held_and_goes_on(
    phone: bool, settings: Settings, backing: object, sandbox: Sandbox, tmp_path: Path
) -> None:
    size = "phone" if phone else "desktop"
    with Product(settings, tmp_path) as product:
        product.start()
        async with aiohttp.ClientSession() as session, chromium() as browser:
            person = Person(session, product.url)
            await person.set_up(settings.setup_token or "")
            account = await person.connect(sandbox)
            later = await person.plan(await person.write("later", account["id"]), at="2031-01-01T00:00:00Z")
            async with window(browser, phone=phone, dark=phone) as (page, complaints):
                await sign_in(page, product.url)
                await page.get_by_test_id("hold-open").click()
                await look(page, f"hold-{size}")
                await page.get_by_test_id("hold-sure-yes").click()
                await expect(page.get_by_test_id("hold")).to_be_visible()
                passed = await person.plan(await person.write("passed", account["id"]), now=True)
                await person.until(passed, "held")
                await page.get_by_test_id("tab-attention").click()
                await expect(page.locator("#list li")).to_have_count(2)
                await look(page, f"held-{size}")
                await page.get_by_test_id("resume").click()
                await page.get_by_test_id("resume-sure-yes").click()
                await expect(page.get_by_test_id("hold")).to_have_count(0)
                await look(page, f"resumed-{size}")
                assert complaints == []
            ahead, asking = [
                (await person.ask("GET", f"/posts/{post['id']}"))["publications"][0] for post in (later, passed)
            ]
            assert (ahead["state"], asking["state"], asking["reason"]["code"]) == ("planned", "held", "late")
            assert sandbox.texts() == []
        assert product.stop() == 0
