"""X, API v2, on api.x.com.

Facts: docs.x.com and X's OpenAPI description 2.167 (August 2026) with public reports, as the platform's sheet has them.
There is no idempotency key: a lost answer is settled by looking through the account's newest posts. X refuses the same
text twice, which after an unclear attempt means "go and look".
"""

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from yarl import URL

from social.platforms.answers import web_address
from social.platforms.calls import Call
from social.platforms.contract import Identity, Limits, OAuth, Platform, Quota
from social.platforms.x.faults import FAULTS
from social.platforms.x.files import kinds
from social.platforms.x.media import prepare, ready
from social.platforms.x.posts import API, PAGES, delete, publish
from social.platforms.x.rules import LIMITS, LONG, XOptions, objections, remarks
from social.platforms.x.search import find

# UNCONFIRMED for Basic, so it gets what everybody gets: what is refused here is not refused at the due time.
WRITES_LONG = frozenset({"Premium", "PremiumPlus"})
ABOUT_ME = {"user.fields": "profile_image_url,verified,verified_type,subscription_type"}


class User(msgspec.Struct, frozen=True, kw_only=True):
    """The account a token belongs to."""

    id: Annotated[str, Meta(pattern="^[0-9]{1,19}$")]
    username: Annotated[str, Meta(pattern="^[A-Za-z0-9_]{1,20}$")]
    name: str | None = None
    profile_image_url: str | None = None
    subscription_type: str | None = None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """What X answers about it."""

    data: User


async def identify(call: Call) -> Identity:
    """Whose token this is, and how much they may write. Sheet: Identity."""
    user = (await call.get("/2/users/me", Me, params=ABOUT_ME)).data
    pages = PAGES if URL(call.origin).host == API else call.origin
    return Identity(
        id=user.id,
        handle=user.username,
        name=(user.name or user.username)[:200],
        avatar_url=web_address(user.profile_image_url),
        profile_url=f"{pages}/{user.username}",
        limits=limits_of(user.subscription_type),
    )


def limits_of(subscription: str | None) -> Limits:
    """What an account with this subscription may post."""
    return msgspec.structs.replace(LIMITS, text=LONG) if subscription in WRITES_LONG else LIMITS


X = Platform(
    name="x",
    title="X",
    host=API,
    sandbox_path="/x",
    limits=LIMITS,
    kinds=kinds,
    scopes=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
    oauth=OAuth(
        page=PAGES,
        authorize="/i/oauth2/authorize",
        token="/2/oauth2/token",  # noqa: S106
        revoke="/2/oauth2/revoke",
        authenticates="basic",
        without={
            "media.write": "The permission lacks media.write, so X will refuse pictures. Connect again and allow it.",
            "offline.access": "The permission lacks offline.access, so that it cannot be renewed.",
        },
    ),
    settles="search",
    windows=(  # sheet: Rate limits and errors; tighter than the 300 of the design
        Quota(name="15 minutes", most=100, seconds=900, headers="x-rate-limit", exact=True),
        Quota(name="a day", most=10_000, seconds=86_400, per="app", headers="x-app-limit-24hour"),
    ),
    keeps_prepared=timedelta(hours=20),  # an upload is usable for a day
    options=XOptions,
    faults=FAULTS,
    identify=identify,
    prepare=prepare,
    ready=ready,
    publish=publish,
    find=find,
    delete=delete,
    objections=objections,
    remarks=remarks,
)
