"""What a post refers to: accounts by their handles, other posts by their addresses. Sheet: Facets; Reply; Link card."""

import re
from typing import Any
from urllib.parse import unquote

import msgspec

from social.errors import Rejected
from social.platforms.bluesky.records import POST, Did, Record, Ref, Reply
from social.platforms.calls import Call

# The sheet has one way to say "no such record"; the reference server has a second for repositories that it lacks.
NO_RECORD = ((400, "RecordNotFound"), (400, "Could not locate record"), (404, None))
# It names no words for a handle that leads nowhere; these are the reference server's (0.5), and its validator's.
NO_HANDLE = ((400, "HandleNotFound"), (400, "Unable to resolve"), (400, "InvalidRequest"), (404, None))

_AT = re.compile(rf"at://([^/\s]+)/{re.escape(POST)}/([a-zA-Z0-9._~:-]{{1,512}})")
_PAGE = re.compile(
    r"https?://(?:(?:www\.)?bsky\.app|[^/\s]+/bluesky)"  # the latter in the sandbox, which has pages of its own
    r"/profile/([^/?#\s]+)/post/([a-zA-Z0-9._~:-]{1,512})/?(?:[?#].*)?"
)


class Resolved(msgspec.Struct, frozen=True):
    """Whom a handle means."""

    did: Did


def post_named(address: str) -> tuple[str, str] | None:
    """Whose post and which, by its at:// address or its page at Bluesky: (DID or handle, record key). None: neither."""
    match = _AT.fullmatch(address.strip()) or _PAGE.fullmatch(address.strip())
    return (unquote(match[1]).removeprefix("@"), match[2]) if match else None


async def did_of(call: Call, handle: str) -> str | None:
    """The account that `handle` means; None if there is none."""
    path = "/xrpc/com.atproto.identity.resolveHandle"
    resolved = await call.get_or_none(path, Resolved, params={"handle": handle.lower()}, gone=NO_HANDLE)
    return resolved.did if resolved else None


async def record(call: Call, repo: str, rkey: str) -> Record | None:
    """The post that lies there; None if none does. The account's own server knows at once."""
    params = {"repo": repo, "collection": POST, "rkey": rkey}
    return await call.get_or_none("/xrpc/com.atproto.repo.getRecord", Record, params=params, gone=NO_RECORD)


async def post_at(call: Call, address: str) -> Record:
    """The post that `address` names. Rejected if there is none."""
    named = post_named(address)
    if named is None:
        raise Rejected(f"This is not the address of a post on Bluesky: {address}", code="no-address")
    owner, rkey = named
    did = owner if owner.startswith("did:") else await did_of(call, owner)
    there = await record(call, did, rkey) if did else None
    if there is None:
        raise Rejected(f"There is no post at {address} (any more). Take it out or name another one.", code="gone")
    return there


async def reply_to(call: Call, address: str) -> Reply:
    """What an answer to the post at `address` refers to. Rejected if there is none."""
    parent = await post_at(call, address)
    return Reply(root=_root(parent.value) or parent.ref, parent=parent.ref)


def _root(value: dict[str, Any]) -> Ref | None:
    """What began the thread that a post is in; None if it began it itself."""
    try:
        return msgspec.convert(value["reply"]["root"], Ref)
    except (KeyError, TypeError, msgspec.ValidationError):
        return None
