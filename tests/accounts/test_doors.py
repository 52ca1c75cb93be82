"""Connecting, listing and parting through the API, as a client does it; and what happens to bad input."""

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.platforms import PLATFORMS
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


async def test_the_platforms_are_listed_with_what_they_take(person: Person, sandbox: Sandbox) -> None:
    platforms = {each["name"]: each for each in await person.ask("GET", "/platforms")}
    mastodon = platforms["mastodon"]
    limits = mastodon.pop("limits")
    assert (limits["text"], limits["thread"], limits["text_bytes"]) == (500, 100, None)
    assert mastodon == {
        "name": "mastodon",
        "title": "Mastodon",
        "ways": [{"kind": "page"}],
        "asks_server": True,
        "usual_server": None,
        "sandbox_server": sandbox.url.removeprefix("http://"),
        "ready": True,
        "missing": None,
        "text_limit": 500,
        "counted_as": "graphemes",
        "media_limit": 4,
        "alt_limit": 1500,
        "visibilities": ["public", "unlisted", "private", "direct"],
    }


async def test_an_account_is_connected_shown_and_parted_from(person: Person, sandbox: Sandbox) -> None:
    connected = await person.connect(sandbox, "anna")
    assert await person.ask("GET", f"/accounts/{connected['id']}") == connected
    assert (await person.ask("GET", "/accounts"))["items"] == [connected]
    assert (connected["platform"], connected["realm"], connected["state"]) == ("mastodon", "sandbox", "connected")
    assert connected["server"] == sandbox.url.removeprefix("http://")
    assert connected["handle"] == f"anna@{connected['server']}"
    assert connected["profile_url"] == f"{sandbox.url}/@anna"
    assert connected["limits"]["image_types"][0] == "image/jpeg"
    assert connected["connected_at"].endswith("Z")

    await person.ask("DELETE", f"/accounts/{connected['id']}", expect=204)

    parted = await person.ask("GET", f"/accounts/{connected['id']}")
    assert (parted["state"], parted["reason"]["code"]) == ("disconnected", "by-hand")


async def test_what_was_found_is_shown_and_can_be_dropped(person: Person, sandbox: Sandbox) -> None:
    found = await person.find(sandbox, "anna")
    assert (found["platform"], found["realm"], found["name"]) == ("mastodon", "sandbox", "anna")
    assert (found["already"], found["elsewhere"], found["warnings"]) == (False, False, [])
    assert found["expires_at"].endswith("Z")
    assert (await person.ask("GET", "/accounts"))["items"] == []
    await person.ask("DELETE", f"/connections/{found['id']}", expect=204)
    await person.ask("DELETE", f"/connections/{found['id']}", expect=404)
    await person.ask("POST", f"/connections/{found['id']}/account", expect=404)


async def test_an_account_is_read_at_once_where_somebody_wants_to_know(person: Person, sandbox: Sandbox) -> None:
    connected = await person.connect(sandbox, "anna")
    assert connected["health"] == {"state": "good", "text": None}
    assert connected["token_ends_at"] is None
    sandbox.trouble(mastodon={"characters": 9000})
    read = await person.ask("POST", f"/accounts/{connected['id']}/readings")
    assert read["limits"]["text"] == 9000
    assert read["read_at"] > connected["read_at"]
    sandbox.trouble(all={"status": 503})
    await person.ask("POST", f"/accounts/{connected['id']}/readings", expect=503)
    sandbox.trouble(all={"dead_token": True})
    lost = await person.ask("POST", f"/accounts/{connected['id']}/readings")
    assert (lost["state"], lost["health"]["state"]) == ("disconnected", "lost")
    assert lost["health"]["text"]


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_platform_is_offered_and_connected(platform: str, person: Person, sandbox: Sandbox) -> None:
    [offered] = [each for each in await person.ask("GET", "/platforms") if each["name"] == platform]
    assert offered["ways"][0] == {"kind": "page"}
    assert offered["ready"] is (offered["missing"] is None)
    connected = await person.connect(sandbox, "anna", platform)
    assert (connected["platform"], connected["state"]) == (platform, "connected")
    assert connected["limits"] == offered["limits"] | connected["limits"]
    assert await person.ask("POST", f"/accounts/{connected['id']}/readings")


@pytest.mark.parametrize("platform", [platform.name for platform in PLATFORMS.values() if platform.login])
async def test_a_password_made_for_this_opens_an_account(platform: str, person: Person, sandbox: Sandbox) -> None:
    [offered] = [each for each in await person.ask("GET", "/platforms") if each["name"] == platform]
    form = offered["ways"][-1]
    assert form["kind"] == "password"
    assert all(form[name] for name in ("name", "secret", "where"))
    somebody = await asyncio.to_thread(sandbox.person, "anna", platform=platform)
    wanted = {"platform": platform, "realm": "sandbox", "name": somebody["account_id"]}
    found = await person.ask("POST", "/connections/password", json=wanted | {"secret": somebody["app_password"]})
    account = await person.ask("POST", f"/connections/{found['id']}/account")
    assert (account["platform"], account["health"]["state"]) == (platform, "good")
    problem = await person.ask("POST", "/connections/password", expect=422, json=wanted | {"secret": "wr0ng-wr0ng"})
    assert problem["errors"][0]["pointer"] == "/secret"
    assert "wr0ng" not in str(problem)


