"""Our Bluesky adapter against Bluesky's own server: the reference PDS, with its OAuth server, on this machine."""

import asyncio
import base64
import dataclasses
import json
import urllib.error
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import pytest_asyncio

from social.backing.outbound import Outbound
from social.errors import Disconnected, OutcomeUnknown, PreparationLost, Rejected, TokenExpired
from social.moments import now
from social.platforms import dpop, oauth
from social.platforms.bluesky import BLUESKY, videos
from social.platforms.bluesky.connecting import discover, login, refresh, revoke
from social.platforms.bluesky.publishing import PUT, delete, find, prepare, publish
from social.platforms.bluesky.records import POST, POSTGATE, THREADGATE
from social.platforms.bluesky.tids import tid
from social.platforms.calls import Call
from social.platforms.contract import App, Content, MediaItem, Part, Prepared, Receipt, Sought, Token, Turn
from social.settings import Settings, Times
from tests.media import films
from tests.pictures import jpeg
from tests.platforms.test_contract import TEXTS, filled
from tests.servers.pds import APP_PASSWORD, Pds, Someone, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]  # the first run on a machine fetches the server

HERE = dataclasses.replace(BLUESKY, sandbox_path="")  # a PDS lives at the root of its origin
NOBODY = App(client_id="")
HELLO = Content(text="hello")


@pytest.fixture(scope="module")
def pds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pds]:
    """The server, empty at first."""
    with running(tmp_path_factory.mktemp("pds") / "data") as server:
        yield server


@pytest.fixture(scope="module")
def anna(pds: Pds) -> Someone:
    return pds.account("anna.test")


@pytest.fixture(scope="module")
def berta(pds: Pds) -> Someone:
    return pds.account("berta.test")


@dataclasses.dataclass
class Desk:
    """Our side: how the server is called, and the files that lie in the bucket."""

    outbound: Outbound
    origin: str
    token: Token | None = None
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)

    def call(self, token: Token | None = None, *, key: str | None = None) -> Call:
        return Call.to(
            HERE,
            self.origin,
            "sandbox",
            outbound=self.outbound,
            patience=20,
            token=token or self.token,
            key=key,
            reading=self._reading,
        )

    def nobody(self) -> Call:
        return dataclasses.replace(self.call(), token=None)

    def picture(self, alt: str = "", body: bytes | None = None) -> MediaItem:
        body = jpeg(320, 240) if body is None else body
        key = uuid.uuid4().hex
        self.files[key] = body
        return MediaItem(media_id=key, key=key, mime="image/jpeg", bytes=len(body), width=320, height=240, alt=alt)

    async def turn(self, who: Someone, content: Content, prepared: Prepared | None = None) -> Turn:
        """The first part of `content`, prepared as the engine does it."""
        if prepared is None:
            prepared = await prepare(self.call(), content, Prepared(), _save)
        return Turn(
            content=content,
            prepared=prepared,
            key=uuid.uuid4().hex,
            first_sent_at=now(),
            remote_account=who.did,
        )

    async def published(self, who: Someone, content: Content) -> Receipt:
        return await publish(self.call(), await self.turn(who, content))

    @asynccontextmanager
    async def _reading(self, key: str, start: int, end: int) -> AsyncIterator[AsyncIterator[bytes]]:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.files[key][start:end]

        yield pieces()


async def _save(_: Prepared) -> None:
    return None


def sought(turn: Turn) -> Sought:
    return Sought(last_sent_at=turn.first_sent_at, **msgspec.structs.asdict(turn))


def following(turn: Turn, *before: Receipt) -> Turn:
    key = f"{turn.key}-{len(before)}"
    return msgspec.structs.replace(turn, part=len(before), key=key, before=before, first_sent_at=now())


