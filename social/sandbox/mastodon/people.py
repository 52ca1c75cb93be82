"""Who has an account on the simulated Mastodon, and how they look."""

import re

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from social.sandbox.avatars import drawn
from social.sandbox.clock import now_ms
from social.sandbox.mastodon.archive import read_id
from social.sandbox.mastodon.entities import account_entity, own_account_entity
from social.sandbox.mastodon.errors import NOT_FOUND, Refused
from social.sandbox.mastodon.instance import Instance, caller, reply, visitor
from social.sandbox.mastodon.params import Call, read_query
from social.sandbox.mastodon.records import Account

USERNAME = re.compile(r"[a-zA-Z0-9_]{1,30}")


def settled(instance: Instance, username: str, display_name: str | None = None) -> Account:
    """The account of this name, made if there is none. Raises ValueError in words for a name that cannot be."""
    username = username.strip().lstrip("@")
    if not username:
        raise ValueError("Choose somebody, or type a new username.")
    if not USERNAME.fullmatch(username):
        raise ValueError("A username has up to 30 letters, digits and underscores.")
    found = instance.archive.account_named(username)
    if found is not None:
        return found
    account = Account(
        id=instance.archive.next_id(), username=username, display_name=display_name or username, created_ms=now_ms()
    )
    instance.archive.add_account(account)
    return account


@get("/api/v1/accounts/verify_credentials")
async def own_account(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    scopes = ("read:accounts", "profile") if instance.oddities.since(4, 3) else ("read:accounts",)
    return reply(own_account_entity(caller(request, instance, *scopes).account, instance))


@get("/api/v1/accounts/lookup")
async def lookup(request: Call, instance: NamedDependency[Instance]) -> Response[bytes]:
    name, _, domain = (read_query(request).text("acct") or "").lstrip("@").partition("@")
    account = instance.archive.account_named(name) if domain in ("", instance.domain) else None
    if account is None:
        raise Refused(404, NOT_FOUND)
    return reply(account_entity(account, instance))


@get("/api/v1/accounts/{account_id:str}")
async def account(request: Call, account_id: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    visitor(request, instance, "read:accounts")
    return reply(account_entity(found_account(instance, account_id), instance))


def found_account(instance: Instance, account_id: str) -> Account:
    number = read_id(account_id)
    found = instance.archive.account(number) if number is not None else None
    if found is None:
        raise Refused(404, NOT_FOUND)
    return found


@get("/avatars/{name:str}")
async def avatar(name: FromPath[str], instance: NamedDependency[Instance]) -> Response[bytes]:
    person = found_account(instance, name.removesuffix(".png"))
    return Response(drawn(person.username), media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})


ROUTES = (own_account, lookup, account, avatar)
