"""Keys, repeats, edits and deletions of records. Sheet: Idempotency, After a crash, Deleting."""

import base64
import threading
from collections.abc import Callable
from typing import Any

import libipld
import pytest

from social.sandbox.bluesky import cids, tids
from tests.sandbox.bluesky import ALPHABET, POST, Xrpc, at, tid
from tests.servers.sandbox import Sandbox


def test_the_same_key_created_twice_is_a_500_whatever_the_body(sandbox: Sandbox, bluesky: Xrpc) -> None:
    first = bluesky.create(tid(), text="first")
    again, other = bluesky.create(tid(), text="first"), bluesky.create(tid(), text="other")

    assert first.status_code == 200
    assert [reply.status_code for reply in (again, other)] == [500, 500]
    assert again.json()["error"] == "InternalServerError"
    assert sandbox.texts() == ["first"]


def test_after_the_proposed_fix_it_is_a_400(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"repeat_answers": "400"})

    assert [bluesky.create(tid()).status_code for _ in range(2)] == [200, 400]


def test_without_a_key_every_create_is_a_new_post(sandbox: Sandbox, bluesky: Xrpc) -> None:
    replies = [bluesky.create(text="again", createdAt="2026-11-22T10:00:00Z").json() for _ in range(2)]

    assert replies[0]["uri"] != replies[1]["uri"]
    assert sandbox.texts() == ["again", "again"]


def test_the_same_put_again_changes_nothing_and_has_no_commit(sandbox: Sandbox, bluesky: Xrpc) -> None:
    body: dict[str, Any] = {"text": "frozen", "createdAt": at()}
    first, again = bluesky.put(tid(), **body).json(), bluesky.put(tid(), **body).json()

    assert first["uri"] == f"at://{bluesky.did}/{POST}/{tid()}"
    assert first["validationStatus"] == "valid"
    assert set(first["commit"]) == {"cid", "rev"}
    assert (again["uri"], again["cid"]) == (first["uri"], first["cid"])
    assert "commit" not in again
    assert sandbox.texts() == ["frozen"]


def test_another_put_silently_edits(sandbox: Sandbox, bluesky: Xrpc) -> None:
    first = bluesky.put(tid(), text="frist").json()
    second = bluesky.put(tid(), text="first").json()

    assert second["uri"] == first["uri"]
    assert second["cid"] != first["cid"]
    assert "commit" in second
    assert sandbox.texts() == ["first"]
    assert sandbox.statuses()[0]["edited_at"] is not None


def test_swap_null_creates_only_and_names_what_is_there(sandbox: Sandbox, bluesky: Xrpc) -> None:
    body: dict[str, Any] = {"text": "once", "createdAt": at(), "top": {"swapRecord": None}}
    first = bluesky.put(tid(), **body)
    again = bluesky.put(tid(), **body)

    assert first.status_code == 200
    assert again.status_code == 400
    assert again.json() == {"error": "InvalidSwap", "message": f"Record was at {first.json()['cid']}"}
    assert sandbox.texts() == ["once"]


def test_a_swap_must_name_what_is_there(bluesky: Xrpc) -> None:
    first = bluesky.put(tid(), text="one").json()

    wrong = bluesky.put(tid(), text="two", top={"swapRecord": cids.of_record({})})
    right = bluesky.put(tid(), text="two", top={"swapRecord": first["cid"]})
    stale = bluesky.put(tid(), text="three", top={"swapCommit": first["commit"]["cid"]})
    fresh = bluesky.put(tid(), text="three", top={"swapCommit": right.json()["commit"]["cid"]})

    assert [reply.status_code for reply in (wrong, right, stale, fresh)] == [400, 200, 400, 200]
    assert wrong.json()["error"] == stale.json()["error"] == "InvalidSwap"


def test_what_is_stored_is_read_back_at_once_and_by_anybody(sandbox: Sandbox, bluesky: Xrpc) -> None:
    made = bluesky.create(tid(), text="here", futureField={"kept": [1, True, None]}).json()
    found = Xrpc(sandbox).get("com.atproto.repo.getRecord", repo="author.test", collection=POST, rkey=tid())

    assert found.status_code == 200
    assert {"uri": made["uri"], "cid": made["cid"]}.items() <= found.json().items()
    assert found.json()["value"]["futureField"] == {"kept": [1, True, None]}


