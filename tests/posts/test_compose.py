"""Variants: an account's wins over its platform's, that over the post's own, field by field."""

from typing import Any

import pytest
from beanie import PydanticObjectId

from social.accounts.documents import Account, SealedApp
from social.moments import now
from social.posts.compose import content, written_at
from social.posts.documents import PartWritten, Variant, Written


def account(platform: str = "mastodon") -> Account:
    return Account.model_construct(
        id=PydanticObjectId(), workspace_id=PydanticObjectId(), platform=platform, realm="sandbox",
        origin="http://127.0.0.1:1", remote_id="1", handle="anna", name="anna",
        app=SealedApp(client_id="c", secret=b""), limits_read_at=now(), connected_at=now(),
        connected_by=PydanticObjectId(),
    )  # fmt: skip


THREAD = (PartWritten(text="more"),)


def test_without_variants_everybody_gets_the_post() -> None:
    written = Written(text="hello", thread=THREAD, options={"mastodon": {"spoiler": "s"}, "x": {}})
    sent = content(written, account(), {})
    assert (sent.text, [part.text for part in sent.thread], sent.options) == ("hello", ["more"], {"spoiler": "s"})


@pytest.mark.parametrize(
    ("mine", "platforms", "expected", "at"),
    [
        (None, None, "hello", "/text"),
        (None, "for all there", "for all there", "/variants/mastodon/text"),
        ("for me", "for all there", "for me", "/variants/{id}/text"),
        ("", None, "", "/variants/{id}/text"),
    ],
)
def test_the_narrowest_wins(mine: Any, platforms: Any, expected: str, at: str) -> None:
    there = account()
    variants = {str(there.id): Variant(text=mine), "mastodon": Variant(text=platforms), "x": Variant(text="no")}
    written = Written(text="hello", variants=variants)
    assert content(written, there, {}).text == expected
    assert written_at("/text", written, there) == at.format(id=there.id)


def test_each_field_is_taken_for_itself() -> None:
    there = account()
    variants = {str(there.id): Variant(text="mine"), "mastodon": Variant(thread=())}
    written = Written(text="hello", thread=THREAD, variants=variants)
    sent = content(written, there, {})
    assert (sent.text, sent.thread) == ("mine", ())
    assert written_at("/thread/0/text", written, there) == "/variants/mastodon/thread/0/text"
    assert written_at("/options/mastodon/spoiler", written, there) == "/options/mastodon/spoiler"
