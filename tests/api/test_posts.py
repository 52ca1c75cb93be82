"""Writing, checking, planning, moving and cancelling through the API; and what happens to bad input."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.jobs.running import Running
from social.moments import now, rfc3339
from tests.pictures import jpeg
from tests.publishing.conftest import takes_more_than_its_server
from tests.servers.product import Person
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


@pytest.fixture
async def account(person: Person, sandbox: Sandbox) -> str:
    """The id of a connected account."""
    connected = await person.connect(sandbox)
    return str(connected["id"])


def pointers(problem: Json) -> list[str]:
    return [each["pointer"] for each in problem["errors"]]


async def test_a_draft_is_kept_as_written_and_goes_nowhere(person: Person, account: str, sandbox: Sandbox) -> None:
    draft = await person.write("not yet", account)

    seen = await person.ask("GET", f"/posts/{draft['id']}")

    assert (seen["text"], seen["state"], seen["plan"], seen["publications"]) == ("not yet", "draft", None, [])
    assert seen["author"]["name"] == "Ada"
    assert sandbox.statuses() == []


async def test_a_change_raises_the_revision_and_a_stale_one_is_answered_with_the_newest(
    person: Person, account: str
) -> None:
    draft = await person.write("one", account)
    edit = {"revision": 1, "text": "two", "accounts": [account]}
    saved = await person.ask("PUT", f"/posts/{draft['id']}", json=edit)

    problem = await person.ask("PUT", f"/posts/{draft['id']}", expect=409, json={**edit, "text": "three"})

    assert saved["revision"] == 2
    assert (problem["current"]["text"], problem["current"]["revision"]) == ("two", 2)


async def test_all_that_keeps_a_post_from_going_out_is_said_at_once(person: Person, account: str) -> None:
    media = [await person.upload(jpeg(32 + n, 32)) for n in range(5)]
    attached = tuple({"id": each["id"], "alt": "x" * 10_001 if n == 0 else ""} for n, each in enumerate(media))
    draft = await person.write("x" * 501, account, media=attached)

    problem = await person.ask("PUT", f"/posts/{draft['id']}/plan", expect=422, json={"revision": 1, "now": True})

    assert {"/text", "/media", "/media/0/alt"} <= set(pointers(problem))
    assert all(each["detail"] for each in problem["errors"])
    assert (await person.ask("GET", f"/posts/{draft['id']}"))["state"] == "draft"


@pytest.mark.parametrize(
    ("text", "spoiler", "length", "fits"),
    [
        ("x" * 500, "", 500, True),
        ("x" * 501, "", 501, False),
        ("x" * 490, "y" * 11, 501, False),
        ("👩‍👩‍👧‍👦" * 500, "", 500, True),
        ("https://example.org/" + "x" * 600, "", 23, True),
        ("@ada@" + "x" * 200 + ".example hello", "", 10, True),
    ],
    ids=["full", "one more", "the warning counts", "a family is one", "an address is 23", "a mention is its name"],
)
async def test_text_is_counted_as_the_platform_counts(
    text: str, spoiler: str, length: int, fits: bool, person: Person, account: str
) -> None:
    options = {"mastodon": {"spoiler": spoiler}} if spoiler else {}

    verdict = (
        await person.ask("POST", "/posts/checks", json={"text": text, "accounts": [account], "options": options})
    )[0]

    assert (verdict["length"], verdict["limit"], verdict["problems"] == []) == (length, 500, fits)


@pytest.mark.parametrize(
    ("when", "pointer"),
    [
        ({}, "/"),
        ({"now": True, "at": "2030-01-01T00:00:00Z"}, "/"),
        ({"now": False}, "/now"),
        ({"at": "2030-01-01T00:00:00"}, "/at"),
        ({"at": "tomorrow"}, "/at"),
        ({"at": "2020-01-01T00:00:00Z"}, "/"),
        ({"at": "2099-12-31T23:59:59Z"}, "/"),
        ({"at": "9999-12-31T23:59:59Z"}, "/at"),
        ({"wall": "2030-01-01T09:00:00"}, "/zone"),
        ({"wall": "2030-01-01T09:00:00", "zone": "Mars/Olympus"}, "/zone"),
        ({"wall": "2030-01-01T09:00:00+01:00", "zone": "Europe/Berlin"}, "/wall"),
        ({"wall": "2030-01-01T09:00:00", "zone": "Europe/Berlin", "fold": 2}, "/fold"),
        ({"wall": "0001-01-01T00:00:00", "zone": "Europe/Berlin"}, "/wall"),
        ({"later": True}, "/later"),
    ],
    ids=str,
)
async def test_a_time_that_is_none_is_refused_with_its_field(
    when: Json, pointer: str, person: Person, account: str
) -> None:
    draft = await person.write("when?", account)

    problem = await person.ask("PUT", f"/posts/{draft['id']}/plan", expect=422, json={"revision": 1, **when})

    assert pointers(problem) == [pointer]
    assert problem["errors"][0]["detail"]
    assert (await person.ask("GET", f"/posts/{draft['id']}"))["revision"] == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/text"),
        ({"text": 7}, "/text"),
        ({"text": {"$ne": None}}, "/text"),
        ({"text": "x", "accounts": ["nonsense"]}, "/accounts/0"),
        ({"text": "x", "accounts": ["0" * 24]}, "/accounts/0"),
        ({"text": "x", "accounts": {"$gt": ""}}, "/accounts"),
        ({"text": "x", "media": [{"id": "0" * 24}]}, "/media/0/id"),
        ({"text": "x", "media": [{"key": "w/1"}]}, "/media/0"),
        ({"text": "x", "options": {"mastodon": {"visibility": "secret"}}}, "/options/mastodon/visibility"),
        ({"text": "x", "options": {"myspace": {}}}, "/options"),
        ({"text": "x", "state": "online"}, "/"),
        ({"text": "x", "workspace_id": "0" * 24}, "/"),
        ({"text": "x" * 100_001}, "/text"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_body_that_is_none_is_refused_with_its_field(body: Json, pointer: str, person: Person) -> None:
    problem = await person.ask("POST", "/posts", expect=422, json=body)

    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert (await person.ask("GET", "/posts"))["items"] == []


async def test_a_plan_is_kept_on_the_wall_and_shown_with_its_instant(person: Person, account: str) -> None:
    draft = await person.write("spring forward", account)

    planned = await person.plan(draft, wall="2030-03-31T02:30:00", zone="Europe/Berlin")

    assert planned["plan"] == {
        "wall": "2030-03-31T03:30:00",
        "zone": "Europe/Berlin",
        "fold": 0,
        "lateness": None,
        "at": "2030-03-31T01:30:00Z",
    }
    assert planned["state"] == "planned"
    assert [each["state"] for each in planned["publications"]] == ["planned"]


async def test_planning_the_same_again_moves_it_and_makes_no_second_publication(person: Person, account: str) -> None:
    planned = await person.plan(await person.write("once", account), at="2030-01-01T00:00:00Z")

    again = await person.plan(planned, at="2030-01-02T00:00:00Z")

    assert [each["id"] for each in again["publications"]] == [each["id"] for each in planned["publications"]]
    assert again["publications"][0]["rev"] == 1
    assert again["publications"][0]["due_at"] == "2030-01-02T00:00:00Z"


async def test_an_edit_of_a_planned_post_renews_its_content_and_keeps_its_date(person: Person, account: str) -> None:
    planned = await person.plan(await person.write("old", account), at="2030-01-01T00:00:00Z")

    edited = await person.ask(
        "PUT", f"/posts/{planned['id']}", json={"revision": planned["revision"], "text": "new", "accounts": [account]}
    )

    assert (edited["publications"][0]["excerpt"], edited["publications"][0]["rev"]) == ("new", 2)
    assert edited["publications"][0]["due_at"] == "2030-01-01T00:00:00Z"


async def test_an_edit_keeps_each_publications_own_date_and_wakes_nothing_that_was_cancelled(
    person: Person, account: str, sandbox: Sandbox
) -> None:
    other = (await person.connect(sandbox, "grace"))["id"]
    third = (await person.connect(sandbox, "mary"))["id"]
    planned = await person.plan(await person.write("old", account, other, third), at="2030-01-01T00:00:00Z")
    moved, cancelled, kept = (each["id"] for each in planned["publications"])
    await person.ask("PUT", f"/publications/{moved}/plan", json={"at": "2030-06-01T00:00:00Z"})
    await person.ask("DELETE", f"/publications/{cancelled}/plan")

    edit = {"revision": planned["revision"], "text": "new", "accounts": [account, other, third]}
    edited = await person.ask("PUT", f"/posts/{planned['id']}", json=edit)

    seen = {each["id"]: each for each in edited["publications"]}
    assert (seen[moved]["due_at"], seen[moved]["excerpt"]) == ("2030-06-01T00:00:00Z", "new")
    assert (seen[cancelled]["state"], seen[cancelled]["excerpt"]) == ("cancelled", "new")
    assert (seen[kept]["state"], seen[kept]["due_at"]) == ("planned", "2030-01-01T00:00:00Z")


async def test_cancelling_the_last_publication_makes_the_post_a_draft_again(person: Person, account: str) -> None:
    planned = await person.plan(await person.write("alone", account), at="2030-01-01T00:00:00Z")

    await person.ask("DELETE", f"/publications/{planned['publications'][0]['id']}/plan")

    seen = await person.ask("GET", f"/posts/{planned['id']}")
    assert (seen["state"], seen["plan"]) == ("draft", None)
    again = await person.plan(seen, at="2030-01-02T00:00:00Z")
    assert [each["state"] for each in again["publications"]] == ["planned"]


async def test_what_failed_can_be_written_anew_and_planned_again(
    person: Person, account: str, engine: Running, sandbox: Sandbox
) -> None:
    await takes_more_than_its_server(await Account.get(account))
    post = await person.until(await person.plan(await person.write("x" * 600, account), now=True), "failed")

    edit = {"revision": post["revision"], "text": "shorter", "accounts": [account]}
    edited = await person.ask("PUT", f"/posts/{post['id']}", json=edit)
    assert edited["state"] == "draft"

    await person.until(await person.plan(edited, now=True), "online")
    assert sandbox.texts() == ["shorter"]


async def test_an_account_added_when_the_time_has_passed_is_not_sent_to_unasked(
    person: Person, account: str, sandbox: Sandbox, engine: Running
) -> None:
    other = (await person.connect(sandbox, "grace"))["id"]
    sandbox.trouble(publish={"status": 429, "reset_in": 600, "count": 1})
    post = await person.until(await person.plan(await person.write("waits", account), now=True), "waiting")

    edit = {"revision": post["revision"], "text": "waits", "accounts": [account, other]}
    problem = await person.ask("PUT", f"/posts/{post['id']}", expect=422, json=edit)

    assert pointers(problem) == ["/accounts"]
    assert sandbox.texts() == []


async def test_an_edit_that_no_longer_fits_is_refused_and_the_planned_one_stays(person: Person, account: str) -> None:
    planned = await person.plan(await person.write("fits", account), at="2030-01-01T00:00:00Z")

    edit = {"revision": planned["revision"], "text": "x" * 501, "accounts": [account]}
    await person.ask("PUT", f"/posts/{planned['id']}", expect=422, json=edit)

    assert (await person.ask("GET", f"/posts/{planned['id']}"))["text"] == "fits"


async def test_undo_makes_it_a_draft_again_and_it_can_be_planned_anew(
    person: Person, account: str, engine: Running, sandbox: Sandbox
) -> None:
    planned = await person.plan(await person.write("oops", account), at=rfc3339(now() + timedelta(seconds=60)))

    undone = await person.ask("DELETE", f"/posts/{planned['id']}/plan", params={"revision": planned["revision"]})
    assert (undone["state"], undone["plan"]) == ("draft", None)
    assert [each["state"] for each in undone["publications"]] == ["cancelled"]

    await person.until(await person.plan(undone, now=True), "online")
    assert [status["text"] for status in sandbox.statuses()] == ["oops"]


async def test_what_is_online_can_be_neither_edited_nor_deleted_nor_cancelled(
    person: Person, account: str, engine: Running
) -> None:
    post = await person.until(await person.plan(await person.write("out", account), now=True), "online")

    edit = {"revision": post["revision"], "text": "x", "accounts": [account]}
    await person.ask("PUT", f"/posts/{post['id']}", expect=409, json=edit)
    await person.ask("DELETE", f"/posts/{post['id']}", expect=409, params={"revision": post["revision"]})
    await person.ask("DELETE", f"/posts/{post['id']}/plan", expect=409, params={"revision": post["revision"]})
    await person.ask("POST", f"/publications/{post['publications'][0]['id']}/attempts", expect=409)


async def test_deleting_a_planned_post_takes_it_out_of_the_plan(
    person: Person, account: str, engine: Running, sandbox: Sandbox
) -> None:
    post = await person.plan(await person.write("never", account), at=rfc3339(now() + timedelta(seconds=1)))

    await person.ask("DELETE", f"/posts/{post['id']}", params={"revision": post["revision"]})
    await asyncio.sleep(1.5)  # past its time

    assert (await person.ask("GET", "/publications"))["items"] == []
    assert sandbox.statuses() == []


async def test_a_failed_one_is_tried_again_with_a_new_key_as_a_new_revision(
    person: Person, account: str, engine: Running, sandbox: Sandbox
) -> None:
    await takes_more_than_its_server(await Account.get(account))
    post = await person.until(await person.plan(await person.write("x" * 600, account), now=True), "failed")
    publication = post["publications"][0]
    assert publication["reason"]["text"]

    again = await person.ask("POST", f"/publications/{publication['id']}/attempts", expect=202)
    await person.until(post, "failed")

    assert again["rev"] == 2
    history = await person.ask("GET", f"/publications/{publication['id']}")
    assert [(each["rev"], each["outcome"]) for each in history["history"]] == [(1, "Rejected"), (2, "Rejected")]


async def test_lists_are_paged_without_a_gap_or_a_double(person: Person, account: str) -> None:
    for n in range(7):
        await person.plan(await person.write(f"post {n}", account), at=f"2030-01-0{n + 1}T00:00:00Z")

    for path in ("/posts", "/publications", "/publications?newest_first=true", "/publications?state=planned"):
        seen, cursor = [], None
        while True:
            params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = await person.ask("GET", path, params=params)
            seen += [each["id"] for each in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 7, path


async def test_a_cursor_of_ones_own_making_is_refused(person: Person) -> None:
    for cursor in ("x", "null", "eyIkZ3QiOiAxfQ", "\x00"):
        await person.ask("GET", "/publications", expect=422, params={"cursor": cursor})
        await person.ask("GET", "/posts", expect=422, params={"cursor": cursor})


async def test_media_in_use_is_not_deleted(person: Person, account: str, backing: Backing) -> None:
    media = await person.upload(jpeg())
    post = await person.plan(
        await person.write("with it", account, media=({"id": media["id"], "alt": "grey"},)), at="2030-01-01T00:00:00Z"
    )

    await person.ask("DELETE", f"/media/{media['id']}", expect=409)

    await person.ask("DELETE", f"/posts/{post['id']}", params={"revision": post["revision"]})
    await person.ask("DELETE", f"/media/{media['id']}", expect=204)


async def test_a_platform_and_an_account_may_say_it_differently(
    person: Person, account: str, sandbox: Sandbox, engine: Running
) -> None:
    other = str((await person.connect(sandbox, "berta"))["id"])
    mine = {"text": "for berta", "thread": [{"text": "and more"}]}
    body = {
        "text": "for all",
        "accounts": [account, other],
        "variants": {"mastodon": {"text": "for mastodon"}, other: mine},
    }
    draft = await person.ask("POST", "/posts", json=body)
    assert draft["variants"][other] == {
        "text": "for berta",
        "media": None,
        "thread": [{"text": "and more", "media": []}],
    }

    await person.until(await person.plan(draft, now=True), "online")

    assert sorted(sandbox.texts()) == ["and more", "for berta", "for mastodon"]


async def test_what_is_wrong_with_a_variant_is_said_where_it_was_written(person: Person, account: str) -> None:
    body = {
        "text": "fine",
        "thread": [{"text": "y" * 501}],
        "accounts": [account],
        "variants": {"mastodon": {"text": "x" * 502}},
    }
    [verdict] = await person.ask("POST", "/posts/checks", json=body)
    assert [(each["pointer"], each["code"]) for each in verdict["problems"]] == [
        ("/variants/mastodon/text", "too-long"),
        ("/thread/0/text", "too-long"),
    ]
    assert verdict["parts"] == [{"length": 502, "limit": 500}, {"length": 501, "limit": 500}]


async def test_an_empty_part_and_an_empty_variant_are_no_post(person: Person, account: str) -> None:
    body = {"text": "fine", "thread": [{"text": " "}], "accounts": [account], "variants": {account: {"text": ""}}}
    draft = await person.ask("POST", "/posts", json=body)
    problem = await person.ask("PUT", f"/posts/{draft['id']}/plan", expect=422, json={"revision": 1, "now": True})
    assert sorted(pointers(problem)) == ["/thread/0/text", f"/variants/{account}/text"]


@pytest.mark.parametrize("key", ["myspace", "0" * 24])
async def test_a_variant_for_nobody_is_refused(key: str, person: Person, account: str) -> None:
    body = {"text": "a", "accounts": [account], "variants": {key: {"text": "b"}}}
    problem = await person.ask("POST", "/posts", expect=422, json=body)
    assert pointers(problem) == [f"/variants/{key}"]


async def test_files_of_threads_and_variants_must_be_there(person: Person, account: str) -> None:
    nobody = "0" * 24
    body = {
        "text": "a",
        "accounts": [account],
        "thread": [{"text": "b", "media": [{"id": nobody}]}],
        "variants": {account: {"media": [{"id": nobody}]}},
    }
    problem = await person.ask("POST", "/posts", expect=422, json=body)
    assert sorted(pointers(problem)) == ["/thread/0/media/0/id", f"/variants/{account}/media/0/id"]


async def test_a_file_of_a_thread_is_in_use(person: Person, account: str) -> None:
    file = await person.upload(jpeg(40, 30))
    body = {"text": "a", "accounts": [account], "thread": [{"text": "b", "media": [{"id": file["id"]}]}]}
    await person.ask("POST", "/posts", json=body)
    await person.ask("DELETE", f"/media/{file['id']}", expect=409)


async def test_a_long_text_is_split_for_an_account(person: Person, account: str) -> None:
    asked = {"account_id": account, "text": "A sentence of words. " * 60, "numbered": True}
    parts = (await person.ask("POST", "/posts/splits", json=asked))["parts"]
    assert len(parts) == 3
    body = {"text": parts[0], "thread": [{"text": part} for part in parts[1:]], "accounts": [account]}
    [verdict] = await person.ask("POST", "/posts/checks", json=body)
    assert verdict["problems"] == []
