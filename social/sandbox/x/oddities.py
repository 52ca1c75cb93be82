"""How the simulated X differs from a plain day: every fact the sheet calls unconfirmed, and what can go wrong."""

from typing import Annotated, Literal

import msgspec

from social.sandbox.faults import Seconds

Lifetime = Annotated[float, msgspec.Meta(ge=0, le=100_000_000)]  # seconds
Bytes = Annotated[int, msgspec.Meta(ge=1, le=8_000_000)]
Subscription = Literal["None", "Basic", "Premium", "PremiumPlus"]
# Why a post is refused whatever it says: rows of the sheet's error table.
Posting = Literal[
    "fine", "credits", "payment", "usage-capped", "not-enrolled", "official-only", "locked", "not-permitted",
    "long-video", "reply-rule", "unsupported-authentication", "code-88",
]  # fmt: skip


class XOddities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lifetimes count from when something is handed out, not from the switch."""

    # connecting
    code_lives: Lifetime = 30.0
    access_lives: Lifetime = 7_200.0
    refresh: Literal["rotates", "stays"] = "rotates"  # single use is what implementers report
    replay: Literal["kills", "refused"] = "kills"  # what a spent refresh token does to the grant
    revoked_answer: Literal["true", "empty"] = "true"
    subscription: Subscription | None = None  # of everybody here; None: each their own

    # publishing
    posting: Posting = "fine"
    duplicate_window: Lifetime = 86_400.0  # seconds in which the same text is refused; 0: never
    media_makes_a_difference: bool = True  # the same text with other media is no duplicate
    own_replies: bool = True  # a post may answer one of the same account
    invalid_url_refused: bool = False
    mixed_media: Literal["refused", "taken"] = "refused"

    # media
    chunk_most: Bytes = 5_000_000  # a larger chunk is 413 without a body
    processing: Seconds = 0.2  # of GIFs and videos
    processing_fails: bool = False
    error_named: bool = True  # `processing_info.error` is there
    media_lives: Lifetime = 86_400.0
    keys_stay: bool = True  # a published file keeps its media_key
    image_processing: bool = False  # pictures are processed too

    # reading
    read_lag: Seconds = 0.0  # how far the list of somebody's posts is behind
    spelling: Literal["tweet", "post"] = "tweet"
    partial_errors: bool = False  # 200 with errors[] beside data
    deleted_again: Literal["deleted", "not-found"] = "deleted"

    # quotas and envelopes
    rate_scale: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 1.0  # times every quota; 0 switches them off
    daily_spent: bool = False  # the 24 h window is spent although the 15 min one looks healthy
    problem_host: Literal["api.twitter.com", "api.x.com"] = "api.twitter.com"
