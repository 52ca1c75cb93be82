"""A real Chromium: the system's, for Playwright's own is not always to be had."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ctypes.util import find_library

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, async_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Kept:
    """The browser of this test process, begun with the first test that wants one: windows share nothing, and it takes
    seconds to begin."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def browser(self) -> Browser:
        """It, or another where it has died. Skips the test, naming what is missing, where there can be none."""
        if self._browser is None or not self._browser.is_connected():
            program = _program()
            self._playwright = self._playwright or await async_playwright().start()
            self._browser = await self._playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        return self._browser

    async def close(self) -> None:
        """Ends it, if there is one."""
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
        self._browser = self._playwright = None


KEPT = Kept()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this test process. Skips the test, naming what is missing, where there can be none."""
    yield await KEPT.browser()


def _program() -> str:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    if find_library("atomic") is None:  # Playwright brings a node of its own, which wants it
        pytest.skip("libatomic is missing: apt-get install libatomic1")
    return program


@asynccontextmanager
async def window(browser: Browser, *, phone: bool = False, dark: bool = False) -> AsyncIterator[tuple[Page, list[str]]]:
    """A fresh window of somebody in Berlin, and everything it complains of: console errors and refused content."""
    context: BrowserContext = await browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        timezone_id="Europe/Berlin",
        locale="en-GB",
        has_touch=phone,
    )
    page, complaints = await context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(15_000)
    try:
        yield page, complaints
    finally:
        await context.close()


def _is_complaint(said: ConsoleMessage) -> bool:
    """A newcomer is asked for a session that is not there yet: that 401 is an answer, not a fault."""
    return said.type == "error" and "401 (Unauthorized)" not in said.text


async def look(page: Page, name: str) -> None:
    """A picture of the whole page into the folder SCREENSHOTS, for people who set it."""
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)
