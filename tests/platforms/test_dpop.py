"""Tokens that are bound to a key: what a proof says, and how a server's nonces are followed."""

import base64
import hashlib
import json
import time
from datetime import UTC, datetime
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from yarl import URL

from social.backing.nonces import MOST, Nonces
from social.errors import Disconnected, OutcomeUnknown, RetryLater, TokenExpired
from social.platforms import PLATFORMS, dpop
from social.platforms.calls import Call
from social.platforms.contract import Token
from tests.platforms.scripted import Request, answer, calling, scripted

MASTODON = PLATFORMS["mastodon"]
KEY = dpop.new_key()
WANTED = answer(401, {"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "n1"})
WANTED_BY_AS = answer(400, {"error": "use_dpop_nonce", "error_description": "…"}, headers={"DPoP-Nonce": "n1"})


class Thing(msgspec.Struct):
    id: str


GOOD = answer(200, {"id": "7"})


def bound(call: Call) -> Call:
    call.token = Token(access="the-access-token", refresh="r", kind="dpop", key=KEY)
    call.faults = ()
    return call


def proven(request: Request) -> dict[str, Any]:
    """The claims of a request's proof, its signature checked against the key it names."""
    head = jwt.get_unverified_header(request.headers["dpop"])
    assert (head["typ"], head["alg"]) == ("dpop+jwt", "ES256")
    assert set(head["jwk"]) == {"kty", "crv", "x", "y"}, "the private part must never leave"
    claims: dict[str, Any] = jwt.decode(
        request.headers["dpop"],
        ECAlgorithm.from_jwk(head["jwk"]),  # type: ignore[arg-type]
        algorithms=["ES256"],
    )
    return claims


async def test_a_request_is_proven_to_come_from_the_keys_holder() -> None:
    async with scripted(GOOD) as server, calling(MASTODON, server) as call:
        await bound(call).get("/things", Thing, params={"a": "b"})
        await call.get("/things", Thing)
    first, second = map(proven, server.requests)
    access = hashlib.sha256(b"the-access-token").digest()
    assert (first["htm"], first["htu"]) == ("GET", f"{server.origin}/things")
    assert first["ath"] == base64.urlsafe_b64encode(access).rstrip(b"=").decode()
    assert abs(first["iat"] - time.time()) < 60
    assert first["jti"] != second["jti"]
    assert "nonce" not in first
    assert server.requests[0].headers["authorization"] == "DPoP the-access-token"


async def test_a_nonce_that_is_asked_for_is_used_at_once_and_from_then_on() -> None:
    newer = answer(200, {"id": "7"}, headers={"DPoP-Nonce": "n2"})
    async with scripted(WANTED, newer, GOOD) as server, calling(MASTODON, server) as call:
        assert await bound(call).get("/things", Thing) == Thing(id="7")
        await call.get("/things", Thing)
    assert [proven(request).get("nonce") for request in server.requests] == [None, "n1", "n2"]


async def test_a_server_that_asks_again_and_again_is_asked_twice() -> None:
    async with scripted(WANTED) as server, calling(MASTODON, server) as call:
        with pytest.raises(TokenExpired):
            await bound(call).get("/things", Thing)
    assert len(server.requests) == 2


async def test_a_committing_request_is_repeated_too_for_it_was_not_looked_at() -> None:
    async with scripted(WANTED, GOOD) as server, calling(MASTODON, server) as call:
        written: list[bool] = []
        bound(call).on_write = lambda: written.append(call.written)
        assert await call.post("/things", Thing, json={"a": 1}, commits=True) == Thing(id="7")
    assert written == [False, False]
    assert [request.body for request in server.requests] == [b'{"a":1}', b'{"a":1}']


async def test_the_repeat_of_a_committing_request_minds_the_deadline() -> None:
    async with scripted(WANTED, GOOD) as server, calling(MASTODON, server) as call:
        call.deadline = time.monotonic() + 60

        def too_late() -> None:
            call.deadline = time.monotonic()

        bound(call).on_write = too_late
        with pytest.raises(RetryLater) as late:
            await call.post("/things", Thing, json={"a": 1}, commits=True)
    assert (late.value.facts["code"], late.value.answered) == ("too-late", False)
    assert not call.written
    assert len(server.requests) == 1


async def test_a_repeat_that_is_lost_is_unknown() -> None:
    async with scripted(WANTED, "hang up") as server, calling(MASTODON, server) as call:
        with pytest.raises(OutcomeUnknown):
            await bound(call).post("/things", Thing, json={}, commits=True)
    assert call.written


@pytest.mark.parametrize(
    "said",
    [
        answer(401, {"error": "use_dpop_nonce"}),  # and no nonce
        answer(403, {"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "n1"}),
        answer(500, {"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "n1"}),
        answer(401, {"error": "invalid_token"}, headers={"DPoP-Nonce": "n1"}),
    ],
)
async def test_nothing_else_is_repeated(said: bytes) -> None:
    async with scripted(said) as server, calling(MASTODON, server) as call:
        with pytest.raises((OutcomeUnknown, TokenExpired)):
            await bound(call).post("/things", Thing, json={}, commits=True)
    assert len(server.requests) == 1


async def test_the_challenge_may_be_in_the_header_alone() -> None:
    challenge = {"DPoP-Nonce": "n1", "WWW-Authenticate": 'DPoP error="use_dpop_nonce"'}
    async with scripted(answer(401, headers=challenge), GOOD) as server, calling(MASTODON, server) as call:
        assert await bound(call).get("/things", Thing) == Thing(id="7")


async def test_a_request_without_a_token_is_proven_with_the_key_alone() -> None:
    async with scripted(WANTED_BY_AS, GOOD) as server, calling(MASTODON, server) as call:
        call.token, call.key = None, KEY
        await call.post("/par", Thing, form={"a": "b"})
    claims = proven(server.requests[1])
    assert (claims["nonce"], "ath" in claims, "authorization" in server.requests[1].headers) == ("n1", False, False)


async def test_each_part_of_a_server_has_nonces_of_its_own() -> None:
    async with scripted(WANTED, GOOD) as server, calling(MASTODON, server) as call:
        await bound(call).get("/things", Thing)
        grants = call.at(server.origin)
        grants.key = KEY
        await grants.post("/token", Thing, form={})
    assert "nonce" not in proven(server.requests[2])


async def test_a_request_with_credentials_of_its_own_is_not_proven() -> None:
    async with scripted(GOOD) as server, calling(MASTODON, server) as call:
        await bound(call).get("/things", Thing, headers={"Authorization": "Bearer another"})
    assert "dpop" not in server.requests[0].headers


async def test_a_bearer_token_is_never_proven_and_its_nonces_mean_nothing() -> None:
    async with scripted(WANTED) as server, calling(MASTODON, server) as call:
        with pytest.raises(Disconnected):
            await call.get("/things", Thing)
    assert len(server.requests) == 1
    assert "dpop" not in server.requests[0].headers


def test_every_key_is_another() -> None:
    assert len({json.loads(dpop.new_key())["x"] for _ in range(5)}) == 5


def test_an_address_is_proven_without_its_query_and_at_the_instant_that_is_said() -> None:
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    made = dpop.proof(KEY, "POST", URL("https://a.example/x?y=z#w"), at=at, access=None, nonce=None)
    claims = jwt.decode(made, options={"verify_signature": False, "verify_iat": False})
    assert claims["htu"] == "https://a.example/x"
    assert claims["iat"] == at.timestamp()


@given(st.text(max_size=600))
def test_a_nonce_is_a_strangers_word(nonce: str) -> None:
    nonces = Nonces()
    nonces.remember("https://a.example", nonce, grants=True)
    kept = nonces.of("https://a.example", grants=True)
    assert kept is None or (kept == nonce and kept.isascii() and kept.isprintable() and len(kept) <= 512)


def test_nonces_do_not_pile_up() -> None:
    nonces = Nonces()
    for n in range(MOST + 10):
        nonces.remember(f"https://{n}.example", "n", grants=False)
    assert nonces.of("https://0.example", grants=False) is None
    assert nonces.of(f"https://{MOST + 9}.example", grants=False) == "n"
