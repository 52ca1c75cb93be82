"""Bluesky and other servers of the AT Protocol, on the account's own server (its PDS).

Facts: the platform's sheet, most of it observed on the reference PDS 0.5.35. The record key of a post is chosen before
its first attempt and the record is the same to the byte on every attempt, written only where nothing is: a repeat is
harmless, and a look at the key settles a lost answer at once.
"""

from datetime import timedelta

from social.platforms.bluesky import connecting
from social.platforms.bluesky.checking import objections, remarks
from social.platforms.bluesky.faults import FAULTS
from social.platforms.bluesky.files import kinds
from social.platforms.bluesky.options import BlueskyOptions
from social.platforms.bluesky.publishing import delete, find, prepare, prepares, publish, ready
from social.platforms.calls import Call
from social.platforms.contract import Identity, Limits, OAuth, Platform, Quota

__all__ = ["BLUESKY", "BlueskyOptions"]

PICTURES = 10  # more than 4 go out as a gallery; the schema takes 20, and how far apps show it is not confirmed
IMAGE_BYTES = 1_000_000  # servers before 2026 take no more; newer ones take twice as much
ALT = 2000  # of Bluesky's own app, not confirmed; the schema has no limit
PUBLIC_CLIENT = timedelta(weeks=2)  # how long its authorisation server lets a client without a secret go on


async def identify(call: Call) -> Identity:
    """Whose token this is, and what their server takes."""
    return await connecting.identify(call, BLUESKY.limits)


BLUESKY = Platform(
    name="bluesky",
    title="Bluesky",
    limits=Limits(
        text=300,
        counted_as="graphemes",
        text_bytes=3000,
        media=PICTURES,
        alt=ALT,
        image_bytes=IMAGE_BYTES,
        image_types=("image/jpeg", "image/png", "image/webp", "image/gif"),
        thread=100,
    ),
    kinds=kinds,
    scopes=connecting.SCOPES,
    usual_server="bsky.social",
    sandbox_path="/bluesky",
    settles="rkey",
    windows=(  # sheet: Rate limits and errors; a record that is made costs 3 points
        Quota(name="an hour", most=5_000, cost=3, seconds=3600, headers="ratelimit"),
        Quota(name="a day", most=35_000, cost=3, seconds=86_400, headers="ratelimit"),
        Quota(name="5 minutes", most=3_000, seconds=300, per="server"),
    ),
    # What is uploaded and not used yet is swept after minutes; nobody says how many.
    prepare_ahead=timedelta(minutes=5),
    keeps_prepared=timedelta(minutes=10),
    options=BlueskyOptions,
    faults=FAULTS,
    identify=identify,
    prepare=prepare,
    prepares=prepares,
    ready=ready,
    publish=publish,
    find=find,
    delete=delete,
    remarks=remarks,
    objections=objections,
    oauth=OAuth(unused=PUBLIC_CLIENT, lasts=PUBLIC_CLIENT),
    password=connecting.PASSWORD,
    login=connecting.login,
    client=connecting.client,
    client_document=connecting.client_document,
    discover=connecting.discover,
    refresh=connecting.refresh,
    revoke=connecting.revoke,
)