@asynccontextmanager
async def desk_at(origin: str) -> AsyncIterator[Desk]:
    settings = Settings(
        mongo_url="mongodb://127.0.0.1:1",
        redis_url="redis://127.0.0.1:1",
        s3_endpoint="http://127.0.0.1:1",
        s3_access_key="none",
        s3_secret_key="none",
        master_key=base64.b64encode(bytes(32)).decode(),
        sandbox_url=origin,
        times=Times(http_timeout=20, lease=60),
    )
    async with Outbound.opened(settings) as outbound:
        yield Desk(outbound, origin)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session(pds: Pds, anna: Someone) -> Token:
    """Anna's, by her app password."""
    async with desk_at(pds.url) as desk:
        return await login(desk.nobody(), anna.handle, anna.app_password)


@pytest.fixture
async def desk(pds: Pds, session: Token) -> AsyncIterator[Desk]:
    """Ours, with anna's session."""
    async with desk_at(pds.url) as desk:
        desk.token = session
        yield desk


# Connecting


@pytest.mark.parametrize("written", ["{handle}", " @{handle} ", "\u202a{handle}\u202c", "{did}"])
async def test_an_app_password_connects_an_account(written: str, desk: Desk, anna: Someone) -> None:
    name = written.format(handle=anna.handle, did=anna.did)
    token = await login(desk.nobody(), name, anna.app_password)
    who = await BLUESKY.identify(desk.call(token))
    assert (who.id, who.handle, who.name, who.origin) == (anna.did, anna.handle, anna.handle, None)
    assert (token.subject, token.kind, who.limits) == (anna.did, "bearer", BLUESKY.limits)
    assert token.expires_at is not None
    assert token.lapses_at is not None
    assert timedelta(hours=1, minutes=59) < token.expires_at - datetime.now(UTC) <= timedelta(hours=2, seconds=5)
    assert timedelta(days=89) < token.lapses_at - datetime.now(UTC) <= timedelta(days=90, seconds=5)


@pytest.mark.parametrize("name", ["anna.test", "nobody.test", "anna"])
async def test_a_wrong_password_is_said(name: str, desk: Desk) -> None:
    with pytest.raises(Disconnected) as refused:
        await login(desk.nobody(), name, "abcd-efgh-ijkl-mnop")
    assert refused.value.facts["code"] == "wrong-password"
    assert "app password" in refused.value.sentence


async def test_a_session_is_refreshed_and_a_lost_answer_does_no_harm(desk: Desk, anna: Someone) -> None:
    old = await login(desk.nobody(), anna.handle, anna.app_password)
    new = await refresh(desk.nobody(), NOBODY, old)
    again = await refresh(desk.nobody(), NOBODY, old)
    assert new.refresh == again.refresh != old.refresh
    for token in (new, again):
        assert (await BLUESKY.identify(desk.call(token))).id == anna.did


async def test_a_session_that_was_given_back_cannot_be_refreshed(desk: Desk, anna: Someone) -> None:
    token = await login(desk.nobody(), anna.handle, anna.app_password)
    await revoke(desk.nobody(), NOBODY, token)
    with pytest.raises(Disconnected) as ended:
        await refresh(desk.nobody(), NOBODY, token)
    assert ended.value.facts["code"] == "revoked"


async def test_a_deleted_app_password_ends_the_session(pds: Pds, desk: Desk) -> None:
    clara = pds.account("clara.test")
    token = await login(desk.nobody(), clara.handle, clara.app_password)
    pds.ask("com.atproto.server.revokeAppPassword", {"name": APP_PASSWORD}, token=pds.session(clara))
    with pytest.raises(Disconnected):
        await refresh(desk.nobody(), NOBODY, token)
    with pytest.raises(Disconnected):
        await login(desk.nobody(), clara.handle, clara.app_password)


