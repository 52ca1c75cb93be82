"""The authorisation-code flow with PKCE (S256), driven by each platform's data."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from social.moments import now
from social.platforms.calls import Call, Empty
from social.platforms.contract import App, OAuth, Platform, Token

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[\x21-\x7e]+$")]  # it goes into a header


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint answers (RFC 6749, section 5.1)."""

    access_token: Secret
    refresh_token: Secret | None = None
    expires_in: float | None = None
    scope: str = ""


def new_secret() -> str:
    """43 characters that nobody guesses: a state, or a PKCE verifier (RFC 7636, section 4.1)."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is stored of a state: enough to know it again, useless to whoever reads the database."""
    return hashlib.sha256(secret.encode()).hexdigest()


def challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorize_url(
    platform: Platform, origin: str, app: App, *, redirect_uri: str, state: str, verifier: str, another: bool
) -> str:
    """Where the person goes to give us permission. `another`: an account of this server is connected already."""
    flow = platform.oauth
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(platform.scopes),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    return f"{origin}{flow.authorize}?{urlencode(asked | flow.extra | (flow.for_another if another else {}))}"


async def exchange(call: Call, flow: OAuth, app: App, *, code: str, verifier: str, redirect_uri: str) -> Token:
    """The token for a code. PlatformError: Disconnected where the code or the app is no longer good."""
    asked_at = now()
    granted = await call.post(
        flow.token,
        Granted,
        form={
            "grant_type": "authorization_code",
            "code": code,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        },
    )
    lasts = granted.expires_in
    return Token(
        access=granted.access_token,
        refresh=granted.refresh_token,
        expires_at=asked_at + timedelta(seconds=lasts) if lasts else None,
        scopes=tuple(granted.scope.split()),
    )


async def revoke(call: Call, flow: OAuth, app: App, token: Token) -> None:
    """Makes the token worthless at the platform. Does nothing where the platform has no such thing."""
    if flow.revoke is not None:
        form = {"client_id": app.client_id, "client_secret": app.client_secret, "token": token.access}
        await call.post(flow.revoke, Empty, form=form)


def missing(platform: Platform, granted: Iterable[str]) -> list[str]:
    """The scopes we need and did not get. A broad one (`write`) includes its narrow ones (`write:media`)."""
    have = set(granted)
    return [scope for scope in platform.scopes if have and scope not in have and scope.partition(":")[0] not in have]
