"""The gate before the intent: who may go out now, by what platforms allow and whether they work; and what their answers
teach it. Waiting here costs no attempt and writes no intent. Section 4 of the design.

Asked once for a whole batch, right before it is armed, and told once of a batch's answers. All instances share its
windows and breakers through Redis; without Redis each goes on with its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeAlias

import structlog
from pymongo.errors import PyMongoError

from social.accounts.documents import Account
from social.accounts.quotas import News, keep_told
from social.backing import Backing
from social.backing.quotas import Answer, Health, Take, Window
from social.backing.quotas import Told as Learned
from social.errors import OutcomeUnknown, PlatformError, QuotaSpent, RetryLater
from social.moments import to_the_ms
from social.platforms import PLATFORMS
from social.platforms.contract import Platform, Quota, Realm, Receipt, Told
from social.publishing.states import QUOTA

log = structlog.get_logger()
KNOWN = 5_000  # windows that a process remembers
Whose: TypeAlias = tuple[str, str, str, str]  # realm, platform, origin and the account there
Windows: TypeAlias = tuple[Window, ...]
# What a RetryLater is called where the platform itself is in trouble, and not this post, this login or our own storage.
TROUBLE = frozenset({"unreachable", "no-answer", "trouble", "unclear", "redirected"})


class Sendable(Protocol):
    """What the gate must know of one that wants to go out."""

    @property
    def id(self) -> Any:
        """Of the publication."""

    @property
    def account_id(self) -> Any:
        """Of the account: the breaker counts how many of those are in trouble."""

    @property
    def platform(self) -> str:
        """Its name."""

    @property
    def realm(self) -> Realm:
        """Live, or the sandbox."""

    @property
    def origin(self) -> str:
        """Of the account's server. The same remote id on two servers is two accounts."""

    @property
    def remote_account(self) -> str:
        """The platform's id of the account: two workspaces with the same one share what it may."""

    @property
    def allowed(self) -> tuple[tuple[str, int], ...]:
        """How many posts the account may send in windows of these names, where that is not the usual (`Account`)."""


class Sending(NamedTuple):
    """A Sendable, for who has none at hand."""

    id: Any
    account_id: Any
    platform: str
    realm: Realm
    origin: str
    remote_account: str
    allowed: tuple[tuple[str, int], ...] = ()


class Attempted(NamedTuple):
    """One attempt that was let through: what came of it, and what its answer told of quotas (`Call.told`)."""

    sent: Sendable
    outcome: Receipt | PlatformError
    told: tuple[Told, ...] = ()


class Standing(NamedTuple):
    """One of the windows of an account's platform, how many posts this account may send in it, and how many it did."""

    quota: Quota
    window: Window
    used: int


class OpenBreaker(NamedTuple):
    """A platform's server to which nothing but a trial goes out at the moment, or that is just coming back."""

    realm: Realm
    platform: str
    origin: str


async def admit(publications: Sequence[Sendable], backing: Backing) -> dict[Any, QuotaSpent | RetryLater]:
    """Takes from all that one post each of `publications` is counted in, in the order given. By publication id, what
    keeps back those that may not go out now; for them nothing was taken. Who is missing in the answer may go.

    QuotaSpent(until): a window is full or the platform closed it. RetryLater(answered=False, until): the platform has
    trouble. Both cost no try in `states.decide`. `until` is an instant of the database's clock; of many that wait for
    the same, it is spread, so that they don't come back as a herd. One who is let through and does not send, because
    it could not be armed, has used up its place: that errs on the safe side.

    Waits for Redis 150 ms at most, and never raises for it.
    """
    if not publications:
        return {}
    takes = [Take(str(each.id), _windows(each, backing), _breaker(each)) for each in publications]
    answer = await backing.quotas.ask(backing.redis, prefix(backing), takes)
    _tell(answer)
    present = backing.now()
    refused: dict[Any, QuotaSpent | RetryLater] = {}
    for place, refusal in answer.refused.items():
        one = publications[place]
        until = to_the_ms(present + timedelta(milliseconds=refusal.wait + 1))
        if refusal.window is None:
            text = f"{PLATFORMS[one.platform].title} has trouble. One post is tried first, then the rest."
            refused[one.id] = RetryLater(text, until=until, answered=False, code="breaker")
        else:
            refused[one.id] = QuotaSpent(_words(refusal.window, one, backing), until=until, code=QUOTA)
    return refused


