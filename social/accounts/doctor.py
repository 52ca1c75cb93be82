"""What will not work with an account, said before it does not: out of data alone, without asking anybody."""

from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from social.accounts.apps import needed, redirect_address
from social.accounts.documents import Account
from social.errors import OperatorNeeded
from social.platforms import oauth
from social.platforms.contract import Platform, Realm, Token
from social.settings import Settings

HealthState = Literal["good", "ending", "lost"]
SOON = timedelta(days=3)  # before a connection's end the person is told so
SHORT = timedelta(days=30)  # a connection that ends within this is worth a word when it is made
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an account's login is, and what to do about it."""

    state: HealthState
    text: str | None = None


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What the installation's owner has to set, and the address they name at the platform, to connect accounts."""

    settings: list[str]
    redirect_address: str


def health(account: Account, at: datetime) -> Health:
    """The login of `account` at that instant (UTC)."""
    if account.state != "connected":
        return Health(state="lost", text=account.reason.text if account.reason else "Connect this account again.")
    end = account.token_ends_at
    if end is None or end - at > SOON:
        return Health(state="good")
    if end <= at:
        return Health(state="ending", text="The permission for this account has ended. Connect it again.")
    return Health(
        state="ending", text=f"The permission for this account ends {_in(end - at)}. Connect it again before."
    )


def warnings(platform: Platform, token: Token, realm: Realm, settings: Settings, at: datetime) -> list[str]:
    """What will not work, or not for long, with a permission that was just given."""
    found = []
    lacking = oauth.missing(platform, token.scopes) if platform.oauth else []
    said = platform.oauth.without if platform.oauth else {}
    unexplained = [scope for scope in lacking if scope not in said]
    found += [said[scope] for scope in lacking if scope in said]
    if unexplained:
        found.append(f"The permission is not complete, so some things will be refused: {', '.join(unexplained)}.")
    end = token.ends_at or (token.expires_at if token.refresh is None else None)
    if end is not None and end - at < SHORT:
        found.append(
            f"This permission ends {_in(end - at)}, whatever happens; then the account is to be connected again."
        )
    if realm == "live" and not reachable_by_all(settings.public_url):
        found.append(
            "This installation's address is not https, so what travels between your browser and it can be read on the "
            "way. Set SOCIAL_PUBLIC_URL to an https address."
        )
    return found


def offers_page(platform: Platform, settings: Settings) -> bool:
    """Whether an account can be connected over the platform's own page, now or once what is missing is there."""
    if platform.oauth is None:
        return False
    if platform.client is not None:
        try:
            platform.client(settings.public_url, redirect_address(platform, settings))
        except OperatorNeeded:
            return False
    return True


def missing(platform: Platform, settings: Settings) -> Missing | None:
    """What is lacking for connecting over the platform's page; None where nothing is."""
    if not platform.needs_app or platform.name in settings.apps:
        return None
    return Missing(settings=needed(platform), redirect_address=redirect_address(platform, settings))


def reachable_by_all(public_url: str) -> bool:
    """Whether nothing between a browser and us can be read: https, or the same machine."""
    url = urlsplit(public_url)
    return url.scheme == "https" or url.hostname in LOOPBACK


def _in(wait: timedelta) -> str:
    hours = max(1, round(wait.total_seconds() / 3600))
    if hours < 48:
        return f"in {hours} hour{'s' if hours > 1 else ''}"
    return f"in {round(hours / 24)} days"
