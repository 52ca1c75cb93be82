"""The two tokens of a session: a signed one that lasts minutes, and a secret one that gets the next.

Access: a JWT (Ed25519; RFC 9068's "at+jwt"). Refresh: session, 256 random bits and our MAC, so that a token we once
gave out (its reuse ends the session) is told from one that somebody made up (which ends nothing).
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import jwt
import msgspec
from beanie import PydanticObjectId
from bson import ObjectId
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from social.backing.vault import Vault
from social.errors import SignInNeeded

LASTS = timedelta(minutes=10)
TYPE = "at+jwt"
AUDIENCE = "social api"
CLAIMS = ["iss", "aud", "sub", "sid", "ver", "iat", "exp"]
HEADER = {"alg": "EdDSA", "typ": TYPE}


class Access(msgspec.Struct, frozen=True):
    """An access token as it is given out."""

    token: str
    expires_at: datetime


class Claims(msgspec.Struct, frozen=True):
    """What a good access token says."""

    user_id: PydanticObjectId
    session_id: PydanticObjectId
    version: int


class AccessTokens:
    """Makes and reads access tokens of one installation (`issuer`: its public address)."""

    def __init__(self, vault: Vault, issuer: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(vault.derived("access token"))
        self._public = self._private.public_key()
        self._issuer = issuer

    def made(self, user_id: object, session_id: object, version: int, now: datetime) -> Access:
        """A token for one session, from `now` on."""
        expires_at = now + LASTS
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "ver": version,
            "iat": now,
            "exp": expires_at,
        }
        return Access(jwt.encode(claims, self._private, algorithm="EdDSA", headers={"typ": TYPE}), expires_at)

    def read(self, token: str) -> Claims:
        """What the token says. SignInNeeded if it is not exactly one of ours and in time."""
        try:
            if jwt.get_unverified_header(token) != HEADER:  # no other algorithm, no key of its own
                raise jwt.InvalidTokenError
            said = jwt.decode(
                token,
                self._public,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": CLAIMS, "verify_iat": False},  # instances' clocks may differ by a little
            )
            return _claims(said)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise SignInNeeded("Your sign-in has run out. Please sign in again.") from None


def new_refresh(session_id: PydanticObjectId, vault: Vault) -> str:
    """A refresh token of this session that nobody had before."""
    body = f"{session_id}.{secrets.token_urlsafe(32)}"
    return f"{body}.{vault.signature('refresh token', body)}"


def session_of(refresh: str, vault: Vault) -> PydanticObjectId | None:
    """The session that a refresh token of ours was given to, whether it still counts or not. None if it is not ours."""
    body, _, signature = refresh.rpartition(".")
    session_id = body.partition(".")[0]
    if not refresh.isascii() or not ObjectId.is_valid(session_id) or not vault.signed("refresh token", body, signature):
        return None
    return PydanticObjectId(session_id)


def digest(refresh: str) -> bytes:
    """What is stored of a refresh token."""
    return hashlib.sha256(refresh.encode()).digest()


def _claims(said: dict[str, Any]) -> Claims:
    if not (ObjectId.is_valid(said["sub"]) and ObjectId.is_valid(said["sid"]) and type(said["ver"]) is int):
        raise jwt.InvalidTokenError
    return Claims(PydanticObjectId(said["sub"]), PydanticObjectId(said["sid"]), said["ver"])
