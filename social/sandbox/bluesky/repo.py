"""Records written, read and deleted. Sheet: Publishing, Idempotency, After a crash, Deleting."""

import asyncio
import re
from typing import NamedTuple

import msgspec
from litestar import Response

from social.sandbox.bluesky import cids, schemas
from social.sandbox.bluesky.auth import Caller, caller
from social.sandbox.bluesky.call import Call, field, optional, reply
from social.sandbox.bluesky.errors import Refused, invalid_request
from social.sandbox.bluesky.lexicon import Invalid, blobs_in
from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.quotas import CREATE, DELETE, UPDATE, WRITES
from social.sandbox.bluesky.records import Account, Json, Record, Version
from social.sandbox.bluesky.scopes import lacking_for_record
from social.sandbox.bluesky.tids import is_tid
from social.sandbox.clock import now_ms
from social.sandbox.connection import line_of

_NSID = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(?:\.[a-zA-Z0-9-]+)+\.[a-zA-Z][a-zA-Z0-9]*")
_RKEY = re.compile(r"[A-Za-z0-9._:~-]{1,512}")
MOST_AT_ONCE = 200
POINTS = {"create": CREATE, "update": UPDATE, "delete": DELETE}


class Write(NamedTuple):
    """What becomes of one record; `value` None deletes it. `checked`: found to fit its schema."""

    collection: str
    rkey: str
    value: Json | None
    cid: str = ""
    blobs: tuple[str, ...] = ()
    checked: bool = False

    @property
    def status(self) -> Json:
        return {"validationStatus": "valid" if self.checked else "unknown"}


async def create_record(call: Call) -> Response[bytes]:
    """A key in use is a 500, whatever the body says."""
    who, body = await _writer(call, "create")
    write = _write(call.pds, who.account, body, optional(body, "rkey") or call.pds.tids.next())
    await _work(call.pds)
    pds = call.pds
    with pds.archive.transaction():
        account = _unswapped(pds, who.account, body)
        if pds.archive.record(account.did, write.collection, write.rkey) is not None:
            if pds.oddities.repeat_answers == "400":
                raise invalid_request("Record already exists")
            raise Refused(500, "InternalServerError")
        record = _stored(pds, account, write, None, call, who)
        commit = _committed(pds, account)
    return reply({"uri": record.uri, "cid": record.cid, "commit": commit, **write.status})


async def put_record(call: Call) -> Response[bytes]:
    """The same body again changes nothing and says so by having no `commit`; another one edits."""
    who, body = await _writer(call, "create", "update")
    write = _write(call.pds, who.account, body, field(body, "rkey"))
    await _work(call.pds)
    pds = call.pds
    with pds.archive.transaction():
        account = _unswapped(pds, who.account, body)
        present = pds.archive.record(account.did, write.collection, write.rkey)
        _match_record(body, present)
        if present is not None and present.cid == write.cid:
            return reply({"uri": present.uri, "cid": present.cid, **write.status})
        record = _stored(pds, account, write, present, call, who)
        commit = _committed(pds, account)
    return reply({"uri": record.uri, "cid": record.cid, "commit": commit, **write.status})


async def delete_record(call: Call) -> Response[bytes]:
    """What is not there is deleted all the same, without a commit."""
    who, body = await _writer(call, "delete")
    place = (field(body, "collection"), field(body, "rkey"))
    pds = call.pds
    with pds.archive.transaction():
        account = _unswapped(pds, who.account, body)
        present = pds.archive.record(account.did, *place)
        _match_record(body, present)
        if present is None:
            return reply({})
        present.deleted_ms = now_ms()
        pds.archive.delete_record(present)
        commit = _committed(pds, account)
    return reply({"commit": commit})


async def apply_writes(call: Call) -> Response[bytes]:
    """Several writes, all of them or none."""
    who = caller(call)
    body = await call.body()
    who.need_own(field(body, "repo"))
    asked: list[Json] = field(body, "writes", list)
    if len(asked) > MOST_AT_ONCE:
        raise invalid_request(f"Too many writes. Max: {MOST_AT_ONCE}")
    kinds = [_kind_of(one) for one in asked]
    for kind, one in zip(kinds, asked, strict=True):
        who.need(_lacking(who, field(one, "collection"), kind))
    call.spend(WRITES, who.account.did, sum(POINTS[kind] for kind in kinds))
    pds = call.pds
    writes = [_write_of(pds, who.account, kind, one, body) for kind, one in zip(kinds, asked, strict=True)]
    await _work(pds)
    with pds.archive.transaction():
        account = _unswapped(pds, who.account, body)
        results = [_apply(kind, write, account, call, who) for kind, write in zip(kinds, writes, strict=True)]
        commit = _committed(pds, account)
    return reply({"commit": commit, "results": results})


