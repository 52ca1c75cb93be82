"""Making posts public: under a record key of our own, so that a lost answer is settled by a look. Sheet: Publishing."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from social.errors import OutcomeUnknown, PlatformError, PreparationLost, Rejected, TokenExpired
from social.moments import rfc3339
from social.platforms.bluesky import records, references, videos
from social.platforms.bluesky.facets import facets, handles
from social.platforms.bluesky.options import BlueskyOptions
from social.platforms.bluesky.pages import post_page
from social.platforms.bluesky.records import (
    POST,
    POSTGATE,
    THREADGATE,
    Blob,
    Cid,
    Gate,
    Post,
    Put,
    Record,
    Ref,
    Reply,
    Uri,
)
from social.platforms.bluesky.tids import tid
from social.platforms.bluesky.videos import Job
from social.platforms.calls import Call, Empty, Upload
from social.platforms.contract import Content, Evidence, MediaItem, Prepared, Receipt, Save, Sought, Turn

PUT = "/xrpc/com.atproto.repo.putRecord"
TAKEN = "place-taken"  # the code of the answer that something lies where a post should
SHORTLY = 0.25  # of the usual patience, for what comes after the post is public


class Uploaded(msgspec.Struct, frozen=True):
    """A file that the server has."""

    blob: Blob


class Written(msgspec.Struct, frozen=True):
    """A record that was written, or was there to the letter already."""

    uri: Uri
    cid: Cid


def prepares(content: Content) -> bool:
    """Whether anything is to be uploaded or looked up."""
    options = _options(content)
    return bool(content.files or options.quote or options.reply_to or _handles(content))


async def prepare(call: Call, content: Content, prepared: Prepared, save: Save) -> Prepared:
    """Looks up whom and what the post refers to, then uploads its files, saving after each.

    What a handle or an address means is frozen here, so that every attempt sends the same record.
    """
    async for name, fact in _looked_up(call, content, prepared.facts):
        prepared = msgspec.structs.replace(prepared, facts={**prepared.facts, name: fact})
        await save(prepared)
    for item in content.files[len(prepared.media) :]:
        made = await (videos.handed_in(call, item) if item.video else _uploaded(call, item))
        prepared = msgspec.structs.replace(prepared, media=(*prepared.media, msgspec.json.encode(made).decode()))
        await save(prepared)
    return prepared


async def ready(call: Call, prepared: Prepared) -> Prepared | None:
    """`prepared` with a blob in the place of every video that was worked on. Rejected or PreparationLost if one fails.

    A picture can be used as soon as the server has taken it.
    """
    blobs = []
    for kept in prepared.media:
        made = _kept(kept)
        blob = await videos.finished(call, made) if isinstance(made, Job) else made
        if blob is None:
            return None
        blobs.append(msgspec.json.encode(blob).decode())
    return msgspec.structs.replace(prepared, media=tuple(blobs))


async def publish(call: Call, turn: Turn) -> Receipt:
    """Makes a part public, where nothing is yet."""
    place = _Place.of(turn)
    post = await _post(call, turn)
    put = Put(repo=place.repo, collection=POST, rkey=place.rkey, record=post, swapRecord=None)
    try:
        written = await call.post(PUT, Written, commits=True, json=put)
    except OutcomeUnknown as unknown:
        if unknown.facts.get("code") != TAKEN:
            raise
        there = await _taken_by(call, place, unknown)
        if not _same(there, post):
            raise Rejected(
                "Something else lies where this post should be, or it was changed there. Plan the post again.",
                code="not-ours",
                status=unknown.facts.get("status"),
            ) from unknown
        return await _receipt(call, turn, there.cid)
    return await _receipt(call, turn, written.cid)


async def find(call: Call, sought: Sought) -> Receipt | None:
    """Our post, or None if it is not there: what its own server says of a record key is final and immediate."""
    place = _Place.of(sought)
    there = await references.record(call, place.repo, place.rkey)
    if there is None or not _same(there, await _post(call, sought)):
        return None
    return await _receipt(call, sought, there.cid, evidence="lookup")


async def delete(call: Call, id: str) -> None:
    """Takes a post away. One that is gone already is no error: the server says the same either way."""
    named = references.post_named(id)
    if named is None:
        raise Rejected("This is not the address of a post on Bluesky. Delete it there.", code="no-address")
    repo, rkey = named
    body = {"repo": repo, "collection": POST, "rkey": rkey}
    await call.post("/xrpc/com.atproto.repo.deleteRecord", Empty, json=body)


@dataclass(frozen=True)
class _Place:
    """Where a part will lie: in whose repository, under which key. Known before it is there."""

    repo: str
    rkey: str

    @classmethod
    def of(cls, turn: Turn) -> "_Place":
        return cls(turn.remote_account, tid(turn.key, turn.first_sent_at))

    @property
    def uri(self) -> str:
        return f"at://{self.repo}/{POST}/{self.rkey}"


async def _looked_up(call: Call, content: Content, known: dict[str, Any]) -> AsyncIterator[tuple[str, Any]]:
    """What is not known yet of what the post refers to, as names and facts."""
    options = _options(content)
    if _handles(content) and "mentions" not in known:  # pairs: a handle has dots, and no key may in the database
        yield "mentions", [[handle, await references.did_of(call, handle) or ""] for handle in _handles(content)]
    if options.quote and "quote" not in known:
        yield "quote", msgspec.to_builtins((await references.post_at(call, options.quote)).ref)
    if options.reply_to and "reply" not in known:
        yield "reply", msgspec.to_builtins(await references.reply_to(call, options.reply_to))


async def _post(call: Call, turn: Turn) -> Post:
    """The record, the same on every attempt."""
    options = _options(turn.content)
    if not _is_prepared(turn, options):
        raise PreparationLost("What this post needs was not prepared. It is prepared again.", code="not-prepared")
    quoted = msgspec.convert(turn.prepared.facts["quote"], Ref) if options.quote else None
    return Post(
        text=turn.text,
        createdAt=rfc3339(turn.first_sent_at),
        langs=options.languages or UNSET,
        facets=facets(turn.text, _dids(turn)) or UNSET,
        reply=await _answered(call, turn, options),
        embed=records.embed(turn, options, quoted),
        labels=records.warnings(options.labels) or UNSET,
        tags=options.tags if options.tags and turn.part == 0 else UNSET,
    )


async def _uploaded(call: Call, item: MediaItem) -> Blob:
    file = Upload(key=item.key, mime=item.mime, size=item.bytes)
    uploaded = await call.post("/xrpc/com.atproto.repo.uploadBlob", Uploaded, file=file, to="media")
    if not uploaded.blob.mimeType.startswith("image/"):  # it looks at the bytes, and would refuse the post
        words = "The server cannot do anything with one of the pictures. Replace it and plan the post again."
        raise Rejected(words, code="bad-file", said=uploaded.blob.mimeType)
    return uploaded.blob


def _is_prepared(turn: Turn, options: BlueskyOptions) -> bool:
    needed = {"quote": options.quote, "reply": options.reply_to}
    known = all(name in turn.prepared.facts for name, wanted in needed.items() if wanted)
    finished = not any(isinstance(_kept(each), Job) for each in turn.media_ids)
    return known and finished and len(turn.media_ids) == len(turn.media)


def _kept(media_id: str) -> Blob | Job:
    return msgspec.json.decode(media_id, type=Blob | Job)


async def _answered(call: Call, turn: Turn, options: BlueskyOptions) -> Reply | UnsetType:
    beginning = msgspec.convert(turn.prepared.facts["reply"], Reply) if options.reply_to else None
    if not turn.before:
        return beginning or UNSET
    root = beginning.root if beginning else await _ref(call, turn.before[0])
    return Reply(root=root, parent=await _ref(call, turn.before[-1]))


async def _ref(call: Call, receipt: Receipt) -> Ref:
    """A part that is online. Asked for if somebody merely told us that it is."""
    cid = receipt.facts.get("cid")
    return Ref(uri=receipt.id, cid=cid) if cid else (await references.post_at(call, receipt.id)).ref


async def _taken_by(call: Call, place: _Place, unknown: OutcomeUnknown) -> Record:
    """What lies where we wanted to write. Whatever keeps us from seeing it leaves the question open."""
    try:
        there = await references.record(call, place.repo, place.rkey)
    except PlatformError:
        raise unknown from None
    if there is None:
        raise unknown
    return there


def _same(there: Record, post: Post) -> bool:
    """Whether a record says what ours does, to the letter."""
    says: object = msgspec.json.decode(msgspec.json.encode(post))
    return there.value == says


async def _receipt(call: Call, turn: Turn, cid: str, *, evidence: Evidence = "reply") -> Receipt:
    """Proof of a part that is public, once all that belongs to it was tried.

    A look needs no token, but the gates do. There, TokenExpired asks for the look again with a new one.
    """
    place = _Place.of(turn)
    unknown = [handle for handle, did in _dids(turn).items() if not did and handle in handles(turn.text)]
    notes = [f"@{handle} was not found on Bluesky and stays plain text." for handle in unknown]
    for collection, gate, sentence in _gates(turn, place):
        try:
            put = Put(repo=place.repo, collection=collection, rkey=place.rkey, record=gate)
            await call.post(PUT, Written, json=put, patience=call.patience * SHORTLY)
        except PlatformError as error:
            if evidence == "lookup" and isinstance(error, TokenExpired):
                raise
            notes.append(f"{sentence} Set it at Bluesky. ({error.sentence})")
    page = post_page(call, place.repo, place.rkey)
    return Receipt(id=place.uri, url=page, evidence=evidence, notes=tuple(notes), facts={"cid": cid})


def _gates(turn: Turn, place: _Place) -> Iterator[tuple[str, Gate, str]]:
    """What must be written beside a post, and what to say where that fails. Written again, it is the same."""
    options = _options(turn.content)
    if turn.part == 0 and options.replies_from is not None and not options.reply_to:
        gate = records.threadgate(turn, place.uri, options.replies_from)
        yield THREADGATE, gate, "It is online, but everybody may reply."
    if not options.quotes_allowed:
        yield POSTGATE, records.postgate(turn, place.uri), "It is online, but everybody may quote it."


def _handles(content: Content) -> tuple[str, ...]:
    return tuple(dict.fromkeys(handle for part in content.parts for handle in handles(part.text)))


def _dids(turn: Turn) -> dict[str, str]:
    return dict(turn.prepared.facts.get("mentions", ()))


def _options(content: Content) -> BlueskyOptions:
    return msgspec.convert(content.options, BlueskyOptions)
