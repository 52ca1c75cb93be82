"""A PDS as the product uses it: records under keys that the writer chooses, each place taken once; blobs."""

import hashlib

import msgspec
from msgspec import UNSET, UnsetType

from tests.bench.sink.arrivals import Arrivals
from tests.bench.sink.wire import Request, answer

PREFIX = "/bluesky"
PUT = "/bluesky/xrpc/com.atproto.repo.putRecord"
GET = "/bluesky/xrpc/com.atproto.repo.getRecord"
UPLOAD = "/bluesky/xrpc/com.atproto.repo.uploadBlob"
NO_RECORD = answer(400, {"error": "RecordNotFound", "message": "Could not locate record"})
NOT_FOUND = answer(404, {"error": "MethodNotImplemented", "message": "There is nothing here."})


class Said(msgspec.Struct):
    """What a bench needs to know of a record."""

    text: str = ""


class Sent(msgspec.Struct):
    """A record as it is sent. With `swapRecord` None its place must be free."""

    repo: str
    collection: str
    rkey: str
    record: msgspec.Raw
    swapRecord: str | UnsetType | None = UNSET


class Bluesky:
    """One server with every account's repository."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._sent = msgspec.json.Decoder(Sent)
        self._said = msgspec.json.Decoder(Said)
        self._records: dict[tuple[str, str, str], tuple[str, msgspec.Raw]] = {}

    def answer(self, request: Request) -> bytes:
        """What the server answers."""
        if request.path == PUT:
            return self._put(request)
        if request.path == GET:
            return self._shown(request.asked)
        if request.path == UPLOAD:
            blob = {"$type": "blob", "ref": {"$link": _cid(request.body)}, "mimeType": "image/jpeg"}
            return answer(200, {"blob": blob | {"size": len(request.body)}})
        self._arrivals.unknown += 1
        return NOT_FOUND

    def _put(self, request: Request) -> bytes:
        sent = self._sent.decode(request.body)
        place = (sent.repo, sent.collection, sent.rkey)
        there = self._records.get(place)
        if there is not None and sent.swapRecord != there[0] and sent.swapRecord is not UNSET:
            self._arrivals.repeats += 1
            return answer(400, {"error": "InvalidSwap", "message": f"Record was at {there[0]}"})
        cid, record = _cid(bytes(sent.record)), sent.record.copy()
        self._records[place] = cid, record
        if there is None:
            self._arrivals.note(self._said.decode(record).text, request.at)
        else:
            self._arrivals.repeats += 1
        status = {"validationStatus": "valid", "commit": {"cid": cid, "rev": sent.rkey}}
        return answer(200, {"uri": _uri(place), "cid": cid, **status})

    def _shown(self, asked: dict[str, str]) -> bytes:
        place = (asked.get("repo", ""), asked.get("collection", ""), asked.get("rkey", ""))
        if place not in self._records:
            return NO_RECORD
        cid, record = self._records[place]
        return answer(200, {"uri": _uri(place), "cid": cid, "value": record})


def _uri(place: tuple[str, str, str]) -> str:
    return "at://" + "/".join(place)


def _cid(content: bytes) -> str:
    return "bafyrei" + hashlib.sha1(content, usedforsecurity=False).hexdigest()
