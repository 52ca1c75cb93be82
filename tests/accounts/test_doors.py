"""Connecting, listing and parting through the API, as a client does it; and what happens to bad input."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from social.accounts.documents import Account
from social.backing import Backing
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


async def test_the_platforms_are_listed_with_what_they_take(person: Person, sandbox: Sandbox) -> None:
    [mastodon] = await person.ask("GET", "/platforms")
    assert mastodon == {
        "name": "mastodon",
        "title": "Mastodon",
        "asks_server": True,
        "sandbox_server": sandbox.url.removeprefix("http://"),
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
    shown = str([connected, await person.ask("GET", "/accounts")])
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