async def get_record(call: Call) -> Response[bytes]:
    """Anybody may look; what is not there is 400."""
    account = call.pds.account_named(call.needed("repo"))
    collection, rkey, cid = call.needed("collection"), call.needed("rkey"), call.text("cid")
    record = call.pds.archive.record(account.did, collection, rkey)
    if record is None or cid not in (None, record.cid):
        raise Refused(400, "RecordNotFound", f"Could not locate record: at://{account.did}/{collection}/{rkey}")
    return reply({"uri": record.uri, "cid": record.cid, "value": record.value})


async def list_records(call: Call) -> Response[bytes]:
    account = call.pds.account_named(call.needed("repo"))
    found = call.pds.archive.records(
        account.did,
        call.needed("collection"),
        cursor=call.text("cursor"),
        limit=call.number("limit", 50, 1, 100),
        rising=call.flag("reverse"),
    )
    records = [{"uri": record.uri, "cid": record.cid, "value": record.value} for record in found]
    return reply({"records": records, **({"cursor": found[-1].rkey} if found else {})})


async def describe_repo(call: Call) -> Response[bytes]:
    account = call.pds.account_named(call.needed("repo"))
    return reply(
        {
            "handle": account.handle,
            "did": account.did,
            "didDoc": call.pds.did_document(account),
            "collections": call.pds.archive.collections(account.did),
            "handleIsCorrect": True,
        }
    )


async def resolve_handle(call: Call) -> Response[bytes]:
    handle = call.needed("handle")
    account = call.pds.archive.account_named(handle)
    if account is None or account.handle != handle.lower():
        raise invalid_request("Unable to resolve handle")
    return reply({"did": account.did})


async def _writer(call: Call, *actions: str) -> tuple[Caller, Json]:
    """Who writes what. A put costs what an update costs. Raises Refused."""
    who = caller(call)
    body = await call.body()
    who.need_own(field(body, "repo"))
    who.need(_lacking(who, field(body, "collection"), *actions))
    call.spend(WRITES, who.account.did, POINTS[actions[-1]])
    return who, body


def _lacking(who: Caller, collection: str, *actions: str) -> str | None:
    return None if who.scopes is None else lacking_for_record(who.scopes, collection, *actions)


async def _work(pds: Pds) -> None:
    if pds.oddities.working:
        await asyncio.sleep(pds.oddities.working)


