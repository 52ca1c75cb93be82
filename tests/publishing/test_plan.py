"""What people do to what is planned, while others and the engine do something else to it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from social.accounts.documents import Account
from social.backing import Backing
from social.backing.mongo import as_bson
from social.errors import Conflict
from social.jobs.running import Running
from social.moments import now
from social.people.roles import Caller
from social.platforms.contract import MediaItem
from social.posts.documents import Post
from social.posts.when import at_the_instant
from social.publishing import plan, single
from social.publishing.documents import Publication
from social.publishing.send import send_due
from social.publishing.states import State
from tests.publishing.conftest import Connect, Planned, of, past, until
from tests.servers.sandbox import Sandbox

PICTURE = MediaItem(media_id="m", key="k", mime="image/jpeg", bytes=1, width=1, height=1)


async def test_of_a_post_that_is_a_draft_again_nothing_old_is_sent(
    planned: Planned, caller: Caller, backing: Backing, sandbox: Sandbox
) -> None:
    post = await planned("old words", due_at=now() + timedelta(hours=1))
    await plan.cancel(caller, str(post.id), post.revision, backing)

    with pytest.raises(Conflict):
        await single.again(caller, str((await of(post)).id), backing)

    await send_due(now() + timedelta(seconds=1), backing)
    assert sandbox.texts() == []


@pytest.mark.parametrize("ended", [State.FAILED, State.MISSED])
async def test_what_had_ended_goes_out_with_the_words_that_were_mended_since(
    ended: State,
    planned: Planned,
    account: Account,
    connect: Connect,
    caller: Caller,
    backing: Backing,
    sandbox: Sandbox,
) -> None:
    refused, ahead = account, await connect("grace")
    post = await planned("old words", on=(refused, ahead), due_at=now() + timedelta(hours=1))
    await Publication.engine().update_one({"account_id": refused.id}, {"$set": {"state": ended, "next_at": None}})

    await plan.save(caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="new"), backing)
    first = await Publication.find_one({"account_id": refused.id})
    assert first is not None
    assert (first.state, first.content.text) == (ended, "new")  # nobody has tried it again yet
    await single.again(caller, str(first.id), backing)
    await send_due(now() + timedelta(seconds=1), backing)

    assert sandbox.texts() == ["new"]


async def test_a_post_written_anew_while_it_is_tried_again_stays_as_it_is(
    planned: Planned, caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("old words", due_at=now() + timedelta(hours=1))
    await Publication.engine().update_one({"post_id": post.id}, {"$set": {"state": State.FAILED}})
    publication = await of(post)
    of_post = Publication.of_post

    async def just_before(*args: Any) -> list[Publication]:
        found = await of_post(*args)
        await single.again(caller, str(publication.id), backing)
        return found

    monkeypatch.setattr(Publication, "of_post", just_before)
    with pytest.raises(Conflict):
        await plan.save(caller, str(post.id), post.revision, msgspec.structs.replace(post.written, text="new"), backing)

    found = await Post.get(post.id)
    assert found is not None
    assert (found.draft, found.written.text) == (False, "old words")


async def test_a_move_that_crosses_an_edit_does_not_drop_its_pictures(
    planned: Planned, caller: Caller, backing: Backing, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await planned("text", due_at=now() + timedelta(hours=1))
    edited = {"content.media": [as_bson(PICTURE)], "prepare_at": past(), "rev": 2}
    found = Publication.found

    async def just_before(*args: Any, **kwargs: Any) -> Publication:
        publication = await found(*args, **kwargs)
        await Publication.engine().update_one({"post_id": post.id}, {"$set": edited})
        return publication

    monkeypatch.setattr(Publication, "found", just_before)
    with pytest.raises(Conflict):
        await single.move(
            caller, str((await of(post)).id), at_the_instant(now() + timedelta(minutes=5), "UTC"), backing
        )

    assert (await of(post)).prepare_at is not None


async def test_the_persons_word_settles_what_nobody_can_see(
    planned: Planned, caller: Caller, backing: Backing, engine: Running, sandbox: Sandbox
) -> None:
    there = await planned("there", due_at=now() + timedelta(hours=1))
    absent = await planned("not there", due_at=now() + timedelta(hours=1))
    doubt = {"ambiguous": True, "next_at": None, "prepare_at": None}
    for post, state in ((there, State.HELD), (absent, State.UNCONFIRMED)):
        await Publication.engine().update_one({"post_id": post.id}, {"$set": doubt | {"state": state}})
    publication, other = await of(there), await of(absent)

    await single.verdict(caller, str(publication.id), is_there=True, url="https://example.org/1", backing=backing)
    seen = await of(there)
    assert (seen.state, seen.receipt and seen.receipt.evidence) == (State.ONLINE, "person")

    with pytest.raises(Conflict):  # we are still checking: the first one may land yet
        await single.verdict(caller, str(other.id), is_there=False, url=None, backing=backing)
    await Publication.engine().update_one({"post_id": absent.id}, {"$set": {"state": State.HELD}})
    again = await single.verdict(caller, str(other.id), is_there=False, url=None, backing=backing)
    assert (again.rev, again.key != other.key, again.ambiguous) == (other.rev + 1, True, False)
    await until(absent, State.ONLINE)
    assert sandbox.texts() == ["not there"]
