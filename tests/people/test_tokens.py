"""Access tokens: one form is taken, everything near it is not."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from beanie import PydanticObjectId
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from social.backing.vault import Vault
from social.errors import SignInNeeded
from social.moments import now
from social.people.tokens import AUDIENCE, LASTS, TYPE, AccessTokens, new_refresh, session_of

VAULT = Vault(b"k" * 32)
ISSUER = "https://social.example.org"
TOKENS = AccessTokens(VAULT, ISSUER)
KEY = Ed25519PrivateKey.from_private_bytes(VAULT.derived("access token"))
ID = "6740a0a0a0a0a0a0a0a0a0a0"


def claims(**changes: Any) -> dict[str, Any]:
    """What a good token says, with changes; None takes one away."""
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": ID, "sid": ID, "ver": 1, "iat": now(), "exp": now() + LASTS}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def signed(said: dict[str, Any], **header: Any) -> str:
    """A token with our own key."""
    return jwt.encode(said, KEY, algorithm="EdDSA", headers={"typ": TYPE} | header)


def by_hand(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    """Any header over any claims."""
    pieces = (json.dumps(header).encode(), json.dumps(said, default=lambda at: int(at.timestamp())).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(piece).decode().rstrip("=") for piece in pieces)


def public_key() -> bytes:
    """What an attacker may know."""
    return KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def hs256() -> str:
    """Signed with the public key as if it were a shared secret."""
    unsigned = by_hand({"alg": "HS256", "typ": TYPE}, claims()).rpartition(".")[0]
    return by_hand(
        {"alg": "HS256", "typ": TYPE}, claims(), hmac.digest(public_key(), unsigned.encode(), hashlib.sha256)
    )


def test_our_own_token_is_taken_and_says_whose_it_is() -> None:
    made = TOKENS.made(PydanticObjectId(ID), PydanticObjectId(ID), 3, now())

    read = TOKENS.read(made.token)

    assert (str(read.user_id), str(read.session_id), read.version) == (ID, ID, 3)
    assert made.expires_at - now() <= timedelta(minutes=10)


CONFUSED = {
    "no algorithm": lambda: by_hand({"alg": "none", "typ": TYPE}, claims()),
    "algorithm None": lambda: by_hand({"alg": "None", "typ": TYPE}, claims()),
    "HS256 with the public key": hs256,
    "another key": lambda: jwt.encode(claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"typ": TYPE}),
    "another type": lambda: signed(claims(), typ="JWT"),
    "a key of its own": lambda: signed(claims(), jwk={"kty": "OKP"}),
    "a key elsewhere": lambda: signed(claims(), jku="http://127.0.0.1/keys"),
    "a certificate elsewhere": lambda: signed(claims(), x5u="http://127.0.0.1/cert"),
    "a key id": lambda: signed(claims(), kid="../../dev/null"),
    "expired": lambda: signed(claims(exp=now() - timedelta(seconds=1))),
    "another audience": lambda: signed(claims(aud="someone")),
    "another issuer": lambda: signed(claims(iss="https://evil.example.org")),
    "no audience": lambda: signed(claims(aud=None)),
    "no issuer": lambda: signed(claims(iss=None)),
    "no end": lambda: signed(claims(exp=None)),
    "no session": lambda: signed(claims(sid=None)),
    "no version": lambda: signed(claims(ver=None)),
    "a version that is none": lambda: signed(claims(ver=True)),
    "a session that is none": lambda: signed(claims(sid={"$ne": None})),
    "a refresh token": lambda: new_refresh(PydanticObjectId(ID), VAULT),
    "a changed payload": lambda: ".".join(
        [
            *signed(claims()).split(".")[:1],
            by_hand({}, claims(sub="0" * 24)).split(".")[1],
            signed(claims()).split(".")[2],
        ]
    ),
    "nothing": lambda: "",
    "dots": lambda: "..",
    "no base64": lambda: "é.é.é",
    "deep JSON": lambda: by_hand({"alg": "EdDSA", "typ": TYPE}, claims()).replace(
        ".", "." + base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".", 1
    ),
    "a deep header": lambda: base64.urlsafe_b64encode(b'{"a":' * 50_000).decode() + ".e30.e30",
}


@pytest.mark.parametrize("confusing", CONFUSED.values(), ids=CONFUSED.keys())
def test_nothing_else_is_taken(confusing: Any) -> None:
    with pytest.raises(SignInNeeded):
        TOKENS.read(confusing())


def test_a_refresh_token_names_its_session_only_under_our_master_key() -> None:
    token = new_refresh(PydanticObjectId(ID), VAULT)

    assert session_of(token, VAULT) == PydanticObjectId(ID)
    assert session_of(token, Vault(b"o" * 32)) is None
