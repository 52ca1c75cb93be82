"""What a newer version has written, and this one cannot read, waits for that one and keeps back nobody else."""

from datetime import timedelta
from typing import Any

import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.moments import now
from social.posts.documents import Post
from social.publishing.documents import Publication
from social.publishing.send import send_due
from social.publishing.settle import settle_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of
from tests.servers.sandbox import Sandbox

Json = dict[str, Any]


async def stored(post: Post) -> Json:
    """The only publication of a post, as it is stored."""
    found = await Publication.engine().find_one({"post_id": post.id})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("of_the_publication", "of_the_account"),
    [
        ({"platform": "myspace"}, {"platform": "myspace"}),
        ({}, {"way": "by carrier pigeon"}),
        ({}, {"limits": {"text": 500, "counted_as": "syllables"}}),
        ({"content.text": ["so", "many", "pieces"]}, {}),
    ],
)
async def test_other_accounts_go_on(
    of_the_publication: Json,
    of_the_account: Json,
    planned: Planned,
    account: Account,
    connect: Connect,
    backing: Backing,
    sandbox: Sandbox,
) -> None:
    newer, other = await planned("newer"), await planned("other", on=(await connect("bert"),))
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": of_the_publication | {"note": "newer"}})
    await Account.get_pymongo_collection().update_one({"_id": account.id}, {"$set": of_the_account | {"note": "newer"}})

    await send_due(backing.now() + timedelta(seconds=1), backing)

    assert (await of(other)).state is State.ONLINE
    left = await stored(newer)
    assert (left["state"], left["token"], left["attempt_no"]) == (State.PLANNED, None, 0)
    assert sandbox.texts() == ["other"]


async def test_others_on_the_same_account_go_on(planned: Planned, backing: Backing, sandbox: Sandbox) -> None:
    newer, other = await planned("newer", due_at=now() - timedelta(seconds=1)), await planned("other")
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": {"content.text": ["many", "pieces"]}})

    await send_due(backing.now() + timedelta(seconds=1), backing)

    assert (await of(other)).state is State.ONLINE
    assert sandbox.texts() == ["other"]


async def test_others_are_looked_for(planned: Planned, connect: Connect, backing: Backing) -> None:
    newer, other = await planned("newer"), await planned("other", on=(await connect("bert"),))
    doubted = {"state": State.UNCONFIRMED, "ambiguous": True, "next_at": now(), "sent_at": now(), "attempt_no": 1}
    await Publication.engine().update_many({}, {"$set": doubted})
    await Publication.engine().update_one({"post_id": newer.id}, {"$set": {"content.text": ["many", "pieces"]}})

    await settle_due(backing)

    assert (await stored(other))["looks"] == 1
