"""Addresses of pictures on our own host that need no sign-in: signed, and good for half a day to a day.

A browser's <img> cannot send a bearer token. Whoever has a link sees that one file until it expires, a member who has
just left too.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from social.backing import Backing
from social.errors import NotFound
from social.media.clips import Clip
from social.media.documents import Media
from social.media.kinds import SUFFIXES
from social.media.playing import MIME
from social.moments import now

PURPOSE = "media link"
NO_THUMBNAIL = "/film.svg"  # of the web client's
OUTSIDE = timedelta(hours=12)  # for a platform to fetch a file
STABLE = timedelta(hours=12)  # a picture keeps its address this long, so that browsers find it in their cache
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORM = re.compile(r"([A-Za-z0-9_-]{1,2000})\.([0-9a-f]{64})", re.ASCII)
GONE = "This link has expired or is not whole. Reload the page it came from."


class Opened(msgspec.Struct, frozen=True, array_like=True):
    """What a link leads to: an object in the bucket, what it is and what to call it, until `expires` (Unix seconds)."""

    expires: int
    key: str
    mime: str
    name: str

    def left(self, at: datetime) -> int:
        """Seconds for which the link is still good."""
        return max(0, self.expires - int(at.timestamp()))


def link(media: Media, what: Literal["file", "thumbnail"], backing: Backing) -> str:
    """The path, on our host, of the file or its thumbnail. It stays the same for 12 hours and is good as long again."""
    if what == "thumbnail" and not media.thumbnail_key:
        return NO_THUMBNAIL
    key, mime = (media.key, media.mime) if what == "file" else (media.thumbnail_key, media.thumbnail_mime)
    return signed(Opened(expires=_expiry(now()), key=key, mime=mime, name=_called(media.name, mime)), backing)


def clip_link(media: Media, clips: Mapping[str, Clip], backing: Backing) -> str | None:
    """The same of its clip, if it has one among `clips`, by fingerprint."""
    clip = clips.get(media.fingerprint)
    if clip is None:
        return None
    return signed(Opened(expires=_expiry(now()), key=clip.key, mime=MIME, name=_called(media.name, MIME)), backing)


async def outside(key: str, mime: str, name: str, backing: Backing) -> str:
    """The whole address at which a platform that fetches by itself gets the object `key`, for half a day to a day.

    At the file storage itself where others reach it, and else on our own host.
    """
    if backing.bucket.parts.direct:
        return await backing.bucket.address(key, mime=mime, lasts=OUTSIDE)
    path = signed(Opened(expires=_expiry(now()), key=key, mime=mime, name=_called(name, mime)), backing)
    return backing.settings.public_url + path


def signed(opened: Opened, backing: Backing) -> str:
    """The path, on our host, that leads to it."""
    said = base64.urlsafe_b64encode(msgspec.json.encode(opened)).decode().rstrip("=")
    return f"/m/{said}.{backing.vault.signature(PURPOSE, said)}"


def opened(token: str, backing: Backing, at: datetime) -> Opened:
    """What the link's last part leads to. NotFound if it is not ours, was changed, or expired before `at`."""
    found = FORM.fullmatch(token)
    if found is None or not backing.vault.signed(PURPOSE, found[1], found[2]):
        raise NotFound(GONE)
    signed = msgspec.json.decode(base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)), type=Opened)
    if not signed.left(at):
        raise NotFound(GONE)
    return signed


def _expiry(at: datetime) -> int:
    """The end of the twelve hours after those that `at` falls into."""
    step = int(STABLE.total_seconds())
    return (int((at - EPOCH).total_seconds()) // step + 2) * step


def _called(name: str, mime: str) -> str:
    """`name` with the ending of what the file is now: what came as IMG_1.HEIC is saved as IMG_1.jpg."""
    return f"{name.rpartition('.')[0] or name}{SUFFIXES[mime]}"