async def test_a_token_that_ended_or_is_none_is_to_be_refreshed(pds: Pds, desk: Desk, anna: Someone) -> None:
    assert desk.token is not None
    for access in (pds.expired(desk.token.access), "nonsense", desk.token.refresh or ""):
        call = desk.call(msgspec.structs.replace(desk.token, access=access))
        with pytest.raises(TokenExpired):
            await BLUESKY.identify(call)
        with pytest.raises(TokenExpired):
            await publish(call, await desk.turn(anna, HELLO))
        with pytest.raises(TokenExpired):
            await delete(call, f"at://{anna.did}/{POST}/{tid('x', now())}")


async def test_a_refresh_token_that_is_none_is_the_end(desk: Desk) -> None:
    assert desk.token is not None
    for secret in ("nonsense", desk.token.access):
        with pytest.raises(Disconnected):
            await refresh(desk.nobody(), NOBODY, msgspec.structs.replace(desk.token, refresh=secret))


async def test_a_deactivated_account_asks_for_its_person(pds: Pds, desk: Desk) -> None:
    dora = pds.account("dora.test")
    token = await login(desk.nobody(), dora.handle, dora.app_password)
    with suppress(urllib.error.HTTPError):
        pds.ask("com.atproto.server.deactivateAccount", {}, token=pds.session(dora))
    with pytest.raises(Disconnected) as told:
        await BLUESKY.identify(desk.call(token))
    assert "deactivated" in told.value.sentence
    with pytest.raises(Disconnected) as refused:
        await publish(desk.call(token), await desk.turn(dora, HELLO))
    assert refused.value.facts["code"] == "deactivated"


async def test_another_persons_token_publishes_nothing(pds: Pds, desk: Desk, berta: Someone) -> None:
    with pytest.raises(Disconnected):
        await publish(desk.call(), await desk.turn(berta, HELLO))
    assert pds.records(berta) == []


# Over the page of its authorisation server

REDIRECT = "http://127.0.0.1:9999/connect/bluesky"


async def permitted(pds: Pds, desk: Desk, someone: Someone) -> tuple[Any, App, Token]:
    """A token by the whole way: discovery, a pushed request, the page, the code."""
    assert BLUESKY.client is not None
    app = BLUESKY.client("http://127.0.0.1:9999", REDIRECT)
    where = await oauth.endpoints(HERE, desk.nobody(), "sandbox")
    asked = oauth.Asked(
        app=app, redirect_uri=REDIRECT, state="the-state", verifier=oauth.new_secret(), key=dpop.new_key()
    )
    url = await oauth.page(HERE, desk.nobody(), where, asked, another=False)
    back = await asyncio.to_thread(pds.consent, url, someone)
    answered = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    assert answered["state"] == "the-state"
    assert oauth.answers_for(where, answered["iss"])
    return where, app, await oauth.exchange(HERE, desk.nobody(), where, asked, answered["code"])


async def test_its_authorisation_server_is_found(pds: Pds, desk: Desk) -> None:
    where = await discover(desk.nobody())
    assert where.issuer == pds.url
    assert where.dpop
    assert where.par == f"{pds.url}/oauth/par"
    assert (where.authorize, where.token) == (f"{pds.url}/oauth/authorize", f"{pds.url}/oauth/token")


async def test_a_permission_publishes_is_refreshed_and_given_back(pds: Pds, desk: Desk, anna: Someone) -> None:
    where, app, token = await permitted(pds, desk, anna)
    assert (token.kind, token.subject, set(token.scopes)) == ("dpop", anna.did, set(BLUESKY.scopes))
    assert (await BLUESKY.identify(desk.call(token))).handle == anna.handle

    content = Content(text="by OAuth", media=(desk.picture("a river"),))
    call = desk.call(token)
    turn = await desk.turn(anna, content, await prepare(call, content, Prepared(), _save))
    receipt = await publish(call, turn)
    assert (await find(call, sought(turn))) == msgspec.structs.replace(receipt, evidence="lookup")

    new = await oauth.refresh(HERE, desk.nobody(), where, app, token)
    with pytest.raises(TokenExpired):  # the old one dies at once
        await BLUESKY.identify(desk.call(token))
    await delete(desk.call(new), receipt.id)
    assert await find(desk.call(new), sought(turn)) is None

    await oauth.revoke(HERE, desk.nobody(), where, app, new)
    with pytest.raises((Disconnected, TokenExpired)):
        await BLUESKY.identify(desk.call(new))
    with pytest.raises(Disconnected):
        await oauth.refresh(HERE, desk.nobody(), where, app, new)