def test_a_missing_record_is_400(bluesky: Xrpc) -> None:
    reply = bluesky.read(tid())

    assert (reply.status_code, reply.json()["error"]) == (400, "RecordNotFound")


def test_a_list_is_newest_first_by_key_and_has_pages(bluesky: Xrpc) -> None:
    for number in (3, 1, 5, 2, 4):
        bluesky.create(tid(number), text=str(number))

    def listed(**query: Any) -> tuple[list[str], str | None]:
        reply = bluesky.get("com.atproto.repo.listRecords", repo=bluesky.did, collection=POST, **query).json()
        return [record["value"]["text"] for record in reply["records"]], reply.get("cursor")

    page, cursor = listed(limit=2)
    assert page == ["5", "4"]
    assert listed(limit=2, cursor=cursor)[0] == ["3", "2"]
    assert listed(reverse="true")[0] == ["1", "2", "3", "4", "5"]
    for limit in (0, 101):
        reply = bluesky.get("com.atproto.repo.listRecords", repo=bluesky.did, collection=POST, limit=limit)
        assert reply.status_code == 400


def test_deleting_is_repeatable_and_the_key_is_free_again(sandbox: Sandbox, bluesky: Xrpc) -> None:
    bluesky.create(tid(), text="short-lived")
    first, again = bluesky.delete(tid()), bluesky.delete(tid())

    assert "commit" in first.json()
    assert (again.status_code, again.json()) == (200, {})
    assert bluesky.read(tid()).status_code == 400
    assert bluesky.create(tid(), text="second life").status_code == 200
    assert sandbox.texts() == ["second life"]
    assert [status["deleted"] for status in sandbox.statuses(deleted=True)] == [True, False]


@pytest.mark.parametrize(
    "key", ["hello", "3JZFCIJPJ2Z2A", "z222222222222", "22222222222222", "222222222222", "2222222222221"]
)
def test_a_key_that_is_no_tid_is_refused(sandbox: Sandbox, bluesky: Xrpc, key: str) -> None:
    for reply in (bluesky.create(key), bluesky.put(key)):
        assert reply.status_code == 400
        assert "Invalid TID string" in reply.json()["message"]
    assert sandbox.texts() == []


@pytest.mark.parametrize("key", ["2222222222222", "j" + "z" * 12])
def test_any_well_formed_tid_is_taken(bluesky: Xrpc, key: str) -> None:
    assert bluesky.create(key).status_code == 200


def test_somebody_elses_repository_is_not_ours(bluesky: Xrpc, as_bluesky: Callable[..., Xrpc]) -> None:
    other = as_bluesky("somebody-else")

    reply = bluesky.create(tid(), top={"repo": other.did})

    assert (reply.status_code, reply.json()["error"]) == (403, "AccountNotFound")
    assert bluesky.create(tid(), top={"repo": "author.test"}).status_code == 200


def test_parents_and_unknown_embeds_are_not_looked_at(bluesky: Xrpc) -> None:
    invented = {"uri": f"at://did:plc:nobody/{POST}/{tid()}", "cid": cids.of_record({"invented": True})}

    answer = bluesky.create(tid(1), reply={"root": invented, "parent": invented})
    odd = bluesky.create(tid(2), embed={"$type": "app.bsky.embed.hologram", "beam": 1})

    assert (answer.status_code, odd.status_code) == (200, 200)


def test_reply_controls_are_records_with_the_posts_key(bluesky: Xrpc) -> None:
    post = bluesky.create(tid()).json()

    def gate(kind: str, **more: Any) -> Any:
        record = {"$type": kind, "post": post["uri"], "createdAt": at()} | more
        body = {"repo": bluesky.did, "collection": kind, "rkey": tid(), "record": record}
        return bluesky.post("com.atproto.repo.putRecord", body)

    rule = {"$type": "app.bsky.feed.threadgate#mentionRule"}
    assert gate("app.bsky.feed.threadgate", allow=[]).json()["validationStatus"] == "valid"
    assert gate("app.bsky.feed.threadgate", allow=[rule] * 5).status_code == 200
    assert gate("app.bsky.feed.threadgate", allow=[rule] * 6).status_code == 400
    assert gate("app.bsky.feed.postgate", embeddingRules=[]).status_code == 200


