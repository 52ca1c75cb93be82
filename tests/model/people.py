"""What people do meanwhile, through the product's own functions, on whatever instance answers them."""

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import msgspec

from social.accounts.documents import Account
from social.posts.documents import Post
from social.posts.when import at_the_instant
from social.publishing import holds, plan, single
from social.publishing.reconnect import account_back
from tests.model.loop import PERSON
from tests.model.scene import CALLER, WORKSPACE
from tests.model.values import Json

ACTS = (
    "edit",
    "edit",
    "cancel",
    "cancel post",
    "move",
    "plan",
    "again",
    "again",
    "verdict",
    "verdict",
    "reconnect",
    "hold",
    "hold",
)


def act(world: Any) -> None:
    """Somebody does something to one of the publications, or comes to nothing with it."""
    able = [each for each in world.instances if each.alive and not each.paused]
    publications = list(world.invariants.publications.values())
    if not able or not publications:
        return
    publication = world.dice.choice(publications)
    what = world.dice.choice(ACTS)
    does(what, publication, world.dice.choice(able), world)


def does(what: str, publication: Json, instance: Any, world: Any) -> None:
    """Somebody does `what` to a publication, through an instance; or comes to nothing with it."""
    work = _work(what, publication, instance, world)
    if work is not None:
        world.trace("person", f"{what} {str(publication['_id'])[-1]} ({publication['state']}) through {instance}")
        instance.begin(_as_a_person(work, world), what)


async def _as_a_person(work: Coroutine[Any, Any, Any], world: Any) -> None:
    PERSON.set(True)
    found = await work
    world.trace("person", f"hears {type(found).__name__}")


def _work(what: str, publication: Json, instance: Any, world: Any) -> Coroutine[Any, Any, Any] | None:
    backing, id = instance.backing, str(publication["_id"])
    post_id = str(publication["post_id"])
    later = at_the_instant(world.now() + timedelta(seconds=world.dice.choice((0, 5, 100, 4000))), "Europe/Berlin")
    if what == "edit":
        return _edited(post_id, world.dice.randrange(10**6), backing)
    if what == "cancel":
        return single.cancel(CALLER, id, backing)
    if what == "cancel post":
        return _cancelled(post_id, backing)
    if what == "move":
        return single.move(CALLER, id, later, backing)
    if what == "plan":
        return _planned(post_id, later, backing)
    if what == "again":
        return single.again(CALLER, id, backing)
    if what == "hold":
        return _held(instance, world)
    if what == "reconnect":
        return _reconnected(publication, backing)
    if publication["state"] == "held" and any(world.platform.on_the_way.values()):
        return None  # who is asked looks long enough
    known = world.platform.of(publication["key"])
    is_there = any(each.visible_at <= world.loop.now for each in known) or bool(
        known and publication["state"] == "held"
    )
    return single.verdict(CALLER, id, is_there=is_there, url=None, backing=backing)


async def _held(instance: Any, world: Any) -> None:
    """Holds everything; from the answer on nothing may go out, until somebody has asked for it to go on."""
    begun = await holds.hold(CALLER, "workspace", instance.backing)
    world.trace("person", "hears that everything is held")
    if begun.hold.id in world.let_go:
        return  # somebody has ended it before it could be acknowledged
    world.holding.add(begun.hold.id)
    world.at(world.loop.now + world.dice.choice((1.0, 30.0, 300.0)), lambda: _resume(begun.hold.id, world))


def let_everything_go_on(world: Any) -> None:
    """Whatever is still held, also by a hold whose answer was never heard, is ended."""
    for each in world.store["holds"].find():
        world.at(world.loop.now + 1, lambda id=each["_id"]: _resume(id, world))  # type: ignore[misc]


def _resume(hold_id: Any, world: Any) -> None:
    able = [each for each in world.instances if each.alive and not each.paused]
    if not able:
        world.at(world.loop.now + 5, lambda: _resume(hold_id, world))
        return
    world.holding.discard(hold_id)
    world.let_go.add(hold_id)
    instance = world.dice.choice(able)
    world.trace("person", f"lets everything go on through {instance}")
    instance.begin(_as_a_person(holds.resume(CALLER, str(hold_id), instance.backing), world), "resume")


async def _post(post_id: str) -> Post:
    post: Post = await Post.found(CALLER, post_id)
    return post


async def _edited(post_id: str, number: int, backing: Any) -> Post:
    post = await _post(post_id)
    written = msgspec.structs.replace(post.written, text=f"{post.written.text.partition(' (')[0]} ({number})")
    return await plan.save(CALLER, post_id, post.revision, written, backing)


async def _cancelled(post_id: str, backing: Any) -> Post:
    return await plan.cancel(CALLER, post_id, (await _post(post_id)).revision, backing)


async def _planned(post_id: str, later: Any, backing: Any) -> Post:
    return await plan.plan(CALLER, post_id, (await _post(post_id)).revision, later, backing)


async def _reconnected(publication: Json, backing: Any) -> None:
    connected = {"$set": {"state": "connected", "reason": None}}
    await Account.get_pymongo_collection().update_one({"_id": publication["account_id"]}, connected)
    account = await Account.get(publication["account_id"])
    if account is not None and account.workspace_id == WORKSPACE:
        await account_back(account, backing)