async def test_a_password_opens_nothing_where_there_is_a_page(person: Person) -> None:
    wanted = {"platform": "mastodon", "realm": "sandbox", "name": "anna", "secret": "xxxx-xxxx"}
    problem = await person.ask("POST", "/connections/password", expect=422, json=wanted)
    assert problem["errors"][0]["pointer"] == "/platform"
    assert "page" in problem["detail"]


async def test_who_we_are_is_told_only_where_a_platform_asks_for_it(door: str, session: aiohttp.ClientSession) -> None:
    for name in ("mastodon", "myspace"):
        async with session.get(f"{door}/connect/{name}/client.json") as answer:
            assert answer.status == 404


async def test_accounts_come_in_pages(person: Person, sandbox: Sandbox) -> None:
    made = [(await person.connect(sandbox, name))["id"] for name in ("anna", "berta", "clara")]
    first = await person.ask("GET", "/accounts", params={"limit": 2})
    second = await person.ask("GET", "/accounts", params={"limit": 2, "cursor": first["next"]})
    assert [each["id"] for each in first["items"] + second["items"]] == made
    assert second["next"] is None


async def test_no_answer_holds_a_secret(person: Person, sandbox: Sandbox, backing: Backing) -> None:
    connected = await person.connect(sandbox)
    account = await Account.get(connected["id"])
    assert account is not None
    token = account.opened_token(backing.vault)
    assert token is not None
    shown = str([connected, await person.ask("GET", "/accounts")]).replace("token_ends_at", "")
    for secret in (token.access, account.app.client_id, "secret", "token"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"platform": "myspace", "server": "", "realm": "sandbox"}, "/platform"),
        ({"platform": "mastodon", "server": "not a server", "realm": "live"}, "/server"),
        ({"platform": "mastodon", "server": "https://127.0.0.1/", "realm": "live"}, "/server"),
        ({"platform": "mastodon", "server": "169.254.169.254"}, "/server"),
        ({"platform": "mastodon", "server": "x" * 501}, "/server"),
        ({"platform": "mastodon", "server": 5}, "/server"),
        ({"platform": "mastodon", "realm": "real"}, "/realm"),
        ({"platform": "mastodon", "server": "a.example", "token": "x"}, "/token"),
        ({}, "/platform"),
    ],
)
async def test_nonsense_is_answered_with_where_it_is_wrong(wanted: Json, pointer: str, person: Person) -> None:
    problem = await person.ask("POST", "/connections", expect=422, json=wanted)
    assert pointer in [each["pointer"] for each in problem["errors"]]


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "c", "state": "nobody's"},
        {"code": "c"},
        {"state": ""},
        {"state": "s" * 5000, "code": "c"},
        {"state": "s", "code": ["c"]},
    ],
)
async def test_an_answer_nobody_waits_for_is_refused(answer: Json, person: Person) -> None:
    await person.ask("POST", "/connections/mastodon/answer", expect=422, json=answer)


async def test_a_permission_that_was_refused_says_that_nothing_happened(person: Person, sandbox: Sandbox) -> None:
    wanted = {"platform": "mastodon", "server": "", "realm": "sandbox"}
    start = await person.ask("POST", "/connections", json=wanted)
    back = parse_qs(urlsplit(await sandbox.consent(start["url"], deny=True)).query)
    answer = {"state": back["state"][0], "error": back["error"][0]}
    problem = await person.ask("POST", "/connections/mastodon/answer", expect=422, json=answer)
    assert "nothing was connected" in problem["detail"]
    assert (await person.ask("GET", "/accounts"))["items"] == []


async def test_a_server_that_is_away_is_no_error_of_ours(person: Person, sandbox: Sandbox) -> None:
    sandbox.trouble(oauth={"status": 503})
    wanted = {"platform": "mastodon", "server": "", "realm": "sandbox"}
    problem = await person.ask("POST", "/connections", expect=503, json=wanted)
    assert problem["detail"].endswith("Please try again.")


@pytest.mark.parametrize("id", ["0" * 24, "nonsense", "ffffffffffffffffffffffff"])
async def test_what_is_not_there_is_not_found(id: str, person: Person) -> None:
    await person.ask("GET", f"/accounts/{id}", expect=404)
    await person.ask("DELETE", f"/accounts/{id}", expect=404)