async def test_a_used_refresh_token_ends_the_permission(pds: Pds, desk: Desk, anna: Someone) -> None:
    where, app, token = await permitted(pds, desk, anna)
    new = await oauth.refresh(HERE, desk.nobody(), where, app, token)
    with pytest.raises(Disconnected):
        await oauth.refresh(HERE, desk.nobody(), where, app, token)
    with pytest.raises(TokenExpired):
        await BLUESKY.identify(desk.call(new))


# Publishing


async def test_what_is_found_in_a_text_lies_where_it_is(pds: Pds, desk: Desk, anna: Someone, berta: Someone) -> None:
    text = "👨‍👩‍👧‍👦 שלום @Berta.test (https://example.org/ä_(b)) 🇩🇪 #Grüße example.org, @nobody.test mail@example.org"
    receipt = await desk.published(anna, Content(text=text))
    record = pds.records(anna)[0]
    value = record["value"]
    assert (record["uri"], record["cid"]) == (receipt.id, receipt.facts["cid"])
    said = {
        text.encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(): facet["features"][0]
        for facet in value["facets"]
    }
    kind = "app.bsky.richtext.facet"
    assert said == {
        "@Berta.test": {"$type": f"{kind}#mention", "did": berta.did},
        "https://example.org/ä_(b)": {"$type": f"{kind}#link", "uri": "https://example.org/ä_(b)"},
        "#Grüße": {"$type": f"{kind}#tag", "tag": "Grüße"},
        "example.org": {"$type": f"{kind}#link", "uri": "https://example.org"},
    }
    assert receipt.notes == ("@nobody.test was not found on Bluesky and stays plain text.",)


@pytest.mark.parametrize(("count", "kind"), [(1, "images"), (4, "images"), (5, "gallery"), (10, "gallery")])
async def test_pictures_go_out_with_their_words(count: int, kind: str, pds: Pds, desk: Desk, anna: Someone) -> None:
    alts = ["", *(f"picture {number}" for number in range(1, count))]
    content = Content(text="", media=tuple(desk.picture(alt, jpeg(320 + len(alt), 240)) for alt in alts))
    turn = await desk.turn(anna, content)
    await publish(desk.call(), turn)
    embed = pds.records(anna)[0]["value"]["embed"]
    shown = embed["images" if kind == "images" else "items"]
    assert embed["$type"] == f"app.bsky.embed.{kind}"
    assert [each["alt"] for each in shown] == alts
    assert [each["aspectRatio"] for each in shown] == [{"width": 320, "height": 240}] * count
    assert [each["image"] for each in shown] == [msgspec.json.decode(blob) for blob in turn.prepared.media]
    assert await find(desk.call(), sought(turn)) is not None


async def test_a_thread_hangs_together(pds: Pds, desk: Desk, anna: Someone) -> None:
    content = Content(text="one", thread=(Part(text="two", media=(desk.picture("b"),)), Part(text="three")))
    turn = await desk.turn(anna, content)
    first = await publish(desk.call(), turn)
    second = await publish(desk.call(), following(turn, first))
    last = following(turn, first, second)
    third = await publish(desk.call(), last)
    three, two, one = pds.records(anna)[:3]
    assert [each["value"]["text"] for each in (one, two, three)] == ["one", "two", "three"]
    assert "reply" not in one["value"]
    refs = [{"uri": each["uri"], "cid": each["cid"]} for each in (one, two)]
    assert two["value"]["reply"] == {"root": refs[0], "parent": refs[0]}
    assert three["value"]["reply"] == {"root": refs[0], "parent": refs[1]}
    assert await find(desk.call(), sought(last)) == msgspec.structs.replace(third, evidence="lookup")


