"""Files on their way into a record. Sheet: Images, Ahead of time, Limits."""

import time
from collections.abc import Callable
from typing import Any

import libipld
import pytest
import requests

from tests.sandbox.bluesky import Xrpc, tid
from tests.sandbox.conftest import MP4, picture, png
from tests.servers.sandbox import Sandbox


def embed(*blobs: dict[str, Any]) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": "teal"} for blob in blobs]}


def test_the_same_bytes_are_the_same_blob(bluesky: Xrpc) -> None:
    first, again, other = bluesky.blob(png()), bluesky.blob(png()), bluesky.blob(png(colour="red"))

    assert first == again
    assert first["$type"] == "blob"
    assert first["size"] == len(png())
    assert other["ref"] != first["ref"]
    assert libipld.decode_cid(first["ref"]["$link"])["codec"] == 0x55


@pytest.mark.parametrize(
    ("data", "said", "mime"),
    [
        (png(), "image/jpeg", "image/png"),
        (png(), "*/*", "image/png"),
        (picture("WEBP"), "application/octet-stream", "image/webp"),
        (MP4, "image/png", "video/mp4"),
        (b"WEBVTT\n", "text/vtt", "text/vtt"),
    ],
)
def test_what_it_is_decides_over_what_it_is_said_to_be(bluesky: Xrpc, data: bytes, said: str, mime: str) -> None:
    assert bluesky.blob(data, said)["mimeType"] == mime


def test_a_type_must_be_said(bluesky: Xrpc) -> None:
    assert bluesky.upload(png(), None).status_code == 400


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 413)])
def test_the_hosts_limit_is_for_the_upload(sandbox: Sandbox, bluesky: Xrpc, more: int, status: int) -> None:
    sandbox.trouble(bluesky={"upload_limit": 5_242_880})

    reply = bluesky.upload(png().ljust(5_242_880 + more, b"\0"))

    assert bluesky.get("com.atproto.server.describeServer").json()["blobUploadLimit"] == 5_242_880
    assert reply.status_code == status
    if status == 413:
        assert reply.json()["error"] == "PayloadTooLarge"


def test_without_a_length_the_limit_holds_too(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"upload_limit": 1_000})

    assert bluesky.upload(iter([png(), b"\0" * 2_000])).status_code == 413  # type: ignore[arg-type]


def test_a_blob_that_is_unknown_or_somebody_elses_is_not_found(bluesky: Xrpc, as_bluesky: Callable[..., Xrpc]) -> None:
    theirs = as_bluesky("somebody-else").blob(png())

    reply = bluesky.create(tid(), embed=embed(theirs))

    assert (reply.status_code, reply.json()["error"]) == (400, "BlobNotFound")
    assert bluesky.create(tid(), embed=embed(bluesky.blob(png()))).status_code == 200


def test_a_blob_in_no_record_is_swept_and_one_in_a_record_is_not(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"blobs_kept": 0.3})
    used, left = bluesky.blob(png()), bluesky.blob(png(colour="red"))
    assert bluesky.create(tid(1), embed=embed(used)).status_code == 200
    time.sleep(0.35)

    swept = bluesky.create(tid(2), embed=embed(left))

    assert swept.json()["error"] == "BlobNotFound"
    assert bluesky.create(tid(3), embed=embed(used)).status_code == 200
    assert bluesky.create(tid(4), embed=embed(bluesky.blob(png(colour="red")))).status_code == 200


def test_a_blob_must_be_what_the_record_says(bluesky: Xrpc) -> None:
    blob = bluesky.blob(png())

    assert bluesky.create(tid(1), embed=embed(blob | {"mimeType": "image/jpeg"})).json()["error"] == "InvalidMimeType"
    assert bluesky.create(tid(2), embed=embed(blob | {"size": 1})).json()["error"] == "InvalidSize"


def test_anybody_may_fetch_it_as_it_was_sent(sandbox: Sandbox, bluesky: Xrpc) -> None:
    cid = bluesky.blob(png())["ref"]["$link"]

    reply = Xrpc(sandbox).get("com.atproto.sync.getBlob", did=bluesky.did, cid=cid)

    assert reply.content == png()
    assert reply.headers["Content-Type"] == "image/png"
    assert reply.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    missing = requests.get(f"{sandbox.url}/bluesky/xrpc/com.atproto.sync.getBlob?did=x&cid=../../lock", timeout=20)
    assert (missing.status_code, missing.json()["error"]) == (400, "BlobNotFound")
