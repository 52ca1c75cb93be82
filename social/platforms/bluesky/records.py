"""Records as they lie in an account's repository, and what the server says of them. Sheet: Publishing.

The order of the fields is the order they are sent in: a record is the same to the byte on every attempt.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from social.moments import rfc3339
from social.platforms.bluesky.options import BlueskyCard, BlueskyOptions, Replier
from social.platforms.contract import MediaItem, Turn

POST, THREADGATE, POSTGATE = "app.bsky.feed.post", "app.bsky.feed.threadgate", "app.bsky.feed.postgate"
IMAGES = 4  # of one `images` embed; more go into a gallery

Uri = Annotated[str, Meta(pattern="^at://", max_length=8192)]
Cid = Annotated[str, Meta(min_length=1, max_length=200)]
Did = Annotated[str, Meta(pattern="^did:[a-z]+:[a-zA-Z0-9._:%-]+$", max_length=2048)]


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a record: a strong reference."""

    uri: Uri
    cid: Cid


class BlobLink(msgspec.Struct, frozen=True, kw_only=True):
    """The hash of a file's bytes."""

    link: Cid = field(name="$link")


class Blob(msgspec.Struct, tag_field="$type", tag="blob", frozen=True, kw_only=True):
    """An uploaded file, as a record names it. `mimeType` is what the server takes it for."""

    ref: BlobLink
    mimeType: str
    size: int


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """A range of a text's UTF-8 bytes; the end is exclusive."""

    byteStart: int
    byteEnd: int


class Link(msgspec.Struct, tag_field="$type", tag="app.bsky.richtext.facet#link", frozen=True, kw_only=True):
    """A piece of text that leads somewhere."""

    uri: str


class Mention(msgspec.Struct, tag_field="$type", tag="app.bsky.richtext.facet#mention", frozen=True, kw_only=True):
    """A piece of text that means an account."""

    did: str


class Tag(msgspec.Struct, tag_field="$type", tag="app.bsky.richtext.facet#tag", frozen=True, kw_only=True):
    """A hashtag; `tag` is without its #."""

    tag: str


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of the text is."""

    index: Index
    features: tuple[Link | Mention | Tag, ...]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a picture, so that clients can keep its place."""

    width: int
    height: int


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of an `images` embed."""

    image: Blob
    alt: str
    aspectRatio: Ratio


class GalleryImage(Image, tag_field="$type", tag="app.bsky.embed.gallery#image", frozen=True, kw_only=True):
    """A picture of a `gallery` embed."""


class Images(msgspec.Struct, tag_field="$type", tag="app.bsky.embed.images", frozen=True, kw_only=True):
    """One to four pictures."""

    images: tuple[Image, ...]


class Gallery(msgspec.Struct, tag_field="$type", tag="app.bsky.embed.gallery", frozen=True, kw_only=True):
    """More pictures than that."""

    items: tuple[GalleryImage, ...]


class Video(msgspec.Struct, tag_field="$type", tag="app.bsky.embed.video", frozen=True, kw_only=True):
    """A video. A post shows a hole until the server's video service has worked on it."""

    video: Blob
    alt: str | UnsetType = UNSET
    aspectRatio: Ratio


class ExternalLink(msgspec.Struct, frozen=True, kw_only=True):
    """What a link card shows."""

    uri: str
    title: str
    description: str
    thumb: Blob | UnsetType = UNSET


class External(msgspec.Struct, tag_field="$type", tag="app.bsky.embed.external", frozen=True, kw_only=True):
    """A link card."""

    external: ExternalLink


class Quote(msgspec.Struct, tag_field="$type", tag="app.bsky.embed.record", frozen=True, kw_only=True):
    """Another post, shown in this one."""

    record: Ref


class QuoteWithMedia(
    msgspec.Struct, tag_field="$type", tag="app.bsky.embed.recordWithMedia", frozen=True, kw_only=True
):
    """Another post beside pictures or a card."""

    record: Quote
    media: Images | Gallery | Video | External


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a post answers, and what began the thread."""

    root: Ref
    parent: Ref


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One warning."""

    val: str


class SelfLabels(msgspec.Struct, tag_field="$type", tag="com.atproto.label.defs#selfLabels", frozen=True, kw_only=True):
    """Warnings that an author puts on what they show."""

    values: tuple[Label, ...]


Embed = Images | Gallery | Video | External | Quote | QuoteWithMedia


