"""Content whose files are what the platform takes: frozen when it is planned, whole when it is prepared."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from beanie import PydanticObjectId

from social.accounts.documents import Account
from social.backing import Backing
from social.errors import Rejected
from social.files import AS_IT_IS
from social.media.documents import Media
from social.media.plans import Converts
from social.media.renditions import Rendition, Wanted
from social.platforms import PLATFORMS
from social.platforms.contract import Content, Limits, MediaItem, Part
from social.posts import check


def limits_of(account: Account) -> Limits:
    """What the account takes: its server's or its subscription's limits, or the platform's."""
    return account.limits or PLATFORMS[account.platform].limits


async def frozen(
    account: Account, content: Content, media: Mapping[str, Media], needed_at: datetime, backing: Backing
) -> Content:
    """`content` as it will go out: each file itself, or the rendition that is made of it by `needed_at`."""
    if not content.files:
        return content
    parts = [await _frozen(account, part, media, needed_at, backing) for part in content.parts]
    return _with(content, parts)


async def whole(content: Content, workspace_id: PydanticObjectId, at: datetime) -> Content | None:
    """`content` with what is known of renditions only once they are made; None while one is not. One that was let go
    meanwhile is wanted again, from `at` on.

    Rejected, in words, if one cannot be made.
    """
    ids = content.renditions
    if not ids:
        return content
    made = await Rendition.named(workspace_id, ids)
    for id in ids:
        if id not in made:
            raise Rejected("A file of this post is gone. Attach it again.", code="file-gone")
        if made[id].state == "failed":
            raise Rejected(made[id].sentence, code="not-converted")
    if lost := [id for id in ids if made[id].let_go_of]:
        await Rendition.want_again(workspace_id, lost, at)
    if any(made[id].state != "ready" for id in ids):
        return None
    parts = [Part(text=part.text, media=tuple(_known(item, made) for item in part.media)) for part in content.parts]
    return _with(content, parts)


async def _frozen(
    account: Account, part: Part, media: Mapping[str, Media], needed_at: datetime, backing: Backing
) -> Part:
    outcome = check.outcome(part, limits_of(account), PLATFORMS[account.platform])
    if outcome is None:
        return part
    items = []
    for item, verdict in zip(part.media, outcome.files, strict=True):
        plain = msgspec.structs.replace(item, probe=None, choice=AS_IT_IS)
        if isinstance(verdict, Converts):
            file = media[item.media_id]
            wanted = Wanted(
                media_id=item.media_id, fingerprint=file.fingerprint, key=file.key, probe=file.facts, plan=verdict.plan
            )
            plain = _to_be(plain, await Rendition.want(account.workspace_id, wanted, needed_at, backing))
        items.append(plain)
    return Part(text=part.text, media=tuple(items))


def _to_be(item: MediaItem, rendition: Rendition) -> MediaItem:
    """A file that is made later. The same while it is not there and afterwards, so that nothing seems to change."""
    width, height = rendition.plan.size or (item.width, item.height)
    return msgspec.structs.replace(
        item,
        key=rendition.key,
        mime=rendition.plan.mime,
        bytes=0,
        width=width,
        height=height,
        animated=False,
        rendition=str(rendition.id),
    )


def _known(item: MediaItem, made: Mapping[str, Rendition]) -> MediaItem:
    rendition = made.get(item.rendition or "")
    if rendition is None or rendition.probe is None:
        return item
    probe = rendition.probe
    return msgspec.structs.replace(item, bytes=probe.bytes, width=probe.width, height=probe.height)


def _with(content: Content, parts: list[Part]) -> Content:
    first, *others = parts
    return msgspec.structs.replace(content, media=first.media, thread=tuple(others))
