"""What journeys begin with: the product as a process of its own, its owner, and somebody's window on a device."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from playwright.async_api import Browser, Page

from social.backing import Backing
from social.settings import Settings
from tests.servers.browser import chromium, window
from tests.servers.product import Person, Product


class Device(NamedTuple):
    """What somebody looks at it on. `name` is what its pictures are called."""

    phone: bool
    dark: bool
    name: str


DESKTOP, PHONE = Device(phone=False, dark=False, name="desktop"), Device(phone=True, dark=True, name="phone")
OTHERS = (Device(phone=True, dark=False, name="phone-light"), Device(phone=False, dark=True, name="desktop-dark"))


@pytest.fixture(params=[DESKTOP, PHONE], ids=lambda device: device.name)
def device(request: pytest.FixtureRequest) -> Device:
    """Each in turn. A test that names it runs once on each."""
    found: Device = request.param
    return found


@pytest.fixture
def product_env() -> dict[str, str]:
    """What a file's journeys set besides: it defines a fixture of this name."""
    return {}


@pytest.fixture
def product(settings: Settings, backing: Backing, tmp_path: Path, product_env: dict[str, str]) -> Iterator[Product]:
    """`social serve`, ready, on empty servers. It must end in order when it is told to."""
    with Product(settings, tmp_path, **product_env) as product:
        yield product.start()
        assert product.stop() == 0


@pytest.fixture
async def owner(product: Product, settings: Settings) -> AsyncIterator[Person]:
    """Who has set it up, through the API."""
    async with aiohttp.ClientSession() as session:
        owner = Person(session, product.url)
        await owner.set_up(settings.setup_token or "")
        yield owner


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium, for journeys with several windows."""
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def page(product: Product, browser: Browser, device: Device) -> AsyncIterator[Page]:
    """A fresh window on `device`, nobody signed in. It has complained of nothing when the journey ends."""
    async with window(browser, phone=device.phone, dark=device.dark) as (page, complaints):
        yield page
        assert complaints == []