class Post(msgspec.Struct, tag_field="$type", tag=POST, frozen=True, kw_only=True):
    """A post. `createdAt` is the instant of the first attempt, on every attempt."""

    text: str
    createdAt: str
    langs: tuple[str, ...] | UnsetType = UNSET
    facets: tuple[Facet, ...] | UnsetType = UNSET
    reply: Reply | UnsetType = UNSET
    embed: Embed | UnsetType = UNSET
    labels: SelfLabels | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Something a gate allows or forbids: its kind alone."""

    type: str = field(name="$type")


class Threadgate(msgspec.Struct, tag_field="$type", tag=THREADGATE, frozen=True, kw_only=True):
    """Who may answer a thread. It has the record key of the thread's first post."""

    post: str
    createdAt: str
    allow: tuple[Rule, ...]


class Postgate(msgspec.Struct, tag_field="$type", tag=POSTGATE, frozen=True, kw_only=True):
    """Who may quote a post. It has the post's record key."""

    post: str
    createdAt: str
    embeddingRules: tuple[Rule, ...]


Gate = Threadgate | Postgate


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A record to be written. With `swapRecord` None it must not be there yet; without it, it is overwritten."""

    repo: str
    collection: str
    rkey: str
    record: Post | Gate
    swapRecord: UnsetType | None = UNSET


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record as the server has it."""

    uri: Uri
    cid: Cid
    value: dict[str, Any]

    @property
    def ref(self) -> Ref:
        """Where it is, in the version it has."""
        return Ref(uri=self.uri, cid=self.cid)


REPLIERS: dict[Replier, str] = {
    "mentioned": f"{THREADGATE}#mentionRule",
    "followers": f"{THREADGATE}#followerRule",
    "followed": f"{THREADGATE}#followingRule",
}


def embed(turn: Turn, options: BlueskyOptions, quoted: Ref | None) -> Embed | UnsetType:
    """What a part shows under its text. Card and quote belong to the first part."""
    blobs = tuple(msgspec.json.decode(each, type=Blob) for each in turn.media_ids)
    media: Images | Gallery | Video | External | None = None
    if turn.part == 0 and options.card is not None:
        media = _card(options.card, blobs)
    elif blobs and turn.media[0].video:
        media = Video(video=blobs[0], alt=turn.media[0].alt or UNSET, aspectRatio=_ratio(turn.media[0]))
    elif blobs:
        media = _pictures(blobs, turn.media)
    if turn.part or quoted is None:
        return media or UNSET
    return QuoteWithMedia(record=Quote(record=quoted), media=media) if media else Quote(record=quoted)


def warnings(labels: Sequence[str]) -> SelfLabels | None:
    """Labels of one's own, each once; None without any."""
    values = tuple(Label(val=each) for each in dict.fromkeys(labels))
    return SelfLabels(values=values) if values else None


def threadgate(turn: Turn, post: str, allowed: Sequence[Replier]) -> Threadgate:
    """Lets nobody but those answer."""
    rules = tuple(Rule(type=REPLIERS[each]) for each in dict.fromkeys(allowed))
    return Threadgate(post=post, createdAt=rfc3339(turn.first_sent_at), allow=rules)


def postgate(turn: Turn, post: str) -> Postgate:
    """Lets nobody quote."""
    rules = (Rule(type=f"{POSTGATE}#disableRule"),)
    return Postgate(post=post, createdAt=rfc3339(turn.first_sent_at), embeddingRules=rules)


def _card(card: BlueskyCard, blobs: Sequence[Blob]) -> External:
    thumb = blobs[0] if blobs else UNSET
    link = ExternalLink(uri=card.url, title=card.title, description=card.description, thumb=thumb)
    return External(external=link)


def _pictures(blobs: Sequence[Blob], items: Sequence[MediaItem]) -> Images | Gallery:
    pairs = tuple(zip(blobs, items, strict=True))
    if len(pairs) <= IMAGES:
        return Images(images=tuple(Image(image=blob, alt=item.alt, aspectRatio=_ratio(item)) for blob, item in pairs))
    shown = (GalleryImage(image=blob, alt=item.alt, aspectRatio=_ratio(item)) for blob, item in pairs)
    return Gallery(items=tuple(shown))


def _ratio(item: MediaItem) -> Ratio:
    return Ratio(width=max(1, item.width), height=max(1, item.height))
