"""A picture is cut and a video trimmed in the composer, seen as they will be, and so they are on the platforms."""

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Locator, Page, expect

from social.backing import Backing
from social.media.renditions import Rendition
from tests.journeys.conftest import DESKTOP, Device
from tests.journeys.steps import added, choose, choose_all, it_fits, sign_in
from tests.media.films import film, looped
from tests.servers.browser import look
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
ODD = "-c:v libx264 -preset ultrafast -pix_fmt yuv444p"  # colours that nobody takes: it is converted for many seconds
PATIENCE = 30_000  # ms, for what takes several answers
ALT = "The sun rises over a meadow"
PLATFORMS = ("mastodon", "x")


def sunrise(path: Path) -> Path:
    """A landscape of 1600 × 1200 pixels whose sun stands far to the right."""
    sky = Image.linear_gradient("L").resize((1600, 1200))
    picture = Image.merge("RGB", (sky.point(lambda n: 255 - n // 3), sky.point(lambda n: 200 - n // 2), sky))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((1180, 380, 1480, 680), fill=(255, 190, 40))
    draw.rectangle((0, 900, 1600, 1200), fill=(30, 80, 60))
    picture.save(path, "JPEG", quality=85)
    return path


async def test_what_is_cut_and_trimmed_is_seen_before_and_goes_out_like_that(
    product: Product, owner: Person, sandbox: Sandbox, page: Page, device: Device, tmp_path: Path
) -> None:
    picture = sunrise(tmp_path / "sunrise.jpg")
    second = film(tmp_path / "second.mp4", size=(256, 144), seconds=1, fps="10", audio=None)
    long = looped(tmp_path / "long.mp4", second, 150)
    for platform in PLATFORMS:
        await owner.connect(sandbox, "bakery", platform)
    await sign_in(page, product.url)
    await write(page, picture, long)
    await cut(page, device.name)
    await only_on_x(page)
    await trim(page, device.name)
    await it_fits(page)
    await page.get_by_test_id("compose-send-now").click()
    await page.get_by_test_id("send-now-yes").click()
    for platform in PLATFORMS:
        await sandbox.until(lambda name=platform: len(sandbox.statuses(platform=name)) == 2, within=40)  # type: ignore[misc]
    await as_it_was_seen(page, sandbox)


@pytest.mark.parametrize("device", [DESKTOP], ids=lambda device: device.name, indirect=True)
async def test_how_far_a_conversion_is_shows_and_it_stops_with_its_post(
    product: Product, owner: Person, backing: Backing, sandbox: Sandbox, page: Page, tmp_path: Path
) -> None:
    second = film(tmp_path / "second.mp4", size=(960, 540), seconds=1, video=ODD, audio=None)
    long = looped(tmp_path / "long.mp4", second, 90)
    account = await owner.connect(sandbox)
    media = await added(long, backing)
    draft = await owner.write("A long one", account["id"], media=({"id": str(media.id)},))
    await sign_in(page, product.url)
    planned = await owner.plan(draft, at="2031-01-01T00:00:00Z")
    converting = page.get_by_test_id("publication-row").get_by_test_id("converting")
    await expect(converting).to_contain_text(re.compile(r"Converting for Mastodon, \d+ %"), timeout=20_000)
    await look(page, "converting")
    await page.get_by_test_id("publication-open").click()
    await expect(page.get_by_test_id("details").get_by_test_id("converting")).to_be_visible()
    await owner.ask("DELETE", f"/posts/{draft['id']}/plan", params={"revision": planned["revision"]})
    await expect(page.get_by_test_id("converting")).to_have_count(0, timeout=20_000)

    [rendition] = await Rendition.find_all().to_list()
    assert (rendition.state, rendition.next_at) == ("wanted", None)


async def write(page: Page, picture: Path, video: Path) -> None:
    """A thread: the picture, then the video."""
    await choose_all(page, len(PLATFORMS))
    await page.get_by_test_id("compose-text").fill("Good morning!")
    await page.get_by_test_id("compose-file").set_input_files(picture)
    await page.get_by_test_id("compose-add-part").click()
    await page.get_by_test_id("compose-text").nth(1).fill("And moving")
    await page.get_by_test_id("compose-file").nth(1).set_input_files(video)
    await expect(page.get_by_test_id("compose-picture")).to_have_count(2, timeout=PATIENCE)
    await page.get_by_test_id("compose-alt").first.fill(ALT)


async def cut(page: Page, size: str) -> None:
    """The picture becomes a square, around the sun: by a tap, and by an arrow. The preview shows what will go out."""
    await page.get_by_test_id("compose-adjust").first.click()
    dialog = page.get_by_test_id("fit")
    fate = dialog.get_by_test_id("fit-fate")
    await expect(fate).to_have_attribute("data-verdict", "fits", timeout=PATIENCE)
    await expect(dialog.get_by_test_id("fit-crop")).to_be_disabled()
    await dialog.get_by_test_id("fit-aspect-square").check(force=True)
    drawn = fate.get_by_test_id("rendered")
    await expect(drawn).to_have_attribute("data-region", "200,0,1200,1200", timeout=PATIENCE)
    stage = await dialog.get_by_test_id("fit-stage").bounding_box()
    assert stage is not None
    await page.mouse.click(stage["x"] + 0.55 * stage["width"], stage["y"] + stage["height"] / 2)
    await expect(drawn).to_have_attribute("data-region", re.compile(r"2(7|8|9)\d,0,1200,1200"))
    handle = dialog.get_by_test_id("fit-focus")
    await expect(handle).to_be_focused()
    for _ in range(2):
        await page.keyboard.press("Shift+ArrowRight")
    await expect(handle).to_have_attribute("aria-valuetext", re.compile("7[45] % from the left"))
    await expect(drawn).to_have_attribute("data-region", "400,0,1200,1200")
    await look(page, f"fit-cut-{size}")
    await dialog.get_by_test_id("fit-pad").check(force=True)
    await expect(drawn).to_have_attribute("data-size", "1600x1600")
    await dialog.get_by_test_id("fit-crop").check(force=True)
    await expect(fate).to_contain_text("It is cut to 1200 × 1200 pixels.")
    await dialog.get_by_test_id("fit-done").click()

    await expect(shown(page)).to_have_attribute("data-region", "400,0,1200,1200")
    await expect(page.get_by_test_id("compose-fate").first).to_contain_text("It is cut to 1200 × 1200 pixels.")


async def only_on_x(page: Page) -> None:
    """X has another shape than everybody else, and can be like all again."""
    await choose(page, "x")
    await page.get_by_test_id("compose-adjust").first.click()
    await page.get_by_test_id("fit-aspect-landscape").check(force=True)
    await page.get_by_test_id("fit-done").click()
    await expect(shown(page)).to_have_attribute("data-size", "1600x900")
    await choose(page, "mastodon")
    await expect(shown(page)).to_have_attribute("data-size", "1200x1200")
    await choose(page, "")


async def trim(page: Page, size: str) -> None:
    """What is too long for X is refused where it can be mended: by typing, on the rail, by one button."""
    await expect(page.get_by_test_id("compose-problem")).to_contain_text("takes 2:20 at most", timeout=PATIENCE)
    await look(page, f"fit-too-long-{size}")
    await page.get_by_test_id("compose-trim").click()
    dialog = page.get_by_test_id("fit")
    x = dialog.get_by_test_id("fit-fate").filter(has_text="X")
    await expect(x).to_have_attribute("data-verdict", "cannot")
    await dialog.get_by_test_id("fit-shorten").click()
    await expect(dialog.get_by_test_id("fit-shows")).to_have_text("2:20 of 2:30")
    await expect(x).to_have_attribute("data-verdict", "converts")
    await dialog.get_by_test_id("fit-start-typed").fill("1:10")
    await dialog.get_by_test_id("fit-end-typed").fill("75")
    await dialog.get_by_test_id("fit-end-typed").press("Enter")
    await dialog.get_by_test_id("fit-end").focus()
    for _ in range(10):
        await page.keyboard.press("ArrowLeft")
    await expect(dialog.get_by_test_id("fit-end-typed")).to_have_value("1:14")
    await expect(dialog.get_by_test_id("fit-fate")).to_have_count(1)
    await expect(dialog.get_by_test_id("fit-fate")).to_contain_text("It is cut: from 1:10 to 1:14.")
    await look(page, f"fit-trim-{size}")
    await dialog.get_by_test_id("fit-done").click()
    await expect(page.get_by_test_id("compose-problem")).to_have_count(0)
    await expect(page.get_by_test_id("compose-saving")).to_have_attribute("data-state", "saved", timeout=PATIENCE)
    await look(page, f"fit-composed-{size}")


def shown(page: Page) -> Locator:
    """The picture in the platform's preview."""
    return page.get_by_test_id("preview").get_by_test_id("rendered").first


async def as_it_was_seen(page: Page, sandbox: Sandbox) -> None:
    """What is public there: the shape of the picture, the sun in it, and how long the video lasts."""
    for platform, shape in (("mastodon", 1.0), ("x", 16 / 9)):
        await page.goto(f"{sandbox.url}/sandbox/timeline/{platform}")
        source = await page.get_by_role("img", name=ALT).get_attribute("src")
        async with aiohttp.request("GET", urljoin(sandbox.url, source)) as answer:
            with Image.open(io.BytesIO(await answer.read())) as picture:
                assert abs(picture.width / picture.height - shape) < 0.01
                assert platform == "x" or red(picture.getpixel((picture.width * 0.775, picture.height * 0.44)))
        video = page.locator("video")
        await page.wait_for_function("document.querySelector('video').readyState > 0")
        assert abs(await video.evaluate("video => video.duration") - 4) < 0.3


def red(pixel: Any) -> bool:
    return bool(pixel[0] > 230 and pixel[2] < 80)
