"""The live realm and the sandbox are never mixed up: not their accounts, their apps, nor where a server leads us."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from beanie import PydanticObjectId

from social.accounts import apps, connect
from social.accounts.apps import IN_THE_SANDBOX, app_at, app_of
from social.accounts.connect import finish, origin_of, start
from social.accounts.documents import Account, SealedApp
from social.accounts.pending import FoundAccount
from social.backing import Backing
from social.errors import Invalid, OperatorNeeded
from social.moments import now
from social.people.roles import Caller, Role
from social.platforms import PLATFORMS, oauth
from social.platforms.calls import Call
from social.platforms.contract import App, Endpoints, Identity, Platform, Realm, Token
from social.settings import OwnApp
from tests.servers.sandbox import Sandbox

MASTODON = PLATFORMS["mastodon"]
OWN_APP = replace(MASTODON, name="trial", title="Trial", host="api.trial.example", register=None)
ELSEWHERE = replace(OWN_APP, sandbox_path="/trial")


@pytest.fixture
def caller() -> Caller:
    ids = {name: PydanticObjectId() for name in ("user_id", "workspace_id", "session_id")}
    return Caller(role=Role.ADMIN, name="Ada", **ids)


@pytest.fixture
def owned(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> Backing:
    """An installation whose owner has an app."""
    monkeypatch.setitem(PLATFORMS, "trial", OWN_APP)
    own = {"trial": OwnApp(client_id="live-id", client_secret="live-secret")}
    return replace(backing, settings=msgspec.structs.replace(backing.settings, apps=own))


def call_to(platform: Platform, realm: Realm, backing: Backing) -> Call:
    origin = origin_of(platform, "", realm, backing)
    return Call.to(platform, origin, realm, outbound=backing.outbound, patience=1)


def test_each_platform_has_its_own_place_in_the_sandbox(owned: Backing, sandbox: Sandbox) -> None:
    assert origin_of(ELSEWHERE, "", "sandbox", owned) == f"{sandbox.url}/trial"
    assert origin_of(ELSEWHERE, "live.example", "live", owned) == "https://api.trial.example"
    assert origin_of(MASTODON, "live.example", "live", owned) == "https://live.example"
    assert origin_of(replace(MASTODON, usual_server="usual.example"), " ", "live", owned) == "https://usual.example"


@pytest.mark.parametrize(
    "path", ["", "/", "/other", "/trial/", "/trial/more", "/trial/../x", "/trialx", "@evil.example"]
)
def test_a_call_goes_to_that_place_alone(path: str, owned: Backing, sandbox: Sandbox) -> None:
    call = call_to(ELSEWHERE, "sandbox", owned)
    for origin in (f"{sandbox.url}{path}", "https://api.trial.example"):
        with pytest.raises(OperatorNeeded):
            call.at(origin)
    live = call_to(ELSEWHERE, "live", owned)
    for origin in (f"{sandbox.url}{path}", f"{sandbox.url}/trial", "http://api.trial.example", "https://a.example/x"):
        with pytest.raises(OperatorNeeded):
            live.at(origin)


def test_a_call_to_another_server_has_no_token(owned: Backing) -> None:
    call = replace(call_to(OWN_APP, "live", owned), token=Token(access="t"), key="k")
    there = call.at("https://other.example")
    assert (there.token, there.key, there.origin) == (None, None, "https://other.example")


async def test_the_owners_app_is_for_the_live_realm_alone(owned: Backing, backing: Backing) -> None:
    live = await app_at(OWN_APP, call_to(OWN_APP, "live", owned), "live", owned)
    assert live == App(client_id="live-id", client_secret="live-secret")
    assert await app_at(OWN_APP, call_to(OWN_APP, "sandbox", owned), "sandbox", owned) == IN_THE_SANDBOX
    with pytest.raises(OperatorNeeded) as lacking:
        await app_at(OWN_APP, call_to(OWN_APP, "live", backing), "live", backing)
    assert "SOCIAL_TRIAL_CLIENT_ID and SOCIAL_TRIAL_CLIENT_SECRET" in lacking.value.sentence


def account(realm: Realm, app: App, backing: Backing) -> Account:
    made = Account(
        workspace_id=PydanticObjectId(),
        platform="trial",
        realm=realm,
        origin="https://api.trial.example",
        remote_id="1",
        handle="ada",
        name="Ada",
        app=SealedApp(client_id="", secret=b""),
        limits_read_at=now(),
        connected_at=now(),
        connected_by=PydanticObjectId(),
    )
    made.app = SealedApp.of(app, backing.vault, place=made.place("app"))
    return made


def test_a_new_secret_of_the_owners_app_counts_for_its_own_live_accounts(owned: Backing) -> None:
    old = App(client_id="live-id", client_secret="old-secret")
    assert app_of(account("live", old, owned), owned).client_secret == "live-secret"
    for realm, app in (("sandbox", old), ("live", App(client_id="another", client_secret="x"))):
        assert app_of(account(realm, app, owned), owned) == app  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/token",
        "http://127.0.0.1:1/trial/token",
        "{sandbox}/token",
        "{sandbox}/trialx/token",
        "https://[::1]/token",
        "javascript:alert(1)",
        "/token",
        "",
    ],
)
async def test_a_server_in_the_sandbox_leads_nowhere_else(address: str, owned: Backing, sandbox: Sandbox) -> None:
    named = address.format(sandbox=sandbox.url)

    async def discover(call: Call) -> Endpoints:
        return Endpoints(authorize=f"{call.origin}/a", token=named)

    platform = replace(ELSEWHERE, discover=discover)
    with pytest.raises(OperatorNeeded):
        await oauth.endpoints(platform, call_to(platform, "sandbox", owned), "sandbox")


@pytest.mark.parametrize("field", ["authorize", "token", "revoke", "par"])
@pytest.mark.parametrize(
    "address", ["http://a.example/x", "https://a.example:8443/x", "https://u:p@a.example/x", "{sandbox}/trial/x", "x"]
)
async def test_a_live_server_leads_to_https_alone(address: str, field: str, owned: Backing, sandbox: Sandbox) -> None:
    named = address.format(sandbox=sandbox.url)

    async def discover(call: Call) -> Endpoints:
        good = {"authorize": "https://a.example/a", "token": "https://a.example/t"}
        return msgspec.convert(good | {field: named}, Endpoints)

    platform = replace(ELSEWHERE, discover=discover)
    with pytest.raises(OperatorNeeded):
        await oauth.endpoints(platform, call_to(platform, "live", owned), "live")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"origin": "https://live.example"}, "sandbox-away"),
        ({"origin": "http://127.0.0.1:1"}, "sandbox-away"),
        ({"id": "somebody else"}, "subject"),
    ],
)
async def test_an_identity_that_leads_elsewhere_is_refused_and_given_back(
    changes: dict[str, Any],
    code: str,
    caller: Caller,
    backing: Backing,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def identify(call: Call) -> Identity:
        found = await MASTODON.identify(call)
        return msgspec.structs.replace(found, **changes)

    async def exchange(*given: Any) -> Token:
        token = await real(*given)
        who = await MASTODON.identify(replace(given[1], token=token))
        return msgspec.structs.replace(token, subject=who.id)

    real = oauth.exchange
    monkeypatch.setattr(oauth, "exchange", exchange)
    monkeypatch.setitem(PLATFORMS, "mastodon", replace(MASTODON, identify=identify))
    url = (await start(caller, "mastodon", "", "sandbox", backing)).url
    back = dict(part.split("=", 1) for part in (await sandbox.consent(url, "anna")).partition("?")[2].split("&"))
    with pytest.raises(Invalid) as refused:
        await finish(caller, "mastodon", code=back["code"], state=back["state"], error=None, backing=backing)
    assert refused.value.facts["code"] == code
    assert await FoundAccount.count() == 0
    assert sandbox.requests("POST", "/oauth/revoke")


def test_a_redirect_address_is_fixed(backing: Backing) -> None:
    assert apps.redirect_address(MASTODON, backing.settings) == f"{backing.settings.public_url}/connect/mastodon"
    assert connect.OPEN_FOR.total_seconds() == 600
