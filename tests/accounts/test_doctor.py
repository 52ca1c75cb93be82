"""What will not work is said beforehand, out of data."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from beanie import PydanticObjectId

from social.accounts import doctor
from social.accounts.documents import Account, Reason, SealedApp
from social.errors import OperatorNeeded
from social.platforms import PLATFORMS
from social.platforms.contract import App, OAuth, Token
from social.settings import OwnApp, Settings
from tests.test_settings import ENOUGH

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
MASTODON = PLATFORMS["mastodon"]
OWN_APP = replace(
    MASTODON,
    name="trial",
    register=None,
    scopes=("read", "media.write"),
    oauth=OAuth(authorize="/a", token="/t", without={"media.write": "Pictures will be refused."}),
)
SETTINGS = Settings.read(ENOUGH)
ALL = ("read", "media.write")


def account(**known: Any) -> Account:
    usual = {
        "workspace_id": PydanticObjectId(),
        "platform": "mastodon",
        "realm": "sandbox",
        "origin": "http://127.0.0.1:9",
        "remote_id": "1",
        "handle": "ada",
        "name": "Ada",
        "app": SealedApp(client_id="", secret=b""),
        "limits_read_at": NOW,
        "connected_at": NOW,
        "connected_by": PydanticObjectId(),
    }
    made: Account = Account.model_construct(
        **(usual | {"state": "connected", "reason": None, "token_ends_at": None} | known)
    )
    return made


@pytest.mark.parametrize(
    ("known", "state", "says"),
    [
        ({}, "good", None),
        ({"token_ends_at": NOW + timedelta(days=10)}, "good", None),
        ({"token_ends_at": NOW + timedelta(days=2, hours=12)}, "ending", "in 2 days"),
        ({"token_ends_at": NOW + timedelta(hours=1)}, "ending", "in 1 hour."),
        ({"token_ends_at": NOW - timedelta(hours=1)}, "ending", "has ended"),
        ({"state": "disconnected", "reason": Reason(code="x", text="It was revoked.")}, "lost", "It was revoked."),
        ({"state": "disconnected"}, "lost", "again"),
    ],
)
def test_an_accounts_health_says_what_to_do(known: dict[str, Any], state: str, says: str | None) -> None:
    health = doctor.health(account(**known), NOW)
    assert health.state == state
    assert health.text is None if says is None else says in str(health.text)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (Token(access="a", scopes=ALL), []),
        (Token(access="a"), []),  # who says nothing of scopes is not accused
        (Token(access="a", scopes=("read",)), ["Pictures will be refused."]),
        (Token(access="a", scopes=("media.write",)), ["some things will be refused: read."]),
        (Token(access="a", refresh="r", scopes=ALL, expires_at=NOW + timedelta(hours=2)), []),
        (Token(access="a", scopes=ALL, expires_at=NOW + timedelta(hours=2)), ["ends in 2 hours"]),
        (Token(access="a", refresh="r", scopes=ALL, ends_at=NOW + timedelta(days=14)), ["ends in 14 days"]),
        (Token(access="a", refresh="r", scopes=ALL, ends_at=NOW + timedelta(days=700)), []),
    ],
)
def test_a_permission_that_falls_short_is_warned_of(token: Token, says: list[str]) -> None:
    warnings = doctor.warnings(OWN_APP, token, "live", SETTINGS, NOW)
    assert len(warnings) == len(says)
    assert all(part in warning for part, warning in zip(says, warnings, strict=True))


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("https://social.example", False),
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("http://social.example", True),
    ],
)
def test_an_address_anybody_can_read_along_at_is_warned_of(address: str, warned: bool) -> None:
    settings = msgspec.structs.replace(SETTINGS, public_url=address)
    token = Token(access="a", scopes=ALL)
    assert bool(doctor.warnings(OWN_APP, token, "live", settings, NOW)) is warned
    assert doctor.warnings(OWN_APP, token, "sandbox", settings, NOW) == []


def test_what_the_owner_has_to_set_is_named() -> None:
    missing = doctor.missing(OWN_APP, SETTINGS)
    assert missing is not None
    assert missing.settings == ["SOCIAL_TRIAL_CLIENT_ID", "SOCIAL_TRIAL_CLIENT_SECRET"]
    assert missing.redirect_address == "http://127.0.0.1:8080/connect/trial"
    with_app = msgspec.structs.replace(SETTINGS, apps={"trial": OwnApp(client_id="i")})
    assert doctor.missing(OWN_APP, with_app) is None
    assert doctor.missing(MASTODON, SETTINGS) is None


def test_a_page_that_this_address_cannot_have_is_not_offered() -> None:
    def client(ours: str, redirect: str) -> App:
        if not ours.startswith("https"):
            raise OperatorNeeded("This needs a public https address.")
        return App(client_id=ours)

    derived = replace(OWN_APP, client=client)
    assert not doctor.offers_page(derived, SETTINGS)
    assert doctor.offers_page(derived, msgspec.structs.replace(SETTINGS, public_url="https://social.example"))
    assert not doctor.offers_page(replace(OWN_APP, oauth=None), SETTINGS)
