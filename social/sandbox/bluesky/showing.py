"""Posts as a reader of the sandbox's timeline sees them: facets become links, embeds become pictures and cards."""

import re
from html import escape
from urllib.parse import quote

from social.sandbox.bluesky.pds import Pds
from social.sandbox.bluesky.records import Json, Record
from social.sandbox.bluesky.repo import inner, quoted
from social.sandbox.bluesky.views import find, object_in, objects
from social.sandbox.platform import Picture, Post

POSTS = "app.bsky.feed.post"
WARNINGS = {"sexual", "nudity", "porn", "graphic-media"}


def post_url(record: Record, pds: Pds) -> str:
    return f"{pds.page_of(record.did)}/post/{record.rkey}"


def shown_post(record: Record, pds: Pds) -> Post:
    author = pds.archive.account(record.did)
    assert author is not None
    value = record.value
    parent = find(inner(value, "reply", "parent", "uri") or "", pds)
    return Post(
        id=f"{record.did.rpartition(':')[2]}-{record.rkey}",
        platform="bluesky",
        url=post_url(record, pds),
        author=author.display_name,
        handle=f"@{author.handle}",
        author_url=pds.page_of(author.did),
        avatar_url=pds.avatar_of(author.did),
        html=html(str(value.get("text", "")), objects(value, "facets"), pds) + _cards(value, pds),
        sensitive=any(label.get("val") in WARNINGS for label in objects(object_in(value, "labels"), "values")),
        visibility="public",
        language=language_of(value),
        application=record.application,
        created_ms=record.created_ms,
        edited_ms=record.edited_ms,
        reply_to_url=post_url(parent, pds) if parent is not None and parent.deleted_ms is None else None,
        pictures=tuple(pictures(value, record.did, pds)),
    )


def language_of(value: Json) -> str | None:
    """The first it names."""
    named = value.get("langs")
    return next((tag for tag in named if isinstance(tag, str)), None) if isinstance(named, list) else None


def html(words: str, facets: list[Json], pds: Pds) -> str:
    """Paragraphs with the links that the facets make, and no others. Facets that lie wrong are passed over."""
    text, at, parts = words.encode(), 0, []
    for start, end, link in sorted(_links(facets, pds)):
        if at <= start < end <= len(text) and _on_characters(text, start, end):
            parts.append(_escaped(text[at:start]))
            parts.append(f'<a href="{escape(link)}" rel="nofollow noopener">{_escaped(text[start:end])}</a>')
            at = end
    whole = "".join([*parts, _escaped(text[at:])]).strip()
    paragraphs = re.split(r"\n{2,}", whole)
    return "".join(f"<p>{paragraph.replace(chr(10), '<br>')}</p>" for paragraph in paragraphs) if whole else ""


def pictures(value: Json, did: str, pds: Pds) -> list[Picture]:
    embed = object_in(value, "embed")
    if embed.get("$type") == "app.bsky.embed.recordWithMedia":
        embed = object_in(embed, "media")
    shown = [_picture(item, "image", "image", did, pds) for item in objects(embed, "images") + objects(embed, "items")]
    if "video" in embed:
        shown.append(_picture(embed, "video", "video", did, pds))
    external = object_in(embed, "external")
    if "thumb" in external:
        shown.append(_picture({**external, "alt": external.get("title")}, "thumb", "image", did, pds))
    return [picture for picture in shown if picture is not None]


def media(value: Json) -> list[dict[str, object]]:
    """The files of a post for counting from outside: id, kind, mime, alt, size."""
    embed = object_in(value, "embed")
    if embed.get("$type") == "app.bsky.embed.recordWithMedia":
        embed = object_in(embed, "media")
    found = [("image", item, object_in(item, "image")) for item in objects(embed, "images") + objects(embed, "items")]
    if "video" in embed:
        found.append(("video", embed, object_in(embed, "video")))
    return [
        {
            "id": inner(blob, "ref", "$link"),
            "kind": kind,
            "mime": blob.get("mimeType"),
            "alt": item.get("alt") or None,
            "size": (item["aspectRatio"].get("width"), item["aspectRatio"].get("height"))
            if isinstance(item.get("aspectRatio"), dict)
            else None,
        }
        for kind, item, blob in found
    ]


def tags_of(value: Json) -> set[str]:
    """Of its facets and beside its text, in lower case."""
    features = [feature for facet in objects(value, "facets") for feature in objects(facet, "features")]
    beside = value.get("tags")
    found = [feature.get("tag") for feature in features] + (beside if isinstance(beside, list) else [])
    return {tag.lower() for tag in found if isinstance(tag, str)}


def _links(facets: list[Json], pds: Pds) -> list[tuple[int, int, str]]:
    found = []
    for facet in facets:
        index = object_in(facet, "index")
        start, end = index.get("byteStart"), index.get("byteEnd")
        links = [link for feature in objects(facet, "features") if (link := _link(feature, pds))]
        if isinstance(start, int) and isinstance(end, int) and links:
            found.append((start, end, links[0]))
    return found


def _link(feature: Json, pds: Pds) -> str | None:
    kind = str(feature.get("$type")).partition("#")[2]
    if kind == "link" and str(feature.get("uri")).startswith(("https://", "http://")):
        return str(feature["uri"])
    if kind == "mention":
        return pds.page_of(str(feature.get("did")))
    return f"{pds.origin}/hashtag/{quote(str(feature.get('tag')), safe='')}" if kind == "tag" else None


def _on_characters(text: bytes, start: int, end: int) -> bool:
    """Neither edge lies inside a character."""
    return all(at == len(text) or text[at] & 0xC0 != 0x80 for at in (start, end))


def _escaped(text: bytes) -> str:
    return escape(text.decode("utf-8", "replace"))


def _picture(item: Json, name: str, kind: str, did: str, pds: Pds) -> Picture | None:
    cid = inner(item, name, "ref", "$link")
    if cid is None:
        return None
    aspect = object_in(item, "aspectRatio")
    width, height = aspect.get("width"), aspect.get("height")
    known = isinstance(width, int) and isinstance(height, int)
    url = pds.blob_url(did, cid)
    return Picture(
        url=url,
        preview_url=url,
        alt=str(item["alt"]) if item.get("alt") else None,
        kind=kind,
        width=width if known else None,
        height=height if known else None,
    )


def _cards(value: Json, pds: Pds) -> str:
    """A link card and a quoted post, under the text."""
    embed = object_in(value, "embed")
    external = object_in(embed, "external") or object_in(object_in(embed, "media"), "external")
    cards = ""
    if external:
        uri = str(external.get("uri"))
        href = escape(uri) if uri.startswith(("https://", "http://")) else "#"
        title = escape(str(external.get("title") or uri))
        description = escape(str(external.get("description", "")))
        cards += f'<p><a href="{href}" rel="nofollow noopener">{title}</a><br>{description}</p>'
    record = find(quoted(value) or "", pds)
    if record is not None and record.deleted_ms is None and record.collection == POSTS:
        link = f'<a href="{escape(post_url(record, pds))}">a quoted post</a>'
        cards += f"<blockquote>{html(str(record.value.get('text', '')), [], pds)}<p>{link}</p></blockquote>"
    return cards
