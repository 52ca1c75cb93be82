"""What was written, against the accounts and files that there are, and against what each account takes."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

import msgspec
from beanie.operators import In
from bson import ObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.errors import Invalid, Newer, NotFound, Wrong
from social.media.documents import Media
from social.people.roles import Caller
from social.platforms import PLATFORMS
from social.platforms.contract import Content, Limits, Platform
from social.posts import check, compose
from social.posts.documents import Written
from social.posts.split import split
from social.publishing.converted import frozen, limits_of
from social.publishing.outcomes import FileVerdict, file_verdicts


class PartLength(msgspec.Struct, frozen=True, kw_only=True):
    """How long the text of a part is, in the platform's counting, and how long it may be."""

    length: int
    limit: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One account's view of what was written: the length of every part (`length`: of the first) in the platform's
    counting, everything that is wrong, and what is worth knowing."""

    account_id: str
    length: int
    limit: int
    parts: list[PartLength]
    problems: list[Wrong]
    notes: list[str]
    files: list[FileVerdict]


class Reading(msgspec.Struct, frozen=True):
    """What a platform with these limits says of a content: the length of every part, and everything that is wrong."""

    platform: Platform
    limits: Limits
    content: Content
    parts: list[PartLength]
    problems: list[Wrong]


class Readings:
    """Of one word of a person: to 200 accounts that get the very same, a megabyte would be counted 400 times."""

    def __init__(self) -> None:
        self._made: list[Reading] = []

    def of(self, content: Content, limits: Limits, platform: Platform) -> Reading:
        """Made once for each content and limits."""
        for made in self._made:
            if made.platform is platform and made.limits == limits and made.content == content:
                return made
        parts = [
            PartLength(length=check.counted(content, number, limits, platform), limit=limits.text)
            for number in range(len(content.parts))
        ]
        made = Reading(platform, limits, content, parts, check.problems(content, limits, platform))
        self._made.append(made)
        return made


async def verdicts(caller: Caller, written: Written) -> list[Verdict]:
    """What each chosen account would say to this, by the same rules that hold when it is planned."""
    accounts, media = await known(caller, written)
    readings = Readings()
    return [_verdict(account, written, compose.content(written, account, media), readings) for account in accounts]


async def known(caller: Caller, written: Written) -> tuple[list[Account], dict[str, Media]]:
    """The chosen accounts and the files that `written` names, all of the caller's workspace.

    Invalid names those that are not, among the accounts that have variants too.
    """
    check.typed_options(written.options, PLATFORMS)
    varied = [key for key in written.variants if key not in PLATFORMS]
    accounts = await Account.of(caller, In("_id", _ids([*written.accounts, *varied]))).to_list()
    shown = written.files()
    files = await Media.of(caller, In("_id", _ids([id for _, id in shown]))).to_list()
    media = {str(file.id): file for file in files}
    have = {str(account.id): account for account in accounts}
    no_accounts = await Account.lacking(caller, [id for id in (*written.accounts, *varied) if id not in have])
    no_files = await Media.lacking(caller, [id for _, id in shown if id not in media])
    wrong = [
        _wrong(f"/accounts/{at}", no_accounts[id], "There is no account with this id. Choose another.")
        for at, id in enumerate(written.accounts)
        if id not in have
    ]
    wrong += [
        _wrong(f"/variants/{key}", no_accounts[key], "This is neither a platform nor one of your accounts.")
        for key in varied
        if key not in have
    ]
    wrong += [
        _wrong(f"{at}/id", no_files[id], "There is no file with this id. Upload it again.")
        for at, id in shown
        if id not in media
    ]
    if wrong:
        raise Invalid("Part of this is not in your workspace.", wrong)
    dropped = [
        Wrong(f"{at}/id", "This file was dropped after it was published. Upload it again to show it.", "dropped")
        for at, id in shown
        if media[id].dropped_at is not None
    ]
    if dropped:
        raise Invalid("Part of this is no longer there.", dropped)
    return [have[id] for id in dict.fromkeys(written.accounts)], media


async def fitting(
    caller: Caller, written: Written, needed_at: datetime, backing: Backing
) -> dict[ObjectId, tuple[Account, Content]]:
    """The content for each account, by its id; what has to be converted for it is wanted by `needed_at`.

    Invalid lists all problems of all accounts at once.
    """
    accounts, media = await known(caller, written)
    contents: dict[ObjectId, tuple[Account, Content]] = {
        account.id: (account, compose.content(written, account, media)) for account in accounts
    }
    wrong = _unfinished(written, contents.values())
    readings = Readings()
    for account, content in contents.values():
        wrong += [
            Wrong(each.pointer, f"{account.handle}: {each.detail}", each.code)
            for each in _verdict(account, written, content, readings).problems
        ]
    if wrong:
        raise Invalid("This cannot go out yet.", wrong)
    return {
        id: (account, await frozen(account, content, media, needed_at, backing))
        for id, (account, content) in contents.items()
    }


async def in_parts(caller: Caller, account_id: str, text: str, *, numbered: bool) -> list[str]:
    """`text` as the parts of a thread on one of the caller's accounts. NotFound."""
    account = await Account.found(caller, account_id)
    limits, platform = limits_of(account), PLATFORMS[account.platform]

    def fits(part: str) -> bool:
        size = len(part.encode("utf-8", "surrogatepass"))
        if limits.text_bytes is not None and size > limits.text_bytes:
            return False
        return check.counted(Content(text=part), 0, limits, platform) <= limits.text

    return await asyncio.to_thread(split, text, fits, numbered=numbered)  # a second for the longest


def _unfinished(written: Written, contents: Iterable[tuple[Account, Content]]) -> list[Wrong]:
    """What keeps a draft from being planned although no limit is passed."""
    if not written.accounts:
        return [Wrong("/accounts", "Choose at least one account to send this to.", "missing")]
    lacking = {compose.written_at("/text", written, account) for account, content in contents if check.empty(content)}
    return [Wrong(at, "Write something or add a picture.", "missing") for at in sorted(lacking)]


def _verdict(account: Account, written: Written, content: Content, readings: Readings) -> Verdict:
    platform = PLATFORMS[account.platform]
    reading = readings.of(content, limits_of(account), platform)
    problems = [
        msgspec.structs.replace(each, pointer=compose.written_at(each.pointer, written, account))
        for each in reading.problems
    ]
    if account.state != "connected":
        problems.append(Wrong("/accounts", "This account is disconnected. Connect it again first.", "disconnected"))
    return Verdict(
        account_id=str(account.id),
        length=reading.parts[0].length,
        limit=reading.limits.text,
        parts=reading.parts,
        problems=problems,
        notes=check.remarks(content, platform),
        files=list(file_verdicts(account, written, content)),
    )


def _wrong(pointer: str, why: NotFound | Newer, missing: str) -> Wrong:
    return Wrong(pointer, why.sentence, why.kind) if isinstance(why, Newer) else Wrong(pointer, missing, "unknown")


def _ids(given: Iterable[str]) -> list[ObjectId]:
    return [ObjectId(id) for id in given if ObjectId.is_valid(id)]
