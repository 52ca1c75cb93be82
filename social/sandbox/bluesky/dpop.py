"""DPoP: is a request made by the holder of the key that its token is bound to? Sheet: OAuth; RFC 9449."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, Literal

import jwt

from social.sandbox.bluesky.errors import Headers, OAuthRefused, Refused

Server = Literal["authorization", "resource"]

ALGORITHMS = ["ES256"]
EARLY, LATE = 10, 190  # seconds that a proof's clock may be ahead of ours, or its proof old


class Proofs:
    """Nonces turn by the clock and come from the host's secret, so that a restart forgets none."""

    def __init__(self, origin: str, secret: Callable[[], str], turns_after: Callable[[], float]) -> None:
        self._origin = origin
        self._secret = secret
        self._turns_after = turns_after
        self._seen: dict[str, float] = {}  # jti, until when it is remembered

    def nonce(self, server: Server, ago: int = 0) -> str:
        turn = int(time.time() / self._turns_after()) - ago
        digest = hmac.new(self._secret().encode(), f"{server} {turn}".encode(), hashlib.sha256).digest()
        return base64url(digest)

    def header(self, server: Server) -> Headers:
        return (("DPoP-Nonce", self.nonce(server)), ("Access-Control-Expose-Headers", "DPoP-Nonce"))

    def checked(
        self, server: Server, proof: str | None, method: str, path: str, access_token: str | None = None
    ) -> str:
        """The thumbprint of the key that made `proof` for this request; `path` is below the origin.

        Raises Refused: 401 at the resource server, 400 at the authorization server.
        """
        if not proof:
            raise _wrong(server, "invalid_dpop_proof", "DPoP proof required")
        try:
            key, claims = _decoded(proof)
            _match(claims, method, self._origin + path, access_token)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise _wrong(server, "invalid_dpop_proof", f"Invalid DPoP proof: {error}") from None
        if claims.get("nonce") not in {self.nonce(server, ago) for ago in (0, 1, 2)}:
            words = f"{server.capitalize()} server requires nonce in DPoP proof"
            raise _wrong(server, "use_dpop_nonce", words)
        if not self._is_first(str(claims["jti"])):
            raise _wrong(server, "invalid_dpop_proof", 'DPoP proof "jti" is not unique')
        return thumbprint(key)

    def forget(self) -> None:
        self._seen.clear()

    def _is_first(self, jti: str) -> bool:
        now = time.time()
        if len(self._seen) > 10_000:
            self._seen = {known: until for known, until in self._seen.items() if until > now}
        if self._seen.get(jti, 0) > now:
            return False
        self._seen[jti] = now + EARLY + LATE
        return True


def thumbprint(key: dict[str, Any]) -> str:
    """RFC 7638."""
    needed = ",".join(f'"{name}":"{key[name]}"' for name in ("crv", "kty", "x", "y"))
    return base64url(hashlib.sha256(f"{{{needed}}}".encode()).digest())


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header = jwt.get_unverified_header(proof)
    key = header.get("jwk")
    if header.get("typ") != "dpop+jwt":
        raise ValueError('"typ" is not dpop+jwt')
    if header.get("alg") not in ALGORITHMS:
        raise ValueError('"alg" is not supported')
    if not isinstance(key, dict) or "d" in key or key.get("kty") != "EC" or key.get("crv") != "P-256":
        raise ValueError('"jwk" is not a public key')
    verified = jwt.PyJWK(key, algorithm="ES256").key
    options: Any = {"require": ["jti", "htm", "htu", "iat"], "verify_iat": False, "verify_aud": False}
    return key, jwt.decode(proof, verified, algorithms=ALGORITHMS, options=options)


def _match(claims: dict[str, Any], method: str, url: str, access_token: str | None) -> None:
    if claims["htm"] != method:
        raise ValueError('"htm" mismatch')
    if claims["htu"] != url:
        raise ValueError('"htu" mismatch')
    if not isinstance(claims["iat"], int | float) or not -EARLY <= time.time() - claims["iat"] <= LATE:
        raise ValueError('"iat" is too far from now')
    if access_token is not None and claims.get("ath") != base64url(hashlib.sha256(access_token.encode()).digest()):
        raise ValueError('"ath" mismatch')


def _wrong(server: Server, error: str, message: str) -> Refused:
    if server == "authorization":
        return OAuthRefused(error, message)
    challenge = f'DPoP error="{error}", error_description="{message.replace(chr(34), chr(39))}"'
    return Refused(401, error, message, headers=(("WWW-Authenticate", challenge),))