def _write(pds: Pds, account: Account, body: Json, rkey: str, validate: bool | None = None) -> Write:
    """The record of a request, checked. Raises Refused 400."""
    collection, value = field(body, "collection"), field(body, "record", dict)
    validate = optional(body, "validate", bool) if validate is None else validate
    if not _NSID.fullmatch(collection):
        raise invalid_request("Error: Input/collection must be a valid nsid")
    if not _RKEY.fullmatch(rkey) or rkey in (".", ".."):
        raise invalid_request("Error: Input/rkey must be a valid record key")
    value = {"$type": collection, **value}
    if value["$type"] != collection:
        raise invalid_request(f"Invalid $type: expected {collection}, got {value['$type']}")
    checked = validate is not False and _is_valid(pds, collection, value, must_know=validate is True)
    if collection in schemas.TID_KEYED and validate is not False and not is_tid(rkey):
        raise invalid_request(f'Invalid TID string (got "{rkey}")')
    try:
        cid = cids.of_record(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise invalid_request(f"Invalid record: {error}") from None
    return Write(collection, rkey, value, cid, _held_blobs(pds, account, value), checked)


def _is_valid(pds: Pds, collection: str, value: Json, *, must_know: bool) -> bool:
    """False where this host has no schema for it. Raises Refused 400."""
    oddities = pds.oddities
    known = schemas.schemas(oddities.image_limit, oddities.video_limit, galleries=oddities.is_new)
    check = known.get(collection)
    if check is None:
        if must_know:
            raise invalid_request(f"Unvalidated lexicon: lex:{collection}")
        return False
    try:
        check(value, "$.record")
    except Invalid as wrong:
        if not oddities.is_new and "blob too big" in str(wrong):
            raise Refused(400, "BlobTooLarge", _too_large_before(value, oddities.image_limit)) from None
        raise invalid_request(f"Invalid {collection} record: {wrong}") from None
    return True


def _too_large_before(value: Json, limit: int) -> str:
    """In the words of hosts before 2026."""
    largest = max(blob["size"] for blob in blobs_in(value))
    return f"This file is too large. It is {largest / 1024:.2f}KB but the maximum size is {limit / 1024:.2f}KB."


def _held_blobs(pds: Pds, account: Account, value: Json) -> tuple[str, ...]:
    """The CIDs of a record's blobs, all of them here. Raises Refused 400."""
    found = []
    for given in blobs_in(value):
        cid = given["ref"]["$link"]
        stored = pds.blob(account.did, cid)
        if stored is None:
            raise Refused(400, "BlobNotFound", f"Could not find blob: {cid}")
        if stored.mime != given["mimeType"]:
            words = f"Referenced Mimetype does not match stored blob. Expected: {stored.mime}, Got: {given['mimeType']}"
            raise Refused(400, "InvalidMimeType", words)
        if stored.size != given["size"]:
            words = f"Referenced Size does not match stored blob. Expected: {stored.size}, Got: {given['size']}"
            raise Refused(400, "InvalidSize", words)
        found.append(cid)
    return tuple(found)


def _unswapped(pds: Pds, account: Account, body: Json) -> Account:
    """The account as it is now. Raises Refused 400 where `swapCommit` is not its latest commit."""
    present = pds.archive.account(account.did)
    assert present is not None
    expected = optional(body, "swapCommit")
    if expected is not None and expected != present.head:
        raise Refused(400, "InvalidSwap", f"Commit was at {present.head}")
    return present


def _match_record(body: Json, present: Record | None) -> None:
    """`swapRecord`: a CID that must be there, or null for nothing. Raises Refused 400."""
    if "swapRecord" not in body:
        return
    expected = optional(body, "swapRecord")
    actual = present.cid if present else None
    if expected != actual:
        raise Refused(400, "InvalidSwap", f"Record was at {actual or 'null'}")


def _stored(pds: Pds, account: Account, write: Write, present: Record | None, call: Call, who: Caller) -> Record:
    assert write.value is not None
    now = now_ms()
    if present is None:
        record = Record(
            id=pds.archive.next_id(),
            did=account.did,
            collection=write.collection,
            rkey=write.rkey,
            cid=write.cid,
            value=write.value,
            application=who.application,
            arrived_ms=line_of(call.request.scope).arrived_ms,
            created_ms=now,
        )
    else:
        earlier = Version(cid=present.cid, value=present.value)
        record = msgspec.structs.replace(present, cid=write.cid, value=write.value, edited_ms=now, earlier=earlier)
    pds.archive.save_record(record, subject=_subject(write.value), quoted=quoted(write.value), blobs=write.blobs)
    return record


def _committed(pds: Pds, account: Account) -> Json:
    account.rev = pds.tids.next()
    account.head = cids.of_record({"did": account.did, "rev": account.rev, "version": 3, "prev": account.head})
    pds.archive.save_account(account)
    return {"cid": account.head, "rev": account.rev}


def _subject(value: Json) -> str | None:
    return inner(value, "reply", "parent", "uri") or inner(value, "subject", "uri")


def quoted(value: Json) -> str | None:
    """The URI of the record that a post quotes."""
    return inner(value, "embed", "record", "uri") or inner(value, "embed", "record", "record", "uri")


def inner(value: object, *names: str) -> str | None:
    """A string at the end of a path through objects."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


def _kind_of(write: object) -> str:
    kind = inner(write, "$type") or ""
    name = kind.removeprefix("com.atproto.repo.applyWrites#")
    if name not in POINTS:
        raise invalid_request(f"Action not supported: {kind}")
    return name


def _write_of(pds: Pds, account: Account, kind: str, one: Json, body: Json) -> Write:
    if kind == "delete":
        return Write(field(one, "collection"), field(one, "rkey"), None)
    rkey = (optional(one, "rkey") or pds.tids.next()) if kind == "create" else field(one, "rkey")
    return _write(pds, account, {**one, "record": one.get("value")}, rkey, optional(body, "validate", bool))


def _apply(kind: str, write: Write, account: Account, call: Call, who: Caller) -> Json:
    pds = call.pds
    present = pds.archive.record(account.did, write.collection, write.rkey)
    if kind == "create" and present is not None:
        raise Refused(500, "InternalServerError")
    if kind != "create" and present is None:
        raise Refused(500, "InternalServerError")
    result: Json = {"$type": f"com.atproto.repo.applyWrites#{kind}Result"}
    if present is not None and kind == "delete":
        present.deleted_ms = now_ms()
        pds.archive.delete_record(present)
        return result
    record = _stored(pds, account, write, present, call, who)
    return {**result, "uri": record.uri, "cid": record.cid, **write.status}


QUERIES = {
    "com.atproto.repo.getRecord": get_record,
    "com.atproto.repo.listRecords": list_records,
    "com.atproto.repo.describeRepo": describe_repo,
    "com.atproto.identity.resolveHandle": resolve_handle,
}
PROCEDURES = {
    "com.atproto.repo.createRecord": create_record,
    "com.atproto.repo.putRecord": put_record,
    "com.atproto.repo.deleteRecord": delete_record,
    "com.atproto.repo.applyWrites": apply_writes,
}
