"""A post and an account make the content of a publication. Pure."""

from collections.abc import Mapping

from social.accounts.documents import Account
from social.media.documents import Media
from social.platforms.contract import Content, MediaItem
from social.posts.documents import Written


def content(written: Written, account: Account, media: Mapping[str, Media]) -> Content:
    """What `account` would be sent for what was `written`. `media` holds every attached file by id; alt text written
    in the post wins over the file's own."""
    return Content(
        text=written.text,
        media=tuple(
            _item(media[attached.id], attached.alt or media[attached.id].alt)
            for attached in written.media
            if attached.id in media
        ),
        options=written.options.get(account.platform, {}),
    )


def _item(file: Media, alt: str) -> MediaItem:
    return MediaItem(
        media_id=str(file.id),
        key=file.key,
        mime=file.mime,
        bytes=file.bytes,
        width=file.width,
        height=file.height,
        alt=alt,
    )