def test_unvalidated_and_unknown_records_are_stored(bluesky: Xrpc) -> None:
    wild = bluesky.create(tid(), text=17, top={"validate": False})
    unknown = {"repo": bluesky.did, "collection": "com.example.thing", "record": {"anything": "goes"}}
    stored = bluesky.post("com.atproto.repo.createRecord", unknown)
    strict = bluesky.post("com.atproto.repo.createRecord", unknown | {"validate": True})

    assert wild.json()["validationStatus"] == stored.json()["validationStatus"] == "unknown"
    assert strict.status_code == 400
    assert bluesky.get("app.bsky.feed.getAuthorFeed", actor=bluesky.did).status_code == 200
    described = bluesky.get("com.atproto.repo.describeRepo", repo=bluesky.did).json()
    assert described["collections"] == [POST, "com.example.thing"]


def test_several_writes_happen_together_or_not_at_all(sandbox: Sandbox, bluesky: Xrpc) -> None:
    def write(rkey: str, text: str) -> dict[str, Any]:
        value = {"$type": POST, "text": text, "createdAt": at()}
        return {"$type": "com.atproto.repo.applyWrites#create", "collection": POST, "rkey": rkey, "value": value}

    def apply(*writes: dict[str, Any]) -> Any:
        return bluesky.post("com.atproto.repo.applyWrites", {"repo": bluesky.did, "writes": list(writes)})

    assert apply(write(tid(1), "one"), write(tid(1), "one again")).status_code == 500
    assert sandbox.texts() == []
    both = apply(write(tid(1), "one"), write(tid(2), "two")).json()
    assert [result["validationStatus"] for result in both["results"]] == ["valid", "valid"]
    assert sandbox.texts() == ["one", "two"]


def test_twenty_creates_of_one_key_at_once_make_one_post(sandbox: Sandbox, bluesky: Xrpc) -> None:
    sandbox.trouble(bluesky={"working": 0.05})
    statuses: list[int] = []

    def create() -> None:
        caller = Xrpc(sandbox, bluesky.person)
        statuses.append(caller.create(tid()).status_code)
        caller.close()

    threads = [threading.Thread(target=create) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [500] * 19
    assert sandbox.texts() == ["hello"]


RECORDS: list[Any] = [
    {},
    {"b": 1, "aa": 2, "a": 3, "ä": 4},
    {"$type": POST, "text": "Grüße 👨‍👩‍👧", "langs": ["de"], "n": [0, 23, 24, 255, 256, 65536, 2**32, 2**53, -1, -25]},
    {"nested": {"true": True, "none": None, "list": [[], {}, ""]}},
]


@pytest.mark.parametrize("record", RECORDS)
def test_ids_of_records_are_those_of_the_protocol(record: Any) -> None:
    assert cids.encoded(record) == libipld.encode_dag_cbor(record)
    assert libipld.decode_cid(cids.of_record(record))["codec"] == 0x71


def test_links_and_bytes_are_written_as_the_protocol_does() -> None:
    link = cids.of_digest(b"\x07" * 32)
    record = {"ref": {"$link": link}, "data": {"$bytes": base64.b64encode(b"\x00\x01").decode().rstrip("=")}}

    decoded: Any = libipld.decode_dag_cbor(cids.encoded(record))

    assert decoded["data"] == b"\x00\x01"
    assert libipld.decode_cid(decoded["ref"]) == libipld.decode_cid(link)


def test_a_clock_never_gives_the_same_tid_twice() -> None:
    clock = tids.Clock()
    made = [clock.next() for _ in range(5_000)]

    assert made == sorted(set(made))
    assert all(tids.is_tid(one) for one in made)
    assert set("".join(made)) <= set(ALPHABET)