async def learnt(attempts: Sequence[Attempted], backing: Backing) -> None:
    """Tells the gate what came of attempts, so that it knows what platforms know, and whether they work.

    A window of which little is left by the platform's own count is counted so from now on, by all instances; one that
    is spent is closed until the platform opens it. Waits for Redis 150 ms at most, and never raises for it, nor for
    Mongo, where it keeps how much an account may by its platform's word, if that is another figure than was known.
    """
    told = list(_learned(attempts, backing))
    health = list(_health(attempts))
    if told or health:
        _tell(await backing.quotas.ask(backing.redis, prefix(backing), told=told, health=health))
    if news := list(_news(attempts, backing)):
        try:
            await keep_told(news)
        except PyMongoError as error:  # the next answer says it again
            log.info("quotas.not_kept", error=type(error).__name__)


async def standing(account: Account, backing: Backing) -> list[Standing]:
    """Where `account` stands in each window that its posts are counted in, in the order its platform declares them."""
    declared = PLATFORMS[account.platform].windows
    whose = (account.realm, account.platform, account.origin, account.remote_id)
    windows = _of(declared, whose, backing.settings.quota_scale or 1, account.allowed)
    used = await backing.quotas.used(backing.redis, prefix(backing), windows)
    return [Standing(*each) for each in zip(declared, windows, used, strict=True)]


async def open_breakers(backing: Backing) -> list[OpenBreaker]:
    """To which servers of platforms nothing but a trial goes out, or not yet everything. For health and the doctor."""
    names = await backing.quotas.open_breakers(backing.redis, prefix(backing))
    return sorted(_named(name) for name in names)


def prefix(backing: Backing) -> str:
    """Of all keys of the gate in Redis."""
    return f"social:{backing.settings.mongo_database}:gate:"


def _windows(one: Sendable, backing: Backing) -> Windows:
    """All that a post of `one` is counted in, in the order its platform declares them."""
    scale, declared = backing.settings.quota_scale, PLATFORMS[one.platform].windows
    whose = (one.realm, one.platform, one.origin, one.remote_account)
    return _of(declared, whose, scale, one.allowed) if scale else ()


def _of(declared: tuple[Quota, ...], whose: Whose, scale: float, allowed: tuple[tuple[str, int], ...]) -> Windows:
    if not allowed:
        return tuple(_window(quota, whose, scale) for quota in declared)
    own = dict(allowed)
    return tuple(_window(quota, whose, scale, own.get(quota.name)) for quota in declared)


@lru_cache(maxsize=KNOWN)
def _window(quota: Quota, whose: Whose, scale: float, own: int | None = None) -> Window:
    """`own`: how many posts the account itself may send in it; what several share is not an account's to say."""
    parts = {"account": 4, "server": 3, "app": 2}[quota.per]
    key = " ".join((quota.name.replace(" ", "-"), *whose[:parts]))
    usual = max(1, round(quota.posts * scale))
    return Window(key, own if own and quota.per == "account" else usual, quota.seconds * 1000)


def _words(window: Window, one: Sendable, backing: Backing) -> str:
    """Why `one` waits for it, for people."""
    declared = zip(PLATFORMS[one.platform].windows, _windows(one, backing), strict=True)
    quota = next(quota for quota, its in declared if its.key == window.key)
    whom = {"account": "this account", "app": "this installation", "server": "this installation"}[quota.per]
    title = PLATFORMS[one.platform].title
    posts = "post" if window.most == 1 else "posts"
    return f"{title} allows {whom} {window.most:,} {posts} in {quota.name}. This goes out when the next one may."


