"""Callers of the simulated Bluesky that say exactly what they send: one with a password's session, one with OAuth."""

import base64
import hashlib
import secrets
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from tests.servers.sandbox import Sandbox

POST = "app.bsky.feed.post"
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
REDIRECT = "http://127.0.0.1:9999/cb"
SCOPE = "atproto transition:generic"


def tid(number: int = 0) -> str:
    """A well-formed key; a higher number sorts later."""
    value = (1_700_000_000_000_000 + number) << 10
    return "".join(ALPHABET[value >> shift & 31] for shift in range(60, -1, -5))


def at(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Xrpc:
    """Methods of the protocol, as somebody or nobody."""

    def __init__(self, sandbox: Sandbox, person: Any = None, token: str | None = None) -> None:
        self.sandbox = sandbox
        self.person = person
        self.token = token or (person and person["access_token"])
        self._session = requests.Session()

    @property
    def did(self) -> str:
        return str(self.person["account_id"])

    def get(self, nsid: str, *, token: str | None = None, **params: Any) -> requests.Response:
        headers = params.pop("headers", {})
        return self._call("GET", nsid, token, params=params, headers=headers)

    def post(self, nsid: str, body: Any = None, *, token: str | None = None, **sent: Any) -> requests.Response:
        return self._call("POST", nsid, token, **({"json": body} if body is not None else {}), **sent)

    def create(self, rkey: str | None = None, *, top: dict[str, Any] | None = None, **record: Any) -> requests.Response:
        return self._write("createRecord", rkey, top, record)

    def put(self, rkey: str, *, top: dict[str, Any] | None = None, **record: Any) -> requests.Response:
        return self._write("putRecord", rkey, top, record)

    def delete(self, rkey: str, **more: Any) -> requests.Response:
        return self.post("com.atproto.repo.deleteRecord", self._place(rkey) | more)

    def read(self, rkey: str) -> requests.Response:
        return self.get("com.atproto.repo.getRecord", **self._place(rkey))

    def upload(self, data: bytes, mime: str | None = "image/png") -> requests.Response:
        headers = {"Content-Type": mime} if mime else {}
        return self.post("com.atproto.repo.uploadBlob", data=data, headers=headers)

    def blob(self, data: bytes, mime: str = "image/png") -> dict[str, Any]:
        reply = self.upload(data, mime)
        assert reply.status_code == 200, reply.text
        blob: dict[str, Any] = reply.json()["blob"]
        return blob

    def close(self) -> None:
        self._session.close()

    def _place(self, rkey: str) -> dict[str, Any]:
        return {"repo": self.did, "collection": POST, "rkey": rkey}

    def _write(
        self, how: str, rkey: str | None, top: dict[str, Any] | None, record: dict[str, Any]
    ) -> requests.Response:
        written = {"$type": POST, "text": "hello", "createdAt": at()} | record
        body = {"repo": self.did, "collection": POST, "record": written} | (top or {})
        return self.post(f"com.atproto.repo.{how}", body | ({"rkey": rkey} if rkey else {}))

    def _call(self, method: str, nsid: str, token: str | None, **sent: Any) -> requests.Response:
        token = self.token if token is None else token
        headers = ({"Authorization": f"Bearer {token}"} if token else {}) | sent.pop("headers", {})
        url = f"{self.sandbox.url}/bluesky/xrpc/{nsid}"
        return self._session.request(method, url, headers=headers, timeout=20, **sent)


class Key:
    """An ES256 key and the proofs that it makes."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.public: dict[str, Any] = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)

    def proof(self, method: str, url: str, known: str | None = None, token: str | None = None, **odd: Any) -> str:
        """`known`: the server's nonce. `odd`: claims that are not as they should be, None to leave one out."""
        claims: dict[str, Any] = {"jti": secrets.token_hex(8), "htm": method, "htu": url, "iat": int(time.time())}
        if known:
            claims["nonce"] = known
        if token:
            claims["ath"] = base64url(hashlib.sha256(token.encode()).digest())
        header = {"typ": "dpop+jwt", "jwk": self.public} | odd.pop("header", {})
        kept = {name: value for name, value in (claims | odd).items() if value is not None}
        return jwt.encode(kept, self.private, "ES256", header)


class OAuthClient:
    """A public client on the loopback address, step by step. Keeps the newest nonce of each server."""

    def __init__(self, sandbox: Sandbox, *, scope: str = SCOPE, client_id: str | None = None) -> None:
        self.base = f"{sandbox.url}/bluesky"
        self.sandbox = sandbox
        self.scope = scope
        self.client_id = client_id or f"http://localhost?{urlencode({'redirect_uri': REDIRECT, 'scope': scope})}"
        self.key = Key()
        self.nonces: dict[str, str] = {}
        self.verifier = secrets.token_urlsafe(48)
        self.tokens: dict[str, Any] = {}

    def form(self, path: str, fields: dict[str, Any], *, retry: bool = True, **odd: Any) -> requests.Response:
        """One form to the authorization server, again with the nonce it asks for."""
        url = f"{self.base}/oauth/{path}"
        proof = (odd.pop("key", None) or self.key).proof("POST", url, self.nonces.get("as"), **odd)
        reply = requests.post(url, data=fields, headers={"DPoP": proof}, timeout=20)
        self.nonces["as"] = reply.headers["DPoP-Nonce"]
        if retry and reply.status_code == 400 and reply.json()["error"] == "use_dpop_nonce":
            return self.form(path, fields, retry=False, **odd)
        return reply

    def push(self, **fields: Any) -> requests.Response:
        challenge = base64url(hashlib.sha256(self.verifier.encode()).digest())
        usual = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": self.scope,
            "state": "the-state",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return self.form("par", usual | fields)

    def page(self, request_uri: str) -> str:
        return f"{self.base}/oauth/authorize?{urlencode({'client_id': self.client_id, 'request_uri': request_uri})}"

    def decided(self, request_uri: str, username: str = "author", *, deny: bool = False) -> dict[str, str]:
        """The query of the callback, after the page was answered."""
        fields = {"client_id": self.client_id, "request_uri": request_uri, "new_username": username}
        fields["decision"] = "deny" if deny else "authorize"
        reply = requests.post(f"{self.base}/oauth/authorize", data=fields, allow_redirects=False, timeout=20)
        assert reply.status_code == 302, reply.text
        assert reply.headers["Location"].startswith(REDIRECT)
        return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["Location"]).query).items()}

    def exchange(self, given: str, /, **instead: Any) -> requests.Response:
        usual = {"grant_type": "authorization_code", "code": given, "redirect_uri": REDIRECT}
        usual |= {"client_id": self.client_id, "code_verifier": self.verifier}
        return self.form("token", usual | instead)

    def connected(self, username: str = "author") -> "OAuthClient":
        """With tokens, the whole way."""
        pushed = self.push()
        assert pushed.status_code == 201, pushed.text
        reply = self.exchange(self.decided(pushed.json()["request_uri"], username)["code"])
        assert reply.status_code == 200, reply.text
        self.tokens = reply.json()
        return self

    def refresh(self, token: str | None = None, **odd: Any) -> requests.Response:
        fields = {"grant_type": "refresh_token", "refresh_token": token or self.tokens["refresh_token"]}
        return self.form("token", fields | {"client_id": self.client_id}, **odd)

    def revoke(self, token: str) -> requests.Response:
        fields = {"token": token, "client_id": self.client_id}
        return requests.post(f"{self.base}/oauth/revoke", data=fields, timeout=20)

    def call(self, method: str, nsid: str, *, token: str | None = None, retry: bool = True, **sent: Any) -> Any:
        """One call to the resource server, again with the nonce it asks for."""
        token = token or self.tokens["access_token"]
        url, odd = f"{self.base}/xrpc/{nsid}", sent.pop("odd", {})
        proof = (odd.pop("key", None) or self.key).proof(method, url, self.nonces.get("rs"), token, **odd)
        headers = {"Authorization": f"DPoP {token}", "DPoP": proof} | sent.pop("headers", {})
        reply = requests.request(method, url, headers=headers, timeout=20, **sent)
        self.nonces["rs"] = reply.headers["DPoP-Nonce"]
        if retry and reply.status_code == 401 and reply.json()["error"] == "use_dpop_nonce":
            return self.call(method, nsid, token=token, retry=False, odd=odd, **sent)
        return reply

    def write(self, how: str = "createRecord", rkey: str | None = None, **more: Any) -> Any:
        body = {"repo": self.tokens["sub"], "collection": POST, **({"rkey": rkey} if rkey else {})}
        record = {"$type": POST, "text": "by OAuth", "createdAt": at()} | more
        if how != "deleteRecord":
            body["record"] = record
        return self.call("POST", f"com.atproto.repo.{how}", json=body)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def page_of(sandbox: Sandbox, did: str, rkey: str) -> str:
    return f"{sandbox.url}/bluesky/profile/{quote(did, safe=':')}/post/{rkey}"