async def test_a_part_of_which_only_the_address_is_known_is_continued(pds: Pds, desk: Desk, anna: Someone) -> None:
    turn = await desk.turn(anna, Content(text="one", thread=(Part(text="two"),)))
    first = await publish(desk.call(), turn)
    told = Receipt(id=first.url or "", url=first.url, evidence="person")
    await publish(desk.call(), following(turn, told))
    ref = {"uri": first.id, "cid": first.facts["cid"]}
    assert pds.records(anna)[0]["value"]["reply"] == {"root": ref, "parent": ref}


async def test_every_option_arrives(pds: Pds, desk: Desk, anna: Someone, berta: Someone) -> None:
    body = {"repo": berta.did, "collection": POST, "record": {"text": "quote me", "createdAt": "2026-01-01T00:00:00Z"}}
    quoted = pds.ask("com.atproto.repo.createRecord", body, token=pds.session(berta))
    options = {
        "languages": ["de", "pt-BR"],
        "labels": ["nudity"],
        "tags": ["beside the text"],
        "card": {"url": "https://example.org/a", "title": "A title", "description": "Some words"},
        "quote": f"https://bsky.app/profile/{berta.handle}/post/{quoted['uri'].rpartition('/')[2]}",
        "replies_from": ["mentioned", "followed", "followers"],
        "quotes_allowed": False,
    }
    content = Content(text="all of it", media=(desk.picture(),), options=options)
    turn = await desk.turn(anna, content)
    receipt = await publish(desk.call(), turn)
    value = pds.records(anna)[0]["value"]
    card = {
        "uri": "https://example.org/a",
        "title": "A title",
        "description": "Some words",
        "thumb": msgspec.json.decode(turn.prepared.media[0]),
    }
    assert value["langs"] == ["de", "pt-BR"]
    assert value["labels"] == {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "nudity"}]}
    assert value["tags"] == ["beside the text"]
    assert value["embed"] == {
        "$type": "app.bsky.embed.recordWithMedia",
        "record": {"$type": "app.bsky.embed.record", "record": {"uri": quoted["uri"], "cid": quoted["cid"]}},
        "media": {"$type": "app.bsky.embed.external", "external": card},
    }
    assert receipt.notes == ()
    gates = [pds.records(anna, collection)[0] for collection in (THREADGATE, POSTGATE)]
    assert {each["uri"].rpartition("/")[2] for each in gates} == {receipt.id.rpartition("/")[2]}
    assert {each["value"]["post"] for each in gates} == {receipt.id}
    kinds = [rule["$type"].partition("#")[2] for rule in gates[0]["value"]["allow"]]
    assert kinds == ["mentionRule", "followingRule", "followerRule"]
    assert gates[1]["value"]["embeddingRules"] == [{"$type": "app.bsky.feed.postgate#disableRule"}]


async def test_a_post_answers_another_persons_post_in_its_thread(
    pds: Pds, desk: Desk, anna: Someone, berta: Someone
) -> None:
    session, body = pds.session(berta), {"repo": berta.did, "collection": POST}
    first = pds.ask(
        "com.atproto.repo.createRecord",
        body | {"record": {"text": "first", "createdAt": "2026-01-01T00:00:00Z"}},
        token=session,
    )
    root = {"uri": first["uri"], "cid": first["cid"]}
    second = pds.ask(
        "com.atproto.repo.createRecord",
        body
        | {
            "record": {
                "text": "second",
                "createdAt": "2026-01-01T00:00:00Z",
                "reply": {"root": root, "parent": root},
            }
        },
        token=session,
    )
    parent = {"uri": second["uri"], "cid": second["cid"]}
    content = Content(text="mine", thread=(Part(text="more"),), options={"reply_to": second["uri"]})
    turn = await desk.turn(anna, content)
    mine = await publish(desk.call(), turn)
    await publish(desk.call(), following(turn, mine))
    more, answer = pds.records(anna)[:2]
    assert answer["value"]["reply"] == {"root": root, "parent": parent}
    assert more["value"]["reply"] == {"root": root, "parent": {"uri": answer["uri"], "cid": answer["cid"]}}