def _breaker(one: Sendable) -> str:
    return f"{one.realm} {one.platform} {one.origin}"


def _learned(attempts: Iterable[Attempted], backing: Backing) -> Iterable[Learned]:
    """What is worth telling: that little is left of a window, or nothing."""
    least: dict[str, Learned] = {}
    for attempt in attempts:
        if not attempt.told and not isinstance(attempt.outcome, QuotaSpent):
            continue
        platform = PLATFORMS[attempt.sent.platform]
        windows = dict(zip((quota.name for quota in platform.windows), _windows(attempt.sent, backing), strict=False))
        for window, posts, wait in _said(attempt, windows, platform, backing.now()):
            if posts < max(window.group, window.most // 4) and (
                window.key not in least or posts < least[window.key].allowed
            ):
                least[window.key] = Learned(window, posts, max(1, round(wait * 1000)))
    return least.values()


def _said(
    attempt: Attempted, windows: Mapping[str, Window], platform: Platform, present: datetime
) -> Iterable[tuple[Window, int, float]]:
    heard = [(windows[told.quota], told.posts, told.wait) for told in attempt.told if told.quota in windows]
    if not isinstance(attempt.outcome, QuotaSpent):
        return heard
    wait = (attempt.outcome.until - present).total_seconds()
    spent = [(window, 0, max(wait, seconds)) for window, posts, seconds in heard if posts < 1]
    mine = [windows[quota.name] for quota in platform.windows if quota.per == "account" and quota.name in windows]
    return spent or [(window, 0, wait) for window in mine[:1]]


def _news(attempts: Iterable[Attempted], backing: Backing) -> Iterable[News]:
    """What answers said of how much an account may in all, where that is another figure than was known."""
    for attempt in attempts:
        for told in attempt.told:
            if told.most is None:
                continue
            sent = attempt.sent
            quotas = PLATFORMS[sent.platform].windows
            quota = next((each for each in quotas if each.name == told.quota and each.per == "account"), None)
            usual = quota is not None and told.most == quota.posts and told.quota not in dict(sent.allowed)
            if quota is not None and not usual and backing.quotas.news(sent.account_id, told.quota, told.most):
                yield News(sent.account_id, told.quota, told.most)


def _health(attempts: Iterable[Attempted]) -> Iterable[Health]:
    well: dict[str, bool] = {}
    failed: dict[str, list[tuple[str, str]]] = {}
    for sent, outcome, _ in attempts:
        breaker = _breaker(sent)
        if _in_trouble(outcome):
            well.setdefault(breaker, False)
            failed.setdefault(breaker, []).append((str(sent.account_id), str(sent.id)))
        elif _answered(outcome):
            well[breaker] = True
    return [Health(name, fine, () if fine else tuple(failed[name])) for name, fine in well.items()]


def _in_trouble(outcome: Receipt | PlatformError) -> bool:
    """Whether it says that the platform is not well, rather than this post or this account."""
    match outcome:
        case OutcomeUnknown():
            return True
        case RetryLater():
            return outcome.facts.get("code") in TROUBLE
    return False


def _answered(outcome: Receipt | PlatformError) -> bool:
    """Whether it came from the platform, as what it says of a post on a good day. Not every error does: a login that is
    gone may never have been shown to it."""
    return isinstance(outcome, Receipt) or (isinstance(outcome, PlatformError) and "status" in outcome.facts)


def _named(breaker: str) -> OpenBreaker:
    realm, platform, origin = breaker.split(" ", 2)
    return OpenBreaker("sandbox" if realm == "sandbox" else "live", platform, origin)


def _tell(answer: Answer) -> None:
    for change in answer.changes:
        realm, platform, origin = change.breaker.split(" ", 2)
        told = log.warning if change.what == "opened" else log.info
        told(f"breaker.{change.what}", platform=platform, realm=realm, origin=origin, trial_in_s=change.wait / 1000)
