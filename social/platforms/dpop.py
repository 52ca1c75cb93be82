"""Proofs that we hold the key a token is bound to (DPoP, RFC 9449), and what servers say about them. ES256 alone."""

import hashlib
import json
from base64 import urlsafe_b64encode
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from yarl import URL

from social.platforms.answers import Raw, envelope

ALGORITHM = "ES256"
PUBLIC = ("kty", "crv", "x", "y")  # of a JWK on an elliptic curve; what remains is the private part
ASKS = "use_dpop_nonce"


def new_key() -> str:
    """A private key (P-256) as a JWK in JSON. One for each connection, so that nothing links them."""
    made: str = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()))
    return made


def proof(key: str, method: str, url: URL, *, at: datetime, access: str | None, nonce: str | None) -> str:
    """The header `DPoP` of one request made `at` that instant (section 4.2). With `access`, it is bound to that token
    (section 4.3)."""
    jwk: dict[str, Any] = json.loads(key)
    claims = {
        "jti": token_urlsafe(16),
        "htm": method,
        "htu": str(url.with_query(None).with_fragment(None)),
        "iat": int(at.timestamp()),
    }
    if access is not None:
        claims["ath"] = urlsafe_b64encode(hashlib.sha256(access.encode()).digest()).rstrip(b"=").decode()
    if nonce is not None:
        claims["nonce"] = nonce
    headers = {"typ": "dpop+jwt", "jwk": {name: jwk[name] for name in PUBLIC}}
    return jwt.encode(claims, ECAlgorithm.from_jwk(jwk), algorithm=ALGORITHM, headers=headers)  # type: ignore[arg-type]


def asks_for_nonce(answer: Raw) -> bool:
    """Whether the server wants the same request with the nonce it just gave: a definite no to the one that was sent.

    400 of an authorisation server, 401 of a resource server (sections 8 and 9). Never said of a request carried out.
    """
    if answer.status not in {400, 401} or not answer.headers.get("dpop-nonce"):
        return False
    refusal = envelope(answer.body)
    return (refusal is not None and refusal.error == ASKS) or ASKS in answer.headers.get("www-authenticate", "")
