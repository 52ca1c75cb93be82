"""Quotas of an account: how much its platform allows, how much of that is used, and another figure where it has one."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from social.accounts.documents import Account
from social.api.callers import needs
from social.backing import Backing
from social.errors import Invalid, Wrong
from social.people.roles import Caller
from social.publishing import gate
from social.publishing.allowance import allow
from social.publishing.gate import Standing


class SetOut(msgspec.Struct, kw_only=True):
    """The figure that a person has set, who, and when."""

    posts: int
    by: str
    at: datetime


class QuotaOut(msgspec.Struct, kw_only=True):
    """One of the windows that an account's posts are counted in: `allowed` in any `seconds`, of which `used` are taken.

    `usual` is what its platform allows everybody, `told` what the platform's answers said of this account, `set` what a
    person did; the last of them counts. `shared` windows are counted for all accounts of this installation together.
    """

    name: str
    seconds: int
    usual: int
    told: int | None
    set: SetOut | None
    allowed: int
    used: int
    shared: bool


class QuotaIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many posts the account may send in the window of this name."""

    name: Annotated[str, Meta(max_length=64)]
    posts: Annotated[int, Meta(ge=1, le=100_000)]


class QuotasIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All figures that are not what the platform says; none: as the platform says."""

    quotas: Annotated[list[QuotaIn], Meta(max_length=20)]

    def by_name(self) -> dict[str, int]:
        """The figures. Invalid if one is named twice."""
        figures: dict[str, int] = {}
        for n, each in enumerate(self.quotas):
            if each.name in figures:
                twice = Wrong(f"/quotas/{n}/name", "This limit is named twice.", "twice")
                raise Invalid("These limits cannot be set.", [twice])
            figures[each.name] = each.posts
        return figures


class QuotaController(Controller):
    """What an account may send."""

    path = "/accounts/{account_id:str}/quotas"
    tags = ("accounts",)

    @get("/", summary="An account's limits", guards=[needs("viewer")])
    async def read(
        self, account_id: FromPath[str], caller: NamedDependency[Caller], backing: NamedDependency[Backing]
    ) -> list[QuotaOut]:
        """Each window that its posts are counted in, and how much of it is used now."""
        return await _shown(await Account.found(caller, account_id), backing)

    @put("/", summary="Set an account's limits", guards=[needs("admin")])
    async def change(
        self,
        account_id: FromPath[str],
        data: JSONBody[QuotasIn],
        caller: NamedDependency[Caller],
        backing: NamedDependency[Backing],
    ) -> list[QuotaOut]:
        """Where the account has a higher limit than the platform's usual one, or is to have a lower one: in place of
        all that were set before, from the next post on. What the platform itself refuses is waited for as ever."""
        account = await Account.found(caller, account_id)
        return await _shown(await allow(caller, account, data.by_name(), backing), backing)


async def _shown(account: Account, backing: Backing) -> list[QuotaOut]:
    return [_quota(account, each) for each in await gate.standing(account, backing)]


def _quota(account: Account, at: Standing) -> QuotaOut:
    name = at.quota.name
    told, own = account.told_quotas.get(name), account.own_quotas.get(name)
    return QuotaOut(
        name=name,
        seconds=at.quota.seconds,
        usual=at.quota.posts,
        told=told.posts if told else None,
        set=SetOut(posts=own.posts, by=own.by, at=own.at) if own else None,
        allowed=at.window.most,
        used=at.used,
        shared=at.quota.per != "account",
    )
