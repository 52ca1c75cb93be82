"""A maintained client library does its real work against the sandbox."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import mastodon.errors
import pytest
import requests
from mastodon import Mastodon

from tests.sandbox.conftest import Caller, png
from tests.servers.sandbox import Sandbox


def test_an_app_registers_and_a_person_lets_it_in(sandbox: Sandbox) -> None:
    with requests.Session() as session:
        scopes = ["profile", "read:statuses", "write:media", "write:statuses"]
        client_id, client_secret = Mastodon.create_app(
            "Rehearsal",
            scopes=scopes,
            redirect_uris="https://app.example/back",
            api_base_url=sandbox.url,
            session=session,
        )
        client = Mastodon(client_id, client_secret, api_base_url=sandbox.url, session=session)

        url = client.auth_request_url(
            redirect_uris="https://app.example/back", scopes=scopes, state="a state", force_login=True, allow_http=True
        )
        back = parse_qs(urlsplit(sandbox.consent_now(url, "newcomer")).query)
        client.log_in(code=back["code"][0], redirect_uri="https://app.example/back", scopes=scopes, allow_http=True)

        assert back["state"] == ["a state"]
        assert client.account_verify_credentials().username == "newcomer"
        assert client.app_verify_credentials().name == "Rehearsal"
        assert client.status_post("let in").application.name == "Rehearsal"

        token = client.access_token
        client.revoke_access_token(allow_http=True)
        client = Mastodon(access_token=token, api_base_url=sandbox.url, session=session)
        with pytest.raises(mastodon.errors.MastodonUnauthorizedError, match="revoked"):
            client.account_verify_credentials()


def test_the_server_says_who_it_is_and_what_it_takes(client: Mastodon, sandbox: Sandbox) -> None:
    about = client.instance_v2()

    assert client.retrieve_mastodon_version() == "4.6.4"
    assert about.configuration.statuses.max_characters == 500
    assert about.configuration.statuses.characters_reserved_per_url == 23
    assert about.configuration.media_attachments.description_limit == 10_000
    assert client.instance_v1().uri == sandbox.url.removeprefix("http://")
    assert client.instance_nodeinfo().software.name == "mastodon"
    sandbox.trouble(mastodon={"version": "4.5"})
    assert Mastodon(api_base_url=sandbox.url).instance_v2().configuration.media_attachments.description_limit == 1_500


def test_a_post_with_pictures_and_alt_texts_reads_back_as_written(client: Mastodon, sandbox: Sandbox) -> None:
    media = [client.media_post(png(colour=colour), "image/png", description=colour) for colour in ("teal", "orange")]

    posted = client.status_post(
        "look, both of https://example.com/places\n\nand #Colours",
        media_ids=media,
        visibility="unlisted",
        language="de",
        spoiler_text="colours ahead",
        idempotency_key="a key",
    )
    read = client.status(posted)

    assert [item.description for item in read.media_attachments] == ["teal", "orange"]
    assert (read.visibility, read.language, read.spoiler_text, read.sensitive) == (
        "unlisted",
        "de",
        "colours ahead",
        True,
    )
    assert read.tags[0].name == "colours"
    assert "</p><p>" in read.content
    assert client.status_source(posted).text == "look, both of https://example.com/places\n\nand #Colours"
    assert read.url == f"{sandbox.url}/@author/{read.id}"
    assert int(read.id) >> 16 == int(read.created_at.timestamp() * 1000)
    assert requests.get(read.media_attachments[0].url, timeout=10).headers["content-type"] == "image/png"
    sent = sandbox.statuses()[0]
    assert [item["alt"] for item in sent["media"]] == ["teal", "orange"]
    assert (sent["idempotency_key"], sent["application"]) == ("a key", "Sandbox control")


def test_a_repeated_key_answers_the_earlier_post_whatever_it_says_now(client: Mastodon, sandbox: Sandbox) -> None:
    first = client.status_post("once", idempotency_key="k")
    second = client.status_post("twice?", idempotency_key="k")
    other = client.status_post("another", idempotency_key="other")

    assert second.id == first.id
    assert other.id != first.id
    assert sandbox.texts() == ["once", "another"]


def test_a_thread_a_poll_and_a_quote(client: Mastodon) -> None:
    head = client.status_post("one")
    answer = client.status_post("two", in_reply_to_id=head)
    last = client.status_reply(answer, "three")
    poll = client.status_post("which?", poll=client.make_poll(["tea", "coffee"], expires_in=300, multiple=True))
    quoting = client.status_post("see this", quoted_status_id=head)

    context = client.status_context(answer)
    assert [status.id for status in context.ancestors] == [head.id]
    assert [status.id for status in context.descendants] == [last.id]
    assert client.status(head).replies_count == 1
    assert [option.title for option in poll.poll.options] == ["tea", "coffee"]
    assert poll.poll.multiple
    assert quoting.quote.quoted_status.id == head.id


def test_a_list_is_walked_page_by_page_both_ways(client: Mastodon, caller: Caller) -> None:
    ids = [client.status_post(f"{number}").id for number in range(7)]
    me = client.me()

    newest = client.account_statuses(me, limit=3)
    following = client.fetch_next(newest)
    everything = client.fetch_remaining(client.account_statuses(me, limit=3))
    newer = client.account_statuses(me, min_id=ids[2], limit=2)
    since = client.account_statuses(me, since_id=ids[2], limit=2)

    assert [status.id for status in newest] == ids[:-4:-1]
    assert [status.id for status in following or []] == [ids[3], ids[2], ids[1]]
    assert [status.id for status in everything] == ids[::-1]
    assert [status.id for status in newer] == [ids[4], ids[3]]
    assert [status.id for status in since] == [ids[6], ids[5]]
    assert [status.id for status in client.fetch_previous(newer) or []] == [ids[6], ids[5]]


def test_an_edit_keeps_its_history_and_a_deletion_gives_the_text_back(client: Mastodon, sandbox: Sandbox) -> None:
    media = client.media_post(png(), "image/png", description="before")
    posted = client.status_post("frist", media_ids=[media])

    attributes = [client.generate_media_edit_attributes(media, description="after")]
    edited = client.status_update(posted, "first", media_attributes=attributes)
    history = client.status_history(posted)
    deleted = client.status_delete(posted)

    assert edited.edited_at is not None
    assert edited.media_attachments[0].description == "after"
    assert [version.content for version in history] == ["<p>frist</p>", "<p>first</p>"]
    assert history[0].media_attachments[0].description == "before"
    assert deleted.text == "first"
    assert sandbox.statuses() == []
    with pytest.raises(mastodon.errors.MastodonNotFoundError):
        client.status(posted)
    assert client.status_post("again", media_ids=[media]).media_attachments[0].id == media.id


def test_deleted_with_its_media_nothing_is_left(client: Mastodon) -> None:
    media = client.media_post(png(), "image/png")
    posted = client.status_post("short-lived", media_ids=[media])

    client.status_delete(posted, delete_media=True)

    with pytest.raises(mastodon.errors.MastodonAPIError, match="not found or already attached"):
        client.status_post("again", media_ids=[media])
    assert requests.get(posted.media_attachments[0].url, timeout=10).status_code == 404


def test_a_scheduled_post_waits_moves_and_is_called_off(client: Mastodon, sandbox: Sandbox) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    waiting = client.status_post("later", scheduled_at=due)

    assert client.scheduled_statuses()[0].params.text == "later"
    moved = client.scheduled_status_update(waiting, due + timedelta(hours=1))
    assert moved.scheduled_at - due > timedelta(minutes=59)
    client.scheduled_status_delete(waiting)
    assert client.scheduled_statuses() == []
    assert sandbox.statuses() == []


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("x" * 501, {}, "character limit of 500"),
        ("", {}, "can't be blank"),
        ("hello", {"media_ids": [123]}, "Media 123 not found"),
        ("hello", {"in_reply_to_id": 123}, "does not appear to exist"),
    ],
)
def test_what_cannot_be_posted_is_refused_in_mastodons_words(
    client: Mastodon, sandbox: Sandbox, text: str, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(mastodon.errors.MastodonAPIError, match=words):
        client.status_post(text, **more)
    assert sandbox.statuses() == []


def test_a_spent_quota_is_a_ratelimit_error_with_its_reset(client: Mastodon, sandbox: Sandbox) -> None:
    sandbox.trouble(mastodon={"quotas": {"statuses": 3}})
    for number in range(3):
        client.status_post(f"{number}")

    with pytest.raises(mastodon.errors.MastodonRatelimitError):
        client.status_post("one too many")

    assert client.ratelimit_remaining == 0
    assert client.ratelimit_reset > datetime.now(UTC).timestamp()
    assert len(sandbox.statuses()) == 3


def test_a_dead_token_and_a_missing_scope_are_told_apart(sandbox: Sandbox) -> None:
    reader = Mastodon(access_token=sandbox.person("reader", scopes=["read"])["access_token"], api_base_url=sandbox.url)
    nobody = Mastodon(access_token="never issued", api_base_url=sandbox.url)

    with pytest.raises(mastodon.errors.MastodonUnauthorizedError, match="The access token is invalid"):
        nobody.account_verify_credentials()
    with pytest.raises(mastodon.errors.MastodonAPIError, match="outside the authorized scopes"):
        reader.status_post("not allowed")


def test_a_lost_answer_is_a_network_error_and_the_same_key_finds_the_post(client: Mastodon, sandbox: Sandbox) -> None:
    sandbox.trouble(publish={"hang_up": "after", "count": 1})

    with pytest.raises(mastodon.errors.MastodonNetworkError):
        client.status_post("said once", idempotency_key="k")
    found = client.status_post("said once", idempotency_key="k")

    assert sandbox.texts() == ["said once"]
    assert sandbox.statuses()[0]["id"] == str(found.id)


def test_twenty_sends_of_one_key_at_once_make_one_post(sandbox: Sandbox, caller: Caller) -> None:
    sandbox.trouble(mastodon={"working": 0.05})
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(_own_connection(caller))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sandbox.texts() == ["hello"]
    assert set(statuses) <= {200, 503}
    assert 503 in statuses


def _own_connection(caller: Caller) -> int:
    assert caller.person is not None
    headers = {"Authorization": f"Bearer {caller.person['access_token']}", "Idempotency-Key": "k"}
    url = f"{caller.sandbox.url}/api/v1/statuses"
    return requests.post(url, data={"status": "hello"}, headers=headers, timeout=20).status_code
