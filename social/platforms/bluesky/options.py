"""What a post on Bluesky can have beyond text and pictures."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Language = Annotated[str, Meta(pattern="^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$", max_length=35)]
Label = Literal["sexual", "nudity", "porn", "graphic-media"]
Replier = Literal["mentioned", "followers", "followed"]


class BlueskyCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link with a preview under the first part.

    Bluesky does not look at the address: title and description are shown as they are here. A picture of the first part
    becomes the preview's; there can be one at most.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    title: Annotated[str, Meta(max_length=300)] = ""
    description: Annotated[str, Meta(max_length=1000)] = ""


class BlueskyOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a post on Bluesky can have beyond text and pictures.

    `languages` (BCP 47) are those of the text, in all parts. `labels` warn of what all parts show. `tags` are hashtags
    beside the text of the first part, without #. `quote` and `reply_to` are the address of a post, as https://bsky.app/
    profile/.../post/... or at://...: the first part shows it, or answers it. `replies_from`: who may answer the thread;
    None is everybody, an empty list nobody. `quotes_allowed`: whether others may quote its parts.
    """

    languages: Annotated[tuple[Language, ...], Meta(max_length=3)] = ()
    labels: Annotated[tuple[Label, ...], Meta(max_length=4)] = ()
    tags: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=640)], ...], Meta(max_length=8)] = ()
    card: BlueskyCard | None = None
    quote: Annotated[str, Meta(max_length=2000)] | None = None
    reply_to: Annotated[str, Meta(max_length=2000)] | None = None
    replies_from: Annotated[tuple[Replier, ...], Meta(max_length=3)] | None = None
    quotes_allowed: bool = True
