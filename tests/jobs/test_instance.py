"""One instance is one process: what it does is chosen, and if a part of it dies, all of it ends."""

import os
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from social.settings import Settings
from tests.servers.product import Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.slow

WITH_A_CLOCK_THAT_DIES = """
import sys
from social.jobs import clock

async def run(backing, running):
    raise RuntimeError("planted")

clock.run = run
sys.argv = ["social", "serve"]
from social.__main__ import main
main()
"""


async def test_one_instance_takes_requests_and_another_sends(
    settings: Settings, backing: object, sandbox: Sandbox, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "door").mkdir()
    (tmp_path / "hands").mkdir()
    with (
        Product(settings, tmp_path / "door", SOCIAL_TASKS="api,live") as door,
        Product(settings, tmp_path / "hands", SOCIAL_TASKS="worker,clock") as hands,
    ):
        door.start()
        person = Person(session, door.url)
        await person.set_up(settings.setup_token or "")
        account = await person.connect(sandbox)
        post = await person.plan(await person.write("by somebody else", account["id"]), now=True)
        assert [each["state"] for each in post["publications"]] == ["planned"]

        hands.start(ready=False)
        await person.until(post, "online")

        assert sandbox.texts() == ["by somebody else"]
        assert hands.stop() == 0


def test_an_instance_of_which_a_task_dies_says_why_and_ends(settings: Settings, tmp_path: Path) -> None:
    product = Product(settings, tmp_path)

    ended = subprocess.run(
        [sys.executable, "-c", WITH_A_CLOCK_THAT_DIES],
        env={**os.environ, **product.env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "instance.task_died" in ended.stderr
    assert "planted" in ended.stderr


def test_an_instance_with_a_wrong_setting_names_it_and_its_remedy(settings: Settings, tmp_path: Path) -> None:
    product = Product(settings, tmp_path)

    ended = subprocess.run(
        [sys.executable, "-m", "social", "serve"],
        env={**os.environ, **product.env, "SOCIAL_CONCURENCY": "3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == os.EX_CONFIG
    assert "Did you mean SOCIAL_CONCURRENCY?" in ended.stderr
    assert "Traceback" not in ended.stderr
