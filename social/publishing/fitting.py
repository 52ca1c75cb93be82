"""What was written, against the accounts and files that there are, and against what each account takes."""

from typing import Any

import msgspec
from beanie.operators import In
from bson import ObjectId

from social.accounts.documents import Account
from social.errors import Invalid, Wrong
from social.media.documents import Media
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Content, Limits
from social.posts import check, compose
from social.posts.documents import Written


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One account's view of what was written: its length in the platform's counting, and everything that is wrong."""

    account_id: str
    length: int
    limit: int
    problems: list[Wrong]


async def verdicts(caller: Caller, written: Written) -> list[Verdict]:
    """What each chosen account would say to this, by the same rules that hold when it is planned."""
    accounts, media = await known(caller, written)
    return [_verdict(account, compose.content(written, account, media)) for account in accounts]


async def known(caller: Caller, written: Written) -> tuple[list[Account], dict[str, Media]]:
    """The accounts and files that `written` names, all of the caller's workspace. Invalid names those that are not."""
    check.typed_options(written.options, PLATFORMS)
    accounts = await Account.of(caller, In("_id", _ids(written.accounts))).to_list()
    files = await Media.of(caller, In("_id", _ids([attached.id for attached in written.media]))).to_list()
    media = {str(file.id): file for file in files}
    have = {str(account.id) for account in accounts}
    wrong = [
        Wrong(f"/accounts/{at}", "There is no account with this id. Choose another.", "unknown")
        for at, id in enumerate(written.accounts)
        if id not in have
    ]
    wrong += [
        Wrong(f"/media/{at}/id", "There is no file with this id. Upload it again.", "unknown")
        for at, attached in enumerate(written.media)
        if attached.id not in media
    ]
    if wrong:
        raise Invalid("Part of this is not in your workspace.", wrong)
    return sorted(accounts, key=lambda account: written.accounts.index(str(account.id))), media


async def fitting(caller: Caller, written: Written) -> dict[ObjectId, tuple[Account, Content]]:
    """The content for each account, by its id. Invalid lists all problems of all accounts at once."""
    accounts, media = await known(caller, written)
    contents: dict[ObjectId, tuple[Account, Content]] = {
        account.id: (account, compose.content(written, account, media)) for account in accounts
    }
    wrong = check.unfinished(written)
    for account, content in contents.values():
        wrong += [
            Wrong(each.pointer, f"{account.handle}: {each.detail}", each.code)
            for each in _verdict(account, content).problems
        ]
    if wrong:
        raise Invalid("This cannot go out yet.", wrong)
    return contents


def _verdict(account: Account, content: Content) -> Verdict:
    platform = PLATFORMS[account.platform]
    limits: Limits = account.limits or platform.limits
    problems = check.problems(content, limits, platform)
    if account.state != "connected":
        problems.append(Wrong("/accounts", "This account is disconnected. Connect it again first.", "disconnected"))
    return Verdict(
        account_id=str(account.id),
        length=check.counted(content, limits, platform),
        limit=limits.text,
        problems=problems,
    )


def _ids(given: Any) -> list[ObjectId]:
    return [ObjectId(id) for id in given if ObjectId.is_valid(id)]
