"""A post as a reader of the sandbox's pages sees it."""

import html

from social.sandbox.platform import Picture, Poll, Post
from social.sandbox.x import posts
from social.sandbox.x import text as words
from social.sandbox.x.records import Post as Made
from social.sandbox.x.records import User
from social.sandbox.x.service import Service


def shown(made: Made, author: User, service: Service) -> Post:
    """A post as the sandbox's pages show it."""
    parent = service.archive.post(made.reply_to) if made.reply_to else None
    return Post(
        id=str(made.id),
        platform="x",
        url=posts.page_of(made, service),
        author=author.name,
        handle=f"@{author.username}",
        author_url=service.page_of(author),
        avatar_url=f"/x/pictures/people/{author.username}.png",
        html=_linked(made.text),
        visibility="public",
        application=made.client_id,
        created_ms=made.created_ms,
        reply_to_url=posts.page_of(parent, service) if parent else None,
        pictures=tuple(
            Picture(
                url=f"/x/pictures/media/{each.id}",
                preview_url=None,
                alt=each.alt or None,
                kind="video" if each.kind == "video" else "gifv" if each.kind == "animated_gif" else "image",
                width=each.width,
                height=each.height,
            )
            for each in posts.media_of(made, service)
        ),
        poll=Poll(tuple(made.poll["options"]), False, made.created_ms + made.poll["duration_minutes"] * 60_000)
        if made.poll
        else None,
    )


def _linked(text: str) -> str:
    """The text as HTML, its links to follow."""
    parts, place = [], 0
    for found in words.LINK.finditer(text):
        address = found[0] if found[0].startswith("http") else f"https://{found[0]}"
        shown = f'<a href="{html.escape(address)}" rel="noopener nofollow">{html.escape(found[0])}</a>'
        parts += [html.escape(text[place : found.start()]), shown]
        place = found.end()
    parts.append(html.escape(text[place:]))
    return "<p>" + "".join(parts).replace("\n", "<br />") + "</p>" if text.strip() else ""
