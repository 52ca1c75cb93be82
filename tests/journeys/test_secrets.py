"""Secrets planted everywhere, then looked for in all that leaves the product: logs, events, the database."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from social.backing import Backing
from social.settings import Settings
from tests.pictures import jpeg
from tests.servers.product import PASSWORD, Person, Product
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.slow


async def test_no_secret_reaches_the_log_an_event_an_answer_or_the_database_in_the_clear(
    settings: Settings, backing: Backing, sandbox: Sandbox, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with Product(settings, tmp_path, SOCIAL_LOG_LEVEL="debug", SOCIAL_LOG_FORMAT="json") as product:
        product.start()
        person, answers = Person(session, product.url), []
        signed_in = await person.set_up(settings.setup_token or "")
        answers.append(await person.connect(sandbox))
        account = answers[0]["id"]
        media = await person.upload(jpeg())
        for trouble in ({"status": 500}, {"garbage": True}, {"hang_up": "after"}, {"dead_token": True}):
            sandbox.trouble(publish={**trouble, "count": 1})
            post = await person.write(f"canary-post-text {trouble}", account, media=({"id": media["id"]},))
            answers.append(await person.plan(post, now=True))
            answers.append(await person.until(post, "online", "failed", "held", "waiting"))
        sandbox.trouble()
        ticket = await person.ask("POST", "/live/tickets")
        async with session.ws_connect(f"{product.url.replace('http', 'ws')}/live?ticket={ticket['ticket']}") as socket:
            await socket.receive_json()
        answers.append(
            await person.ask("POST", "/session", expect=401, json={"email": "a@b.example", "password": "canary-wrong"})
        )
        answers.append(await person.ask("POST", "/setup", expect=409, json=_setup_again(settings)))
        await asyncio.sleep(0.5)
        product.stop()

    token, client_secret = sandbox.latest_secrets()
    planted = {
        "password": PASSWORD,
        "wrong password": "canary-wrong",
        "access token": signed_in["access_token"],
        "live ticket": ticket["ticket"],
        "refresh token": next(cookie.value for cookie in session.cookie_jar),
        "platform token": token,
        "client secret": client_secret,
        "master key": settings.master_key,
        "S3 secret": settings.s3_secret_key,
        "set-up token": settings.setup_token or "",
        "post text": "canary-post-text",
    }
    log, database = product.log.read_text(), repr([await _all(backing, name) for name in await _names(backing)])
    assert len(log) > 100
    assert len(database) > 1000
    told = repr(answers)
    for name, secret in planted.items():
        assert secret, name
        assert secret not in log, f"{name} in the log"
        if name != "post text":
            assert secret not in database, f"{name} in the database"
            assert secret not in told, f"{name} in an answer"


def _setup_again(settings: Settings) -> dict[str, Any]:
    return {
        "token": settings.setup_token,
        "name": "B",
        "email": "b@b.example",
        "password": PASSWORD,
        "workspace": "B",
        "zone": "UTC",
    }


async def _names(backing: Backing) -> list[str]:
    return sorted(await backing.db.list_collection_names())


async def _all(backing: Backing, name: str) -> list[Any]:
    return await backing.db[name].find({}).to_list()
