"""The schemas of the records that posting is made of. Sheet: Publishing, Limits. Pure."""

from functools import lru_cache
from typing import Any

from social.sandbox.bluesky.lexicon import Check, blob, many, one_of, shape, text, whole

TID_KEYED = ("app.bsky.feed.post", "app.bsky.feed.threadgate", "app.bsky.feed.postgate",
             "app.bsky.feed.like", "app.bsky.feed.repost")  # fmt: skip

STRONG_REF = shape({"uri": text(form="at-uri"), "cid": text(form="cid")})
ASPECT = shape({"width": whole(1), "height": whole(1)})
CREATED = text(form="datetime")
THUMB_LIMIT = 1_000_000
CAPTION_LIMIT = 20_000

FACET = shape(
    {
        "index": shape({"byteStart": whole(), "byteEnd": whole()}),
        "features": many(
            one_of(
                {
                    "app.bsky.richtext.facet#mention": shape({"did": text(form="did")}),
                    "app.bsky.richtext.facet#link": shape({"uri": text(form="uri")}),
                    "app.bsky.richtext.facet#tag": shape({"tag": text(size=640, graphemes=64)}),
                }
            )
        ),
    }
)
LABELS = one_of(
    {"com.atproto.label.defs#selfLabels": shape({"values": many(shape({"val": text(size=128)}), 10)})},
)


@lru_cache(maxsize=32)
def schemas(image_limit: int, video_limit: int, *, galleries: bool) -> dict[str, Check]:
    """By collection; a host checks the collections it knows."""
    image = blob("image/*", image_limit)
    caption = shape({"lang": text(form="language"), "file": blob("text/vtt", CAPTION_LIMIT)})
    media: dict[str, Check] = {
        "app.bsky.embed.images": shape(
            {"images": many(shape({"image": image, "alt": text()}, {"aspectRatio": ASPECT}), 4)}
        ),
        "app.bsky.embed.video": shape(
            {"video": blob("video/mp4", video_limit)},
            {"alt": text(), "aspectRatio": ASPECT, "captions": many(caption, 20), "presentation": text()},
        ),
        "app.bsky.embed.external": shape(
            {
                "external": shape(
                    {"uri": text(form="uri"), "title": text(), "description": text()},
                    {"thumb": blob("image/*", THUMB_LIMIT)},
                )
            }
        ),
    }
    if galleries:
        item = shape({"image": image, "alt": text(), "aspectRatio": ASPECT})
        media["app.bsky.embed.gallery"] = shape(
            {"items": many(one_of({"app.bsky.embed.gallery#image": item}), 20)},
        )
    quote = shape({"record": STRONG_REF})
    embeds = one_of(
        {
            **media,
            "app.bsky.embed.record": quote,
            "app.bsky.embed.recordWithMedia": shape({"record": quote, "media": one_of(media)}),
        }
    )
    return {"app.bsky.feed.post": _post(embeds), **_OTHERS}


def _post(embeds: Check) -> Check:
    return shape(
        {"text": text(size=3_000, graphemes=300), "createdAt": CREATED},
        {
            "facets": many(FACET),
            "reply": shape({"root": STRONG_REF, "parent": STRONG_REF}),
            "embed": embeds,
            "langs": many(text(form="language"), 3),
            "labels": LABELS,
            "tags": many(text(size=640, graphemes=64), 8),
        },
    )


_RULES: dict[str, Any] = {
    "app.bsky.feed.threadgate#listRule": shape({"list": text(form="at-uri")}),
}
_OTHERS: dict[str, Check] = {
    "app.bsky.feed.threadgate": shape(
        {"post": text(form="at-uri"), "createdAt": CREATED},
        {"allow": many(one_of(_RULES), 5), "hiddenReplies": many(text(form="at-uri"))},
    ),
    "app.bsky.feed.postgate": shape(
        {"post": text(form="at-uri"), "createdAt": CREATED},
        {"detachedEmbeddingUris": many(text(form="at-uri")), "embeddingRules": many(one_of({}), 5)},
    ),
    "app.bsky.feed.like": shape({"subject": STRONG_REF, "createdAt": CREATED}),
    "app.bsky.feed.repost": shape({"subject": STRONG_REF, "createdAt": CREATED}),
    "app.bsky.actor.profile": shape({}, {"displayName": text(size=640, graphemes=64)}),
}