@pytest.mark.parametrize("owner", ["{did}", "{handle}", "nobody.test", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"])
@pytest.mark.parametrize("option", ["quote", "reply_to"])
async def test_what_is_not_there_cannot_be_referred_to(option: str, owner: str, desk: Desk, anna: Someone) -> None:
    named = owner.format(did=anna.did, handle=anna.handle)
    content = Content(text="look", options={option: f"https://bsky.app/profile/{named}/post/{tid('none', now())}"})
    with pytest.raises(Rejected) as refused:
        await prepare(desk.call(), content, Prepared(), _save)
    assert refused.value.facts["code"] == "gone"


# Limits


@pytest.mark.parametrize("piece", [*TEXTS.values(), "क्षि", "நி", "각", "\r\n", "Z͑ͫ̓ͪ̂"], ids=[*TEXTS, *"abcde"])
async def test_we_count_as_it_does(piece: str, pds: Pds, desk: Desk, anna: Someone) -> None:
    for beyond in (0, 1):
        content = Content(text=filled(piece, BLUESKY.limits, beyond))
        if beyond:
            with pytest.raises(Rejected) as refused:
                await desk.published(anna, content)
            assert "$.record.text" in refused.value.sentence
            assert "Change the post" in refused.value.sentence
        else:
            receipt = await desk.published(anna, content)
            assert pds.records(anna)[0]["uri"] == receipt.id


async def test_pictures_may_be_as_big_as_we_say(desk: Desk, anna: Someone) -> None:
    whole = jpeg(320, 240)
    fits = whole + bytes(BLUESKY.limits.image_bytes - len(whole))
    await desk.published(anna, Content(text="a", media=(desk.picture(body=fits),)))
    for size in (2_000_001, 6_000_000):  # more than a post's picture, more than any file
        with pytest.raises(Rejected) as refused:
            await desk.published(anna, Content(text="a", media=(desk.picture(body=whole + bytes(size - len(whole))),)))
        assert refused.value.sentence.endswith(".")


async def test_what_is_no_picture_is_refused(desk: Desk) -> None:
    content = Content(text="a", media=(desk.picture(body=b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"),))
    with pytest.raises(Rejected) as refused:
        await prepare(desk.call(), content, Prepared(), _save)
    assert refused.value.facts["code"] == "bad-file"


# Once


async def test_the_same_turn_is_public_once(pds: Pds, desk: Desk, anna: Someone) -> None:
    turn = await desk.turn(anna, Content(text="once", options={"replies_from": []}))
    first = await publish(desk.call(), turn)
    before = len(pds.records(anna))
    assert await publish(desk.call(), turn) == first
    assert len(pds.records(anna)) == before
    assert pds.records(anna, THREADGATE)[0]["value"]["allow"] == []


async def test_what_lies_there_already_is_never_overwritten(pds: Pds, desk: Desk, anna: Someone) -> None:
    turn = await desk.turn(anna, Content(text="mine"))
    other = {"text": "another", "createdAt": "2026-01-01T00:00:00.000Z"}
    place = {"repo": anna.did, "collection": POST, "rkey": tid(turn.key, turn.first_sent_at)}
    pds.ask(PUT.removeprefix("/xrpc/"), place | {"record": {"$type": POST} | other}, token=pds.session(anna))
    with pytest.raises(Rejected) as refused:
        await publish(desk.call(), turn)
    assert refused.value.facts["code"] == "not-ours"
    assert await find(desk.call(), sought(turn)) is None
    assert pds.records(anna)[0]["value"]["text"] == "another"


async def test_a_file_that_was_swept_is_uploaded_again(desk: Desk, anna: Someone) -> None:
    content = Content(text="a", media=(desk.picture(body=jpeg(321, 123)),))
    turn = await desk.turn(anna, content)
    blob = msgspec.json.decode(turn.prepared.media[0])
    blob["ref"]["$link"] = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    swept = msgspec.structs.replace(turn, prepared=Prepared(media=(msgspec.json.encode(blob).decode(),)))
    with pytest.raises(PreparationLost):
        await publish(desk.call(), swept)
    await publish(desk.call(), turn)


@pytest.mark.parametrize("by", ["an app password", "OAuth"])
async def test_a_permission_lets_the_video_service_hand_over_what_is_then_posted(
    by: str, pds: Pds, desk: Desk, anna: Someone
) -> None:
    """There is no video service for this machine: what it does with our permission is done here in its place."""
    token = (await permitted(pds, desk, anna))[2] if by == "OAuth" else desk.token
    call = desk.call(token)
    home = pds.ask("com.atproto.server.describeServer")["did"]
    film = films.of_size(5_000)

    permission = await videos.permission(call, home, videos.HAND_ON)
    for refused in (await videos.permission(call, videos.AUDIENCE, videos.HAND_ON), "nonsense"):
        with pytest.raises(urllib.error.HTTPError):
            pds.upload(film, "video/mp4", token=refused)
    blob = pds.upload(film, "video/mp4", token=permission)

    item = msgspec.structs.replace(desk.picture("it runs", film), mime="video/mp4")
    turn = await desk.turn(anna, Content(text="", media=(item,)), Prepared(media=(json.dumps(blob),)))
    receipt = await publish(call, turn)
    record = pds.records(anna)[0]
    assert record["uri"] == receipt.id
    assert (record["value"]["embed"]["video"], record["value"]["embed"]["alt"]) == (blob, "it runs")


@asynccontextmanager
async def losing_answers(pds: Pds, *, before: bool) -> AsyncIterator[str]:
    """A way to the server on which every answer is lost: `before` the request arrives, or after its effect."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        if not before:
            answers, asking = await asyncio.open_connection("127.0.0.1", urlsplit(pds.url).port)
            asking.write(head + body)
            await answers.read(1)
            asking.close()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_a_lost_answer_is_settled_by_a_look(before: bool, pds: Pds, desk: Desk, anna: Someone) -> None:
    content = Content(text="lost", media=(desk.picture("a"),), options={"quotes_allowed": False})
    turn = await desk.turn(anna, content)
    there = len(pds.records(anna))
    async with losing_answers(pds, before=before) as origin, desk_at(origin) as lossy:
        call = lossy.call(desk.token)
        with pytest.raises(OutcomeUnknown):
            await publish(call, turn)
        assert call.written
    found = await find(desk.call(), sought(turn))
    assert (found is None) == before
    receipt = found or await publish(desk.call(), turn)
    assert len(pds.records(anna)) == there + 1
    assert pds.records(anna)[0]["uri"] == receipt.id
    assert pds.records(anna, POSTGATE)[0]["value"]["post"] == receipt.id
    assert (await publish(desk.call(), turn)).id == receipt.id
    assert len(pds.records(anna)) == there + 1


async def test_a_post_is_deleted_and_deleting_again_does_no_harm(pds: Pds, desk: Desk, anna: Someone) -> None:
    turn = await desk.turn(anna, HELLO)
    receipt = await publish(desk.call(), turn)
    await delete(desk.call(), receipt.id)
    await delete(desk.call(), receipt.id)
    assert await find(desk.call(), sought(turn)) is None
    assert receipt.id not in {each["uri"] for each in pds.records(anna)}
