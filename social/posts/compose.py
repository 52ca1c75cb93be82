"""A post and an account make the content of a publication. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from social.accounts.documents import Account
from social.files import AS_IT_IS
from social.media.documents import Media
from social.platforms.contract import Content, MediaItem, Part
from social.posts.documents import Attached, PartWritten, Written


class Chosen(msgspec.Struct, frozen=True):
    """One field as an account has it, and where it was written: "" in the post itself, or /variants/<key>."""

    value: Any
    at: str


def content(written: Written, account: Account, media: Mapping[str, Media]) -> Content:
    """What `account` would be sent for what was `written`. `media` holds every attached file by id; alt text written
    in the post wins over the file's own."""
    thread: tuple[PartWritten, ...] = chosen(written, account, "thread").value
    return Content(
        text=chosen(written, account, "text").value,
        media=_items(chosen(written, account, "media").value, media),
        thread=tuple(Part(text=part.text, media=_items(part.media, media)) for part in thread),
        options=written.options.get(account.platform, {}),
    )


def chosen(written: Written, account: Account, field: str) -> Chosen:
    """`field` (text, media or thread) of what was `written`, for `account`."""
    for key in (str(account.id), account.platform):
        own = getattr(written.variants.get(key), field, None)
        if own is not None:
            return Chosen(own, f"/variants/{key}")
    return Chosen(getattr(written, field), "")


def written_at(pointer: str, written: Written, account: Account) -> str:
    """Where in the post the thing stands that `pointer` finds in the account's content."""
    field = pointer.split("/")[1] if pointer.startswith("/") else ""
    return chosen(written, account, field).at + pointer if field in {"text", "media", "thread"} else pointer


def _items(attached: Iterable[Attached], media: Mapping[str, Media]) -> tuple[MediaItem, ...]:
    return tuple(_item(media[each.id], each) for each in attached if each.id in media)


def _item(file: Media, attached: Attached) -> MediaItem:
    return MediaItem(
        media_id=str(file.id),
        key=file.key,
        mime=file.mime,
        bytes=file.bytes,
        width=file.width,
        height=file.height,
        alt=attached.alt or file.alt,
        animated=file.animated,
        probe=file.facts,
        choice=attached.fit or AS_IT_IS,
    )
